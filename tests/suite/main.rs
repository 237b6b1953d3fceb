//! .

#[cfg(feature = "real")]
mod real;

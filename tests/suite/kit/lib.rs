//! The kit of the suite: real processes, and whole systems in virtual time.

pub mod authority;
pub mod process;
pub mod quantile;
pub mod question;
pub mod running;
pub mod virtual_time;

//! Why somebody is not let in.

use std::sync::Arc;

use tonic::Status;

/// Why somebody is not let in; the reason is for whoever is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing of worth was shown.
    Unauthenticated(Arc<str>),
    /// It is known who it is, and that they may not.
    Forbidden(Arc<str>),
    /// Nobody can tell now.
    Unknown(Arc<str>),
}

impl Refusal {
    pub(super) fn unauthenticated(why: impl Into<Arc<str>>) -> Self {
        Self::Unauthenticated(why.into())
    }

    /// The reason in words.
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Unauthenticated(why) | Self::Forbidden(why) | Self::Unknown(why) => why,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated(why) => Self::unauthenticated(&*why),
            Refusal::Forbidden(why) => Self::permission_denied(&*why),
            Refusal::Unknown(why) => Self::unavailable(&*why),
        }
    }
}

//! Why following broke off, and what that says of the next step.

use nodegrace_kube::{failure, flat};

/// Why a step failed.
pub(super) struct Failed {
    pub(super) words: String,
    /// The version is too old: everything is to be listed.
    pub(super) expired: bool,
    /// The server answered, and what it was asked for it does not do.
    pub(super) refused: bool,
    /// The server does not permit it.
    pub(super) forbidden: bool,
}

impl Failed {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            expired: false,
            refused: false,
            forbidden: false,
        }
    }

    pub(super) fn of(error: &kube::Error) -> Self {
        let code = match error {
            kube::Error::Api(status) => status.code,
            _ => 0,
        };
        Self {
            expired: code == 410,
            refused: matches!(code, 400 | 422 | 500 | 501),
            forbidden: matches!(code, 401 | 403),
            ..Self::new(flat(&failure(error)))
        }
    }
}

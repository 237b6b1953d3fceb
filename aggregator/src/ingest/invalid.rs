//! What is wrong with a part of a batch, and where.

use std::fmt::Display;

use tonic::Status;

/// A field that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub(super) struct Invalid {
    /// Path of the field, such as `heartbeats[3].channel`.
    pub(super) field: String,
    /// What is wrong with it, in words that follow the field's name.
    pub(super) reason: String,
}

impl Invalid {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// The same within `parent`; a field without a name is the parent as a whole.
    pub(super) fn within(self, parent: impl Display) -> Self {
        let field = if self.field.is_empty() {
            parent.to_string()
        } else {
            format!("{parent}.{}", self.field)
        };
        Self { field, ..self }
    }
}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        Self::invalid_argument(invalid.to_string())
    }
}

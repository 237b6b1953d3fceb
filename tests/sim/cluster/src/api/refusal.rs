//! Why the API server says no, and the Status object that tells.

use http::StatusCode;
use serde_json::{Value, json};

use super::resource::Resource;

/// A refused request.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// 401: no identity, or one that is not known.
    #[error("Unauthorized")]
    Unauthorized,
    /// 403: the identity may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// 404: there is no such object.
    #[error("{} \"{name}\" not found", resource.qualified())]
    NotFound {
        /// Its kind.
        resource: Resource,
        /// Its name.
        name: String,
    },
    /// 404: there is no such path; plain text, as the real server answers.
    #[error("404 page not found")]
    NoSuchPath,
    /// 405: the path does not know the verb.
    #[error("the server does not allow this method on the requested resource")]
    MethodNotAllowed,
    /// 409: the name is taken.
    #[error("{} \"{name}\" already exists", resource.qualified())]
    AlreadyExists {
        /// Its kind.
        resource: Resource,
        /// Its name.
        name: String,
    },
    /// 409: somebody else wrote first.
    #[error("Operation cannot be fulfilled on {} \"{name}\": the object has been modified", resource.qualified())]
    Conflict {
        /// Its kind.
        resource: Resource,
        /// Its name.
        name: String,
    },
    /// 410: the revision is older than what is kept.
    #[error("too old resource version: {requested} ({oldest})")]
    Expired {
        /// The revision asked for.
        requested: u64,
        /// The oldest revision that would have done.
        oldest: u64,
    },
    /// 415: a patch of a kind that is not understood.
    #[error("the body of the request was in an unknown format")]
    UnsupportedMediaType,
    /// 422 or 400: the request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// 504: the revision has not happened yet.
    #[error("Too large resource version: {requested}, current: {current}")]
    TooLarge {
        /// The revision asked for.
        requested: u64,
        /// The newest there is.
        current: u64,
    },
    /// 500 on streaming lists where etcd is too old for them.
    #[error(
        "a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled"
    )]
    NoStreamingList,
    /// A refusal that a test ordered.
    #[error("refused with {0} by order of a test")]
    Ordered(u16),
}

impl Refusal {
    /// The HTTP status.
    pub fn code(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound { .. } | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::AlreadyExists { .. } | Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::Expired { .. } => StatusCode::GONE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::NoStreamingList => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Ordered(code) => {
                StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The machine-readable reason.
    fn reason(&self) -> &'static str {
        match (self, self.code().as_u16()) {
            (Self::AlreadyExists { .. }, _) => "AlreadyExists",
            (_, 400) => "BadRequest",
            (_, 401) => "Unauthorized",
            (_, 403) => "Forbidden",
            (_, 404) => "NotFound",
            (_, 405) => "MethodNotAllowed",
            (_, 409) => "Conflict",
            (_, 410) => "Expired",
            (_, 415) => "UnsupportedMediaType",
            (_, 503) => "ServiceUnavailable",
            (_, 504) => "Timeout",
            _ => "InternalError",
        }
    }

    /// The Status object.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.to_string(),
            "reason": self.reason(),
            "code": self.code().as_u16(),
        });
        match self {
            Self::NotFound { resource, name }
            | Self::AlreadyExists { resource, name }
            | Self::Conflict { resource, name } => {
                let names = resource.names();
                status["details"] = json!({"name": name, "kind": names.plural});
                if !names.group.is_empty() {
                    status["details"]["group"] = names.group.into();
                }
            }
            Self::TooLarge { .. } => {
                status["details"] = json!({
                    "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                    "retryAfterSeconds": 1,
                });
            }
            _ => {}
        }
        status
    }
}

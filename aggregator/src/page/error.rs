//! gRPC's errors over HTTP, in the shape of `google.rpc.Status`.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tonic::{Code, Status};

/// An error that answers a request.
#[derive(Debug)]
pub(super) struct Failed(pub(super) Status);

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl Failed {
    /// An argument that makes no sense.
    pub(super) fn argument(field: &str, reason: impl std::fmt::Display) -> Self {
        Self(Status::invalid_argument(format!("{field}: {reason}")))
    }

    fn body(&self) -> Value {
        let Self(status) = self;
        let mut details = Vec::new();
        if status.code() == Code::InvalidArgument
            && let Some((field, description)) = status.message().split_once(": ")
        {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{ "field": field, "description": description }],
            }));
        }
        json!({
            "code": i32::from(status.code()),
            "message": status.message(),
            "details": details,
        })
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (http_status(self.0.code()), kind, self.body().to_string()).into_response()
    }
}

/// The HTTP status that the gRPC code maps to (google/rpc/code.proto).
const fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_argument_names_its_field() {
        let body = Failed::argument("filter", "has no end").body();
        assert_eq!(body["code"], 3);
        let violation = &body["details"][0]["fieldViolations"][0];
        assert_eq!(violation["field"], "filter");
        assert_eq!(violation["description"], "has no end");
    }
}

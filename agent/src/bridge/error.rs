//! A failed call, without the runtime's own words: they name containers, images and paths.

use std::{error::Error, io};

use tonic::{Code, Status};

/// The same code, in words that are the same for everybody.
pub(super) fn coded(failed: &Status) -> Status {
    let code = failed.code();
    Status::new(code, words(code))
}

const fn words(code: Code) -> &'static str {
    match code {
        Code::Unavailable => "the runtime cannot be reached",
        Code::DeadlineExceeded => "the runtime does not answer",
        Code::Unimplemented => "the runtime does not know this call of the CRI v1",
        Code::OutOfRange | Code::ResourceExhausted => "the runtime's answer is too large",
        Code::PermissionDenied | Code::Unauthenticated => "the runtime refuses",
        _ => "the runtime failed",
    }
}

/// Why the system did not let the runtime be reached, such as that there is no socket. Absent: it was not the system.
pub(super) fn of_system(failed: &Status) -> Option<io::ErrorKind> {
    let mut cause = failed.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

//! Checks of single fields, each error naming the field.

use std::{sync::Arc, time::Duration};

use nodegrace_core::WallTime;
use nodegrace_proto::prost_types;
use prost::Message;

use super::{
    invalid::Invalid,
    limits::{MAX_PART, MAX_TEXT},
};
use crate::wire;

/// A duration that must be there.
pub(super) fn duration(
    field: &str,
    value: Option<prost_types::Duration>,
) -> Result<Duration, Invalid> {
    optional_duration(field, value)?.ok_or_else(|| Invalid::new(field, "is missing"))
}

/// A duration that may be absent.
pub(super) fn optional_duration(
    field: &str,
    value: Option<prost_types::Duration>,
) -> Result<Option<Duration>, Invalid> {
    value
        .map(wire::duration)
        .transpose()
        .map_err(|reason| Invalid::new(field, reason))
}

/// A time since boot that must be there and cannot be later than the batch was sent.
pub(super) fn moment(
    field: &str,
    value: Option<prost_types::Duration>,
    sent: Duration,
) -> Result<Duration, Invalid> {
    let moment = duration(field, value)?;
    if moment > sent {
        return Err(Invalid::new(field, "is later than sent_monotonic"));
    }
    Ok(moment)
}

/// A wall time that must be there.
pub(super) fn time(
    field: &str,
    value: Option<prost_types::Timestamp>,
) -> Result<WallTime, Invalid> {
    let value = value.ok_or_else(|| Invalid::new(field, "is missing"))?;
    wire::time(value).map_err(|reason| Invalid::new(field, reason))
}

/// A text of at most [`MAX_TEXT`] bytes, to be kept.
pub(super) fn text(field: &str, value: &str) -> Result<Arc<str>, Invalid> {
    short(field, value)?;
    Ok(Arc::from(value))
}

/// Checks a text of at most [`MAX_TEXT`] bytes.
pub(super) fn short(field: &str, value: &str) -> Result<(), Invalid> {
    if value.len() > MAX_TEXT {
        return Err(Invalid::new(
            field,
            format!("is longer than {MAX_TEXT} bytes"),
        ));
    }
    Ok(())
}

/// A message of at most [`MAX_PART`] bytes.
pub(super) fn size(message: &impl Message) -> Result<(), Invalid> {
    if message.encoded_len() > MAX_PART {
        return Err(Invalid::new("", format!("is larger than {MAX_PART} bytes")));
    }
    Ok(())
}

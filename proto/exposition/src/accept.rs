//! What a scraper says that it can read.

/// Whether an `Accept` header names this media range, and not by a quality of zero, which refuses it (RFC 9110, section 12.4.2).
pub fn accepts(accept: &str, range: &str) -> bool {
    accept.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next() == Some(range);
        named && !parts.any(|part| part.strip_prefix("q=").is_some_and(is_zero))
    })
}

fn is_zero(quality: &str) -> bool {
    quality.parse() == Ok(0.0)
}

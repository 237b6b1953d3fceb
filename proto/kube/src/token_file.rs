//! A bearer token in a file, read for each request: tokens in pods are replaced every hour, and requests are few.
//!
//! kube has the like, but sends what follows the token in the file, such as a line's end, along with it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use http::HeaderValue;
use tracing::warn;

/// Shows the token of a file.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    /// The token last read, as a header. It is shown on where the file is gone, as client-go does: some remove it once the
    /// process has started.
    last: Arc<Mutex<HeaderValue>>,
}

impl TokenFile {
    /// Reads the token for the first time.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            last: Arc::new(Mutex::new(read(path)?)),
        })
    }

    /// The value of the Authorization header.
    pub fn authorization(&self) -> HeaderValue {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.path) {
            Ok(header) => *last = header,
            Err(error) => warn!(
                error = crate::one_line(error.as_ref()),
                "shows the last token instead"
            ),
        }
        last.clone()
    }
}

fn read(path: &Path) -> anyhow::Result<HeaderValue> {
    let about = || format!("token file {}", path.display());
    let token = fs::read_to_string(path).with_context(about)?;
    let mut header =
        HeaderValue::try_from(format!("Bearer {}", token.trim())).with_context(about)?;
    header.set_sensitive(true);
    Ok(header)
}

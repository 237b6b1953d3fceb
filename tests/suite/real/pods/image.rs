//! An image as `.ci/run image` leaves it: a folder `rootfs`, and `inspect.json` with what buildah tells of it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::Value;

use super::super::programs::output_of;

/// One image.
pub(super) struct Image {
    dir: PathBuf,
    told: Value,
}

impl Image {
    /// The image that a container's `image` names, such as `nodegrace-agent:0.1.0`.
    pub(super) fn named(reference: &str) -> anyhow::Result<Self> {
        let images = env::var_os("NODEGRACE_IMAGES").context("run `.ci/run image`")?;
        let name = reference.split(':').next().unwrap_or_default();
        let dir = Path::new(&images).join(name);
        let told = fs::read(dir.join("inspect.json"))
            .with_context(|| format!("no image {name} in {}", dir.display()))?;
        Ok(Self {
            told: serde_json::from_slice(&told)?,
            dir,
        })
    }

    /// What it says of itself, as `User` and `Entrypoint`.
    pub(super) fn says(&self, key: &str) -> &Value {
        &self.told["OCIv1"]["config"][key]
    }

    /// Copies its files to where a container may have them as its own.
    pub(super) fn unpack(&self, to: &Path) -> anyhow::Result<()> {
        let from = self.dir.join("rootfs");
        output_of(
            "cp",
            [Path::new("--archive"), &from, to].map(Path::as_os_str),
        )?;
        Ok(())
    }
}

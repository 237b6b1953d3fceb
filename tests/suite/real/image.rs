//! Container images made from nothing: one static program that waits for ever, packed as a `docker save` archive. No registry
//! is asked, so the tests run on a machine that reaches none.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::programs::output_of;

/// Where the program lies in every image.
pub(super) const PROGRAM: &str = "/wait";

/// Makes images around one program, which is compiled once.
pub(super) struct ImageMaker {
    dir: PathBuf,
    layer: Vec<u8>,
}

impl ImageMaker {
    /// Compiles the program and packs it into the layer that all images share.
    pub(super) fn new(dir: &Path) -> anyhow::Result<Self> {
        let source = dir.join("wait.rs");
        let program = dir.join("wait");
        fs::write(
            &source,
            "fn main() { loop { std::thread::park(); } }".as_bytes(),
        )?;
        // A container from scratch has no dynamic linker: the C library must be inside the program.
        output_of(
            "rustc",
            [
                "--edition=2024".as_ref(),
                "-Ctarget-feature=+crt-static".as_ref(),
                "-Cpanic=abort".as_ref(),
                "-Cstrip=symbols".as_ref(),
                "-o".as_ref(),
                program.as_os_str(),
                source.as_os_str(),
            ],
        )?;
        let mut layer = tar::Builder::new(Vec::new());
        append(
            &mut layer,
            PROGRAM.trim_start_matches('/'),
            0o755,
            &fs::read(&program)?,
        )?;
        Ok(Self {
            dir: dir.to_owned(),
            layer: layer.into_inner()?,
        })
    }

    /// Writes the archive of an image called `name` and returns its path. Every name gives an image with an identity of its own,
    /// because the name is part of the image's configuration, whose digest the identity is.
    pub(super) fn archive(&self, name: &str) -> anyhow::Result<PathBuf> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = serde_json::to_vec(&json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Entrypoint": [PROGRAM], "Labels": { "name": name } },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", digest(&self.layer))] },
        }))?;
        let config_name = format!("{}.json", digest(&config));
        let manifest = serde_json::to_vec(&json!([{
            "Config": config_name,
            "RepoTags": [name],
            "Layers": ["layer.tar"],
        }]))?;

        let path = self
            .dir
            .join(format!("{}.tar", name.replace(['/', ':'], "_")));
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let mut archive = tar::Builder::new(file);
        append(&mut archive, &config_name, 0o644, &config)?;
        append(&mut archive, "layer.tar", 0o644, &self.layer)?;
        append(&mut archive, "manifest.json", 0o644, &manifest)?;
        archive.into_inner()?;
        Ok(path)
    }
}

/// Adds one regular file to an archive; owner root and time zero, so that equal contents give equal bytes.
fn append<W: std::io::Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    mode: u32,
    contents: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(contents.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, name, contents)
}

/// The SHA-256 of `bytes` in lower-case hexadecimal, as images name their parts.
fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes any text");
            text
        })
}

//! Disks that really run full: a small file system in memory for each directory, and a file that takes all that is left of it.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// Set in the environment of the process that has its mounts to itself.
const OWN_MOUNTS: &str = "NODEGRACE_CHAOS_OWN_MOUNTS";
/// What takes the room.
const FILLER: &str = "filler";
/// Bytes written at once by the filler, then halved until not one more fits.
const PIECE: usize = 64 << 10;

/// A file system of its own for one directory.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    mounted: bool,
}

/// Replaces this process by one whose mounts nobody else sees and that are gone with it. Returns in that one.
///
/// # Errors
/// When the system does not let this user mount anything.
pub fn isolate() -> anyhow::Result<()> {
    if std::env::var_os(OWN_MOUNTS).is_some() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("only root can make disks that run full: run it as root, or with --no-disk-full");
    }
    let program = std::env::current_exe().context("this program")?;
    let error = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(OWN_MOUNTS, "1")
        .exec();
    Err(error).context("unshare of util-linux; --no-disk-full does without")
}

impl Disk {
    /// A directory with at most `bytes`; just a directory where disks never run full.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn new(path: PathBuf, bytes: Option<u64>) -> anyhow::Result<Self> {
        fs::create_dir_all(&path)?;
        if let Some(bytes) = bytes {
            let size = CString::new(format!("size={bytes}"))?;
            mount(
                "nodegrace-chaos",
                &path,
                "tmpfs",
                MountFlags::empty(),
                &*size,
            )
            .with_context(|| format!("could not mount {}", path.display()))?;
        }
        Ok(Self {
            path,
            mounted: bytes.is_some(),
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left.
    ///
    /// # Errors
    /// When the system refuses something else than room.
    pub(super) fn fill(&self) -> io::Result<()> {
        let mut filler = File::create(self.path.join(FILLER))?;
        let mut piece = vec![0_u8; PIECE];
        while !piece.is_empty() {
            match filler.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn free(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(FILLER))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted
            && let Err(error) = unmount(&self.path, UnmountFlags::DETACH)
        {
            tracing::warn!(%error, path = %self.path.display(), "could not unmount");
        }
    }
}

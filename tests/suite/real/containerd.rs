//! A private containerd: its own folders and sockets under a temporary directory, started and ended by the test, unknown to
//! the machine's own containerd if there is one. `ctr` is the independent witness of what it holds.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context as _, bail};

use super::{image::ImageMaker, programs::output_of};

/// The image of every pod's sandbox process.
const SANDBOX_IMAGE: &str = "localhost/sandbox:1";

/// Copies instead of overlay mounts, which need a kernel and a filesystem that allow them.
const SNAPSHOTTER: &str = "native";

/// How long containerd may take until its CRI answers; it takes a tenth of a second on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running containerd with a CRI, empty but for the sandbox image. Dropping it kills all its containers and removes its
/// files.
pub(super) struct Containerd {
    process: Child,
    dir: tempfile::TempDir,
    images: ImageMaker,
}

impl Containerd {
    /// Starts it and waits until it answers.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("nodegrace-containerd-")
            .tempdir()?;
        let images = ImageMaker::new(dir.path())?;
        let config = dir.path().join("config.toml");
        fs::write(&config, config_in(dir.path()))?;
        let log = File::create(dir.path().join("log"))?;
        let process = Command::new("containerd")
            .arg("--config")
            .arg(&config)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("containerd does not start; `.ci/run` installs it")?;
        let mut containerd = Self {
            process,
            dir,
            images,
        };
        containerd.wait_until_it_answers().await?;
        containerd.import_image(SANDBOX_IMAGE)?;
        Ok(containerd)
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let poll = Duration::from_millis(50);
        for _ in 0..START_TIMEOUT.as_millis() / poll.as_millis() {
            let plugins = self.ctr(&["plugins", "ls", "id==cri"]).unwrap_or_default();
            if plugins.lines().any(|line| line.trim_end().ends_with("ok")) {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("containerd ended with {status}: {}", self.last_words());
            }
            #[allow(clippy::disallowed_methods, reason = "a real process is waited for")]
            tokio::time::sleep(poll).await;
        }
        bail!(
            "containerd gives no CRI after {START_TIMEOUT:?}: {}",
            self.last_words()
        );
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("(no log)").to_owned()
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The socket on which it serves the CRI.
    pub(super) fn socket(&self) -> PathBuf {
        socket_in(self.dir.path())
    }

    /// Makes an image called `name` and imports it where the CRI sees it.
    pub(super) fn import_image(&self, name: &str) -> anyhow::Result<()> {
        let archive = self.images.archive(name)?;
        let archive = archive.to_str().context("a temporary path is not UTF-8")?;
        self.ctr(&["images", "import", "--snapshotter", SNAPSHOTTER, archive])?;
        Ok(())
    }

    /// What `ctr` says it holds now.
    pub(super) fn holdings(&self) -> anyhow::Result<Holdings> {
        let ids_of = |kind: &str| -> anyhow::Result<BTreeSet<String>> {
            // containerd keeps a pod's sandbox as a container too; the CRI plugin labels which is which.
            let filter = format!("labels.\"io.cri-containerd.kind\"=={kind}");
            let listed = self.ctr(&["containers", "ls", "--quiet", &filter])?;
            Ok(listed.lines().map(str::to_owned).collect())
        };
        let containers = ids_of("container")?;
        let sandboxes = ids_of("sandbox")?;
        // Columns: TASK PID STATUS.
        let tasks = self.ctr(&["tasks", "ls"])?;
        let running: BTreeSet<String> = tasks
            .lines()
            .filter(|line| line.trim_end().ends_with("RUNNING"))
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect();
        // Columns: REF TYPE DIGEST and more. One image has several references: its name and its identity.
        let images = self.ctr(&["images", "ls"])?;
        let digests: BTreeSet<&str> = images
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(2))
            .collect();
        Ok(Holdings {
            containers: containers.len(),
            running_containers: containers.intersection(&running).count(),
            sandboxes: sandboxes.len(),
            running_sandboxes: sandboxes.intersection(&running).count(),
            images: digests.len(),
        })
    }

    fn ctr(&self, args: &[&str]) -> anyhow::Result<String> {
        let socket = self.socket();
        let socket = socket.to_str().context("a temporary path is not UTF-8")?;
        // k8s.io is the namespace in which the CRI plugin keeps everything.
        let target = ["--address", socket, "--namespace", "k8s.io"];
        output_of("ctr", target.iter().chain(args))
    }
}

impl Drop for Containerd {
    /// Ends everything, also after a failed test: containers would outlive containerd, and their mounts keep the directory.
    fn drop(&mut self) {
        let tasks = self.ctr(&["tasks", "ls", "--quiet"]).unwrap_or_default();
        for task in tasks.lines() {
            if let Err(error) = self.ctr(&["tasks", "rm", "--force", task]) {
                eprintln!("task {task} stays behind: {error:#}");
            }
        }
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("containerd stays behind: {error}");
        }
        // What the CRI plugin mounted for its sandboxes.
        let dir = self.dir.path().to_owned();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let below = |line: &str| line.split(' ').nth(1).map(PathBuf::from);
        for mount in mounts
            .lines()
            .rev()
            .filter_map(below)
            .filter(|path| path.starts_with(&dir))
        {
            if let Err(error) = output_of("umount", [mount.as_os_str()]) {
                eprintln!("a mount stays behind: {error:#}");
            }
        }
    }
}

/// What containerd holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holdings {
    /// Containers of pods in any state, sandboxes not among them.
    pub(super) containers: usize,
    /// Those of them whose task runs.
    pub(super) running_containers: usize,
    /// Pod sandboxes in any state.
    pub(super) sandboxes: usize,
    /// Those of them whose task runs.
    pub(super) running_sandboxes: usize,
    /// Images, each counted once however many names it has.
    pub(super) images: usize,
}

fn socket_in(dir: &Path) -> PathBuf {
    dir.join("containerd.sock")
}

/// containerd's configuration with everything below `dir`.
fn config_in(dir: &Path) -> String {
    let socket = socket_in(dir);
    let (dir, socket) = (dir.display(), socket.display());
    // restrict_oom_score_adj: a build machine may lack CAP_SYS_RESOURCE, and the sandbox asks for a better OOM score.
    // cni: an empty folder; pods on the host network need no plugin.
    format!(
        r#"
version = 2
root = "{dir}/root"
state = "{dir}/state"
disabled_plugins = [
    "io.containerd.internal.v1.restart",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.overlayfs",
    "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{socket}"

[ttrpc]
address = "{socket}.ttrpc"

[plugins."io.containerd.internal.v1.opt"]
path = "{dir}/opt"

[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
sandbox_image = "{SANDBOX_IMAGE}"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{SNAPSHOTTER}"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{dir}/cni/bin"
conf_dir = "{dir}/cni/conf"
"#
    )
}

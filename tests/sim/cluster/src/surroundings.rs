//! What surrounds a kubelet on its machine and follows its trouble: the files of the host, the runtime, the kubelet's metrics.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use nodegrace_clock::Clock;

use crate::{
    cri::{Call, Contents, CriRuntime},
    host::HostFiles,
    kubelet::{Figures, SimNode},
};

/// Where a node's machine can be reached on this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachinePaths {
    /// The directory to use as `/proc`.
    pub proc_root: PathBuf,
    /// The runtime's unix socket.
    pub cri_socket: PathBuf,
}

impl MachinePaths {
    /// The paths of a node under `root`. They are short: a unix socket's path ends at 107 bytes.
    pub(crate) fn under(root: &Path, node: &str) -> Self {
        let directory = root.join(node);
        Self {
            proc_root: directory.join("proc"),
            cri_socket: directory.join("cri.sock"),
        }
    }
}

/// A node's machine.
#[derive(Debug)]
pub(crate) struct Surroundings {
    node: SimNode,
    clock: Clock,
    pace: Duration,
    files: Option<HostFiles>,
    runtime: CriRuntime,
}

impl Surroundings {
    /// The machine of a node; with `paths`, its host files are written there.
    pub(crate) fn new(
        node: SimNode,
        clock: Clock,
        pace: Duration,
        paths: Option<&MachinePaths>,
    ) -> io::Result<Self> {
        let figures = node.lock().figures();
        let files = paths
            .map(|paths| {
                HostFiles::create(&paths.proc_root, node.spec(), node.boot_id(), clock.now())
            })
            .transpose()?;
        let mut surroundings = Self {
            runtime: CriRuntime::new(clock.clone(), contents(&figures)),
            node,
            clock,
            pace,
            files,
        };
        surroundings.tick()?;
        Ok(surroundings)
    }

    /// The runtime, for whoever serves it.
    pub(crate) fn runtime(&self) -> CriRuntime {
        self.runtime.clone()
    }

    /// Keeps everything up to date until the future is dropped, or a file cannot be written.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        loop {
            self.clock.sleep(self.pace).await;
            self.tick()?;
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        let figures = self.node.observe_figures(now);
        self.runtime.hold(contents(&figures));
        let runtime = figures.runtime;
        for (call, time) in [
            (Call::Version, runtime.version),
            (Call::Status, runtime.status),
            (Call::ListPodSandbox, runtime.list_sandboxes),
            (Call::ListContainers, runtime.list_containers),
            (Call::ListImages, runtime.list_images),
        ] {
            self.runtime.delay(call, time);
        }
        match &mut self.files {
            Some(files) => files.advance(now, &figures),
            None => Ok(()),
        }
    }
}

fn contents(figures: &Figures) -> Contents {
    let runtime = figures.runtime;
    Contents {
        running_containers: runtime.running_containers,
        dead_containers: runtime.dead_containers,
        ready_sandboxes: runtime.ready_sandboxes,
        // One in twenty sandboxes waits for its removal.
        dead_sandboxes: runtime.dead_containers / 20,
        images: runtime.images,
        image_bytes: 180 << 20,
    }
}

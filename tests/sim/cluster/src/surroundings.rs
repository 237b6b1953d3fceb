//! What surrounds a kubelet on its machine and follows its trouble: the files of the host, the runtime, the kubelet's metrics, the
//! network, and how freely other processes run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nodegrace_clock::Clock;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    cri::{Call, Contents, CriRuntime},
    host::HostFiles,
    kubelet::{Effect, Figures, SimNode, log_normal},
};

/// Where a node's machine can be reached on this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachinePaths {
    /// The directory to use as `/proc`.
    pub proc_root: PathBuf,
    /// The directory to use as `/sys`.
    pub sys_root: PathBuf,
    /// The runtime's unix socket.
    pub cri_socket: PathBuf,
}

impl MachinePaths {
    /// The paths of a node under `root`. They are short: a unix socket's path ends at 107 bytes.
    pub(crate) fn under(root: &Path, node: &str) -> Self {
        let directory = root.join(node);
        Self {
            proc_root: directory.join("proc"),
            sys_root: directory.join("sys"),
            cri_socket: directory.join("cri.sock"),
        }
    }
}

/// How often a machine follows its node's trouble, in the clock's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// While there is none.
    pub calm: Duration,
    /// While there is some, and for a while after it.
    pub troubled: Duration,
}

impl Default for Pace {
    /// As often as an agent looks by default, and as often as one looks closely.
    fn default() -> Self {
        Self {
            calm: Duration::from_secs(10),
            troubled: Duration::from_secs(1),
        }
    }
}

/// How long after the end of a spell a machine is followed as closely as during it: an agent looks closely until the heartbeat
/// has come.
const AFTERMATH: Duration = Duration::from_secs(15);

/// A node's machine.
#[derive(Debug)]
pub(crate) struct Surroundings {
    node: SimNode,
    clock: Clock,
    pace: Pace,
    files: Option<HostFiles>,
    paths: Option<MachinePaths>,
    /// The boot that the files are of.
    boots: u32,
    runtime: CriRuntime,
    random: StdRng,
    at: Duration,
    /// Until when the machine is followed closely.
    troubled_until: Duration,
    /// Until when packets are lost, on a lossy network; and then, until when they are not.
    silent_until: Duration,
    heard_until: Duration,
    /// From when on other processes may be held up again.
    free_until: Duration,
}

impl Surroundings {
    /// The machine of a node; with `paths`, its host files are written there.
    pub(crate) fn new(
        node: SimNode,
        clock: Clock,
        pace: Pace,
        paths: Option<MachinePaths>,
    ) -> io::Result<Self> {
        let now = clock.now();
        let figures = node.lock().figures_at(now);
        let mut surroundings = Self {
            runtime: CriRuntime::new(clock.clone(), contents(&figures)),
            random: StdRng::seed_from_u64(node.spec().seed ^ 0x7375_7272),
            node,
            clock,
            pace,
            files: None,
            paths,
            boots: 0,
            at: now,
            troubled_until: now,
            silent_until: now,
            heard_until: now,
            free_until: now,
        };
        surroundings.boot()?;
        surroundings.tick()?;
        Ok(surroundings)
    }

    /// The runtime, for whoever serves it.
    pub(crate) fn runtime(&self) -> CriRuntime {
        self.runtime.clone()
    }

    /// Keeps everything up to date until the future is dropped, or a file cannot be written.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        let mut injections = self.node.injections();
        loop {
            let due = self.next_tick();
            tokio::select! {
                () = self.clock.sleep_until(due) => self.tick()?,
                // Its sender is the node's, which is here.
                _ = injections.changed() => {}
            }
        }
    }

    /// After a pace, but never over a boundary of a spell.
    fn next_tick(&self) -> Duration {
        let pace = if self.at < self.troubled_until {
            self.pace.troubled.min(self.pace.calm)
        } else {
            self.pace.calm
        };
        let edge = self.node.next_edge(self.at);
        edge.unwrap_or(Duration::MAX).min(self.at + pace)
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        let figures = self.node.observe(self.at, now);
        self.at = now;
        let effects = self.node.effects_at(now);
        if !effects.is_empty() {
            self.troubled_until = now + AFTERMATH;
        }
        self.network(&effects);
        self.hold_processes(&figures);
        self.runtime_follows(&figures);
        let power = self.node.power();
        let power = power.borrow();
        if power.boots != self.boots {
            self.boots = power.boots;
            self.boot()?;
        }
        match &mut self.files {
            Some(files) if power.on => files.advance(power.clock.now(), &figures),
            _ => Ok(()),
        }
    }

    /// Files as of a machine that was just booted, in place of those of the boot before.
    fn boot(&mut self) -> io::Result<()> {
        let Some(MachinePaths {
            proc_root,
            sys_root,
            ..
        }) = &self.paths
        else {
            return Ok(());
        };
        for root in [proc_root, sys_root] {
            match fs::remove_dir_all(root) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => fs::create_dir_all(root)?,
            }
        }
        self.files = Some(HostFiles::create(proc_root, sys_root, &self.node)?);
        Ok(())
    }

    /// Closes and opens the network. A lossy one falls silent for the time that a lost packet takes to be sent again.
    fn network(&mut self, effects: &[Effect]) {
        if effects.contains(&Effect::Lossy) && self.at >= self.heard_until {
            let silent = self.random.random_range(0.1..3.0_f64).powi(2) / 2.0;
            let heard = self.random.random_range(0.2..4.0);
            self.silent_until = self.at + Duration::from_secs_f64(silent);
            self.heard_until = self.silent_until + Duration::from_secs_f64(heard);
        }
        let lossy = effects.contains(&Effect::Lossy) && self.at < self.silent_until;
        if effects.contains(&Effect::Isolated) || lossy {
            self.node.network().close();
        } else {
            self.node.network().open();
        }
    }

    /// Lets the machine's other processes, an agent among them, run only in between.
    fn hold_processes(&mut self, figures: &Figures) {
        let agent_waits = self.node.spec().agent_waits;
        if !agent_waits || figures.held <= 0.0 || self.at < self.free_until {
            return;
        }
        // The scarcer the processor, the longer at a time: mostly for moments, now and then for many seconds.
        let held = log_normal(&mut self.random, 0.8 * figures.held, 1.0).clamp(0.02, 8.0);
        self.node
            .machine_clock()
            .stand_still(Duration::from_secs_f64(held));
        self.free_until = self.at + Duration::from_secs_f64(held / figures.held.min(1.0));
    }

    fn runtime_follows(&self, figures: &Figures) {
        let runtime = figures.runtime;
        self.runtime.hold(contents(figures));
        self.runtime.behave(runtime.answers);
        for (call, time) in [
            (Call::Version, runtime.version),
            (Call::Status, runtime.status),
            (Call::ListPodSandbox, runtime.list_sandboxes),
            (Call::ListContainers, runtime.list_containers),
            (Call::ListImages, runtime.list_images),
        ] {
            self.runtime.delay(call, time);
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

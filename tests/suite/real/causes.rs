//! Faults on real parts: a stand-in for a kubelet in a process of its own, to which happens what happens to real ones. The cause
//! that is named is the one that was inflicted.
//!
//! The stand-in beats every second, so that what is usual is learned within half a minute.

use std::{fs, os::linux::fs::MetadataExt as _, path::Path, time::Duration};

use anyhow::Context as _;
use nodegrace_proto::v1::{self, CauseKind, Channel, Vantage};
use nodegrace_sim_cluster::api::{Access, Key, NODE_LEASE_NAMESPACE, Resource};
use nodegrace_tests::process::Process;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    sync::RwLock,
};

use super::{
    cgroup::Group,
    containerd::Containerd,
    daemons::{MeasuredNode, NODE},
    programs::output_of,
    relay::Relay,
};

/// How long a fault lasts: a gap is listed from 15 s on.
const FAULT: Duration = Duration::from_secs(20);

/// Beats after which it is known what is usual.
const BEATS: u64 = 15;

/// One test stalls a disk that all use: it has the machine for itself.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// A node whose kubelet is a stand-in that beats, through a relay.
struct Sufferer {
    node: MeasuredNode,
    relay: Relay,
    kubelet: Process,
    _dir: TempDir,
}

impl Sufferer {
    /// Starts it with further flags for the stand-in and for the agent.
    async fn start(kubelet_flags: &[&str], agent_flags: &[&str]) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let pid_file = dir.path().join("kubelet.pid");
        let pid_flag = format!("--kubelet-pid-file={}", pid_file.display());
        let mut flags = vec!["--sample-interval=1s", &pid_flag];
        flags.extend(agent_flags);
        let node = MeasuredNode::start(Access::default(), &flags).await?;
        let relay = Relay::to(node.api_address).await?;
        let api_server = format!("--api-server=http://{}", relay.address);
        let name = format!("--node={NODE}");
        let mut flags = vec!["--interval=1s", &name, &api_server];
        flags.extend(kubelet_flags);
        let kubelet = Process::start("sim-kubelet", &flags);
        fs::write(&pid_file, kubelet.pid().to_string())?;
        Ok(Self {
            node,
            relay,
            kubelet,
            _dir: dir,
        })
    }

    /// Waits until it is known what is usual.
    async fn learns(&mut self) -> anyhow::Result<()> {
        let beats = |node: &v1::Node| node.gap.as_ref().is_some_and(|gap| gap.count >= BEATS);
        self.node.node_when("habit", beats).await?;
        Ok(())
    }

    /// The cause named first for its longest gap, which is expected to be this one.
    async fn is_told(&mut self, expected: CauseKind) -> anyhow::Result<v1::Gap> {
        let gap = self.node.judged_gap().await?;
        let first = gap.causes.first().map(v1::Cause::kind);
        anyhow::ensure!(first == Some(expected), "told is {gap:#?}");
        Ok(gap)
    }
}

/// Sends a signal to a process.
fn signal(pid: u32, signal: &str) -> anyhow::Result<()> {
    output_of("kill", [signal, &pid.to_string()]).map(drop)
}

#[allow(
    clippy::disallowed_methods,
    reason = "real processes suffer in real time"
)]
async fn fault_lasts() {
    tokio::time::sleep(FAULT).await;
}

#[tokio::test]
async fn a_stopped_kubelet_is_told() -> anyhow::Result<()> {
    let _machine = MACHINE.read().await;
    let mut sufferer = Sufferer::start(&[], &[]).await?;
    sufferer.learns().await?;
    signal(sufferer.kubelet.pid(), "-STOP")?;
    fault_lasts().await;
    signal(sufferer.kubelet.pid(), "-CONT")?;
    sufferer.is_told(CauseKind::KubeletStopped).await?;
    Ok(())
}

#[tokio::test]
async fn a_throttled_kubelet_is_told_with_its_quota() -> anyhow::Result<()> {
    let _machine = MACHINE.read().await;
    // Others in its group will want the processor, as the threads of a busy kubelet do.
    let mut sufferer = Sufferer::start(&["--busy-threads=64"], &[]).await?;
    let group = Group::around(sufferer.kubelet.pid(), "cpu")?;
    sufferer.learns().await?;
    group.throttle(true)?;
    signal(sufferer.kubelet.pid(), "-USR1")?;
    fault_lasts().await;
    signal(sufferer.kubelet.pid(), "-USR1")?;
    group.throttle(false)?;
    let gap = sufferer.is_told(CauseKind::CpuStarved).await?;
    let evidence = &gap.causes[0].evidence;
    assert!(
        evidence.iter().any(|it| it.figure.contains("throttled")),
        "{evidence:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_stopped_containerd_is_told_where_the_status_waits_for_it() -> anyhow::Result<()> {
    let _machine = MACHINE.read().await;
    let containerd = Containerd::start().await?;
    let socket = format!("--cri-socket={}", containerd.socket().display());
    let mut sufferer = Sufferer::start(&[&socket], &[&socket, "--cri-timeout=5s"]).await?;
    // A node whose status is its only heartbeat.
    let lease = Key::new(NODE_LEASE_NAMESPACE, NODE);
    let deleted = sufferer.node.api.store().delete(Resource::Lease, &lease);
    deleted.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    sufferer.learns().await?;
    signal(containerd.pid(), "-STOP")?;
    fault_lasts().await;
    signal(containerd.pid(), "-CONT")?;
    let gap = sufferer.is_told(CauseKind::RuntimeSlow).await?;
    assert_eq!(
        gap.late_channels().collect::<Vec<_>>(),
        [Channel::NodeStatus]
    );
    Ok(())
}

#[tokio::test]
async fn a_stalled_disk_is_told() -> anyhow::Result<()> {
    let _machine = MACHINE.write().await;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let state = dir.path().join("state");
    let flag = format!("--state-file={}", state.display());
    let mut sufferer = Sufferer::start(&[&flag], &[]).await?;
    let group = Group::around(sufferer.kubelet.pid(), "io")?;
    sufferer.learns().await?;
    let disk = disk_of(dir.path())?;
    // Others keep the disk busy, and of what it can take the stand-in gets so little that a page of state takes the whole fault.
    let others = keep_busy(dir.path())?;
    group.limit_writes(&disk, Some(4096 / FAULT.as_secs()))?;
    fault_lasts().await;
    group.limit_writes(&disk, None)?;
    drop(others);
    sufferer.is_told(CauseKind::IoStalled).await?;
    Ok(())
}

/// Writes to the disk under a folder without a pause, past the page cache, until dropped.
fn keep_busy(dir: &Path) -> anyhow::Result<Child> {
    let file = dir.join("others").display().to_string();
    Command::new("sh")
        .args([
            "-c",
            "while dd if=/dev/zero of=$0 bs=1M count=64 oflag=direct status=none; do :; done",
            &file,
        ])
        .kill_on_drop(true)
        .spawn()
        .context("no shell")
}

/// The disk that holds a file, as MAJOR:MINOR; of a partition the whole disk.
fn disk_of(path: &Path) -> anyhow::Result<String> {
    let device = fs::metadata(path)?.st_dev();
    // As the kernel packs them (new_encode_dev).
    let (major, minor) = (
        (device >> 8) & 0xfff,
        (device & 0xff) | ((device >> 12) & 0xfff00),
    );
    let known = format!("/sys/dev/block/{major}:{minor}");
    let directory = fs::canonicalize(&known).with_context(|| known.clone())?;
    let whole = if directory.join("partition").exists() {
        directory.parent().context("a partition has a disk")?
    } else {
        &directory
    };
    let device = fs::read_to_string(whole.join("dev"))?;
    Ok(device.trim().to_owned())
}

#[tokio::test]
async fn a_delayed_way_to_the_api_server_is_told_from_a_late_kubelet() -> anyhow::Result<()> {
    let _machine = MACHINE.read().await;
    let mut sufferer = Sufferer::start(&["--timeout=60s"], &[]).await?;
    sufferer.learns().await?;
    sufferer.relay.delay(FAULT);
    fault_lasts().await;
    sufferer.relay.delay(Duration::ZERO);
    let gap = sufferer.is_told(CauseKind::ApiServerSlow).await?;
    assert_eq!(gap.vantage(), Vantage::Delivery);
    Ok(())
}

#[tokio::test]
async fn an_agents_own_delayed_way_is_blamed_on_nothing_else() -> anyhow::Result<()> {
    let _machine = MACHINE.read().await;
    let mut sufferer = Sufferer::start(&[], &[]).await?;
    sufferer.learns().await?;
    sufferer.node.agents_way.delay(FAULT);
    fault_lasts().await;
    sufferer.node.agents_way.delay(Duration::ZERO);
    // The kubelet beat all the time; the agent, which was blind, does not call that a gap, or blames the way.
    let blind = |node: &v1::Node| {
        let observation = node.observation.as_ref();
        observation.is_some_and(|observation| observation.blind_spells > 0)
    };
    sufferer.node.node_when("blind spell", blind).await?;
    sufferer.learns().await?;
    for gap in sufferer.node.gaps().await? {
        let first = gap.causes.first().map(v1::Cause::kind);
        let of_the_way = [
            None,
            Some(CauseKind::ConnectionLost),
            Some(CauseKind::ApiServerSlow),
            Some(CauseKind::Unknown),
        ];
        assert!(of_the_way.contains(&first), "told is {gap:#?}");
    }
    Ok(())
}

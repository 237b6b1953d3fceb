//! What the agent counts over the CRI is what containerd holds, by the word of `ctr`.

use anyhow::Context as _;
use nodegrace_proto::v1::Sample;
use nodegrace_sim_cluster::api::Access;
use nodegrace_tests::process::Process;
use tonic::{Code, Status};

use super::{
    containerd::{Containerd, Holdings},
    cri::RuntimeClient,
    daemons::MeasuredNode,
};

#[tokio::test]
async fn the_agents_counts_equal_what_ctr_says() -> anyhow::Result<()> {
    let containerd = Containerd::start().await?;
    for image in ["localhost/one:1", "localhost/two:1", "localhost/three:1"] {
        containerd.import_image(image)?;
    }
    let mut runtime = RuntimeClient::connect(&containerd.socket()).await?;
    let first = runtime.run_pod("first", "localhost/one:1").await?;
    let second = runtime.run_pod("second", "localhost/one:1").await?;
    runtime.run_pod("third", "localhost/two:1").await?;

    let socket = format!("--cri-socket={}", containerd.socket().display());
    let mut node = MeasuredNode::start(Access::default(), &[&socket]).await?;
    let holdings = containerd.holdings()?;
    assert_eq!(
        holdings,
        of(3, 3, 3, 4),
        "the sandbox's image is the fourth"
    );
    assert_eq!(counts(&node.next_sample().await?), holdings);

    runtime.stop_container(&first).await?;
    let holdings = containerd.holdings()?;
    assert_eq!(
        holdings,
        of(3, 2, 3, 4),
        "a dead container is still a container"
    );
    assert_eq!(counts(&node.next_sample().await?), holdings);

    runtime.remove_pod(&second).await?;
    runtime.remove_image("localhost/three:1").await?;
    let holdings = containerd.holdings()?;
    assert_eq!(holdings, of(2, 1, 2, 3), "one of each is gone");
    let sample = node.next_sample().await?;
    assert_eq!(counts(&sample), holdings);

    let runtime = sample.runtime.expect("the counts came from it");
    assert_eq!(runtime.runtime_name, "containerd");
    for method in ["ListContainers", "ListPodSandbox", "ListImages"] {
        let call = runtime.calls.iter().find(|call| call.method == method);
        let took = call.and_then(|call| call.took).expect(method);
        assert!(took.seconds < 5, "{method} took {took:?}");
    }
    counts_are_all_that_the_bridge_tells(&containerd, &holdings).await
}

/// What comes over the bridge to this containerd is as many entries as it holds; and it is asked for nothing else.
async fn counts_are_all_that_the_bridge_tells(
    containerd: &Containerd,
    holdings: &Holdings,
) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let socket = dir.path().join("bridge.sock");
    let [to, from] = [&containerd.socket(), &socket].map(|path| path.display().to_string());
    let args = ["cri-bridge", "--cri-socket", &to, "--listen", &from];
    let mut bridge = Process::start("nodegrace-agent", &args);
    bridge.line("bridge started").await;

    let mut runtime = RuntimeClient::connect(&socket).await?;
    let entries = runtime.entries("RuntimeService/ListContainers").await?;
    // `state: RUNNING` or `state: EXITED`, and not a byte more.
    let exited = holdings.containers - holdings.running_containers;
    let states = [
        vec![vec![0x30, 1]; holdings.running_containers],
        vec![vec![0x30, 2]; exited],
    ];
    assert_eq!(entries, states.concat());
    let sandboxes = runtime.entries("RuntimeService/ListPodSandbox").await?;
    // Those that are ready need no word.
    assert_eq!(
        sandboxes,
        vec![Vec::<u8>::new(); holdings.running_sandboxes]
    );
    let images = runtime.entries("ImageService/ListImages").await?;
    assert_eq!(images.len(), holdings.images);
    assert!(images[1..].iter().all(Vec::is_empty), "{images:?}");

    let refused = runtime.run_pod("fourth", "localhost/one:1").await;
    let error = refused.err().context("it may start pods")?;
    let code = error.downcast_ref::<Status>().map(Status::code);
    assert_eq!(code, Some(Code::Unimplemented), "{error:#}");
    assert!(bridge.terminate().await.success());
    Ok(())
}

/// Containers, running containers, sandboxes (all of them running) and images.
fn of(containers: usize, running: usize, sandboxes: usize, images: usize) -> Holdings {
    Holdings {
        containers,
        running_containers: running,
        sandboxes,
        running_sandboxes: sandboxes,
        images,
    }
}

/// The same counts as the agent has them.
fn counts(sample: &Sample) -> Holdings {
    let runtime = sample.runtime.as_ref();
    let runtime = runtime.unwrap_or_else(|| panic!("no counts: {:?}", sample.sources));
    let count = |count: Option<u32>| count.expect("the call succeeded") as usize;
    Holdings {
        containers: count(runtime.containers),
        running_containers: count(runtime.running_containers),
        sandboxes: count(runtime.pod_sandboxes),
        running_sandboxes: count(runtime.ready_pod_sandboxes),
        images: count(runtime.images),
    }
}

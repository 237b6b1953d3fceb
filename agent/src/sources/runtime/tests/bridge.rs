//! The client against the bridge to a runtime: what is the runtime's, and what is the bridge's own.

use tokio_util::sync::CancellationToken;

use super::*;

#[tokio::test]
async fn over_the_bridge_a_call_took_as_long_as_the_bridge_says() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let _serving = FakeRuntime::Bridge.serve(&socket);
    let runtime = ask(&socket, Duration::from_secs(5)).await;
    let took = runtime.calls.iter().map(|call| call.took.unwrap());
    let three = wire::duration(Duration::from_secs(3));
    assert_eq!(took.collect::<Vec<_>>(), vec![three; 4]);
}

#[tokio::test]
async fn a_runtime_that_does_not_answer_the_bridge_is_left_in_peace() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let _serving = FakeRuntime::BridgeToHanging.serve(&socket);
    let runtime = ask(&socket, Duration::from_secs(5)).await;
    assert_eq!(methods(&runtime), ["Version"]);
    let took = runtime.calls[0].took.unwrap();
    assert_eq!(took, wire::duration(Duration::from_secs(40)));
}

#[tokio::test]
async fn what_the_runtime_was_not_asked_is_no_call_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let _serving = FakeRuntime::BusyBridge.serve(&socket);
    let mut client = RuntimeClient::new(socket, Clock::real(), Duration::from_secs(5));
    let Err(Missing::Failed(reason)) = client.ask(&Slot::empty("not asked yet")).await else {
        panic!("nothing is known of the runtime");
    };
    assert!(reason.contains("busy with another call"), "{reason}");
}

#[tokio::test]
async fn a_bridge_that_is_gone_is_no_failure_of_the_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cri.sock");
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let serving = FakeRuntime::Bridge.serve_until(&socket, stopped);
    let mut client = RuntimeClient::new(socket.clone(), Clock::real(), Duration::from_secs(5));
    let slot = Slot::empty("not asked yet");
    client.ask(&slot).await.unwrap();
    stop.cancel();
    serving.join_all().await;
    std::fs::remove_file(&socket).unwrap();
    let gone = client.ask(&slot).await;
    let Err(Missing::Failed(reason)) = gone else {
        panic!("{gone:?}");
    };
    assert!(reason.contains("No such file"), "{reason}");
}

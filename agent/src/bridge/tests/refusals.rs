//! What whoever has taken over the agent may try.

use nodegrace_proto::{
    codec::SmallBuffers,
    cri::{StatusRequest, VersionResponse},
};
use tonic::{client::Grpc, codegen::http::uri::PathAndQuery};

use super::*;

#[tokio::test(start_paused = true)]
async fn every_other_call_is_refused() {
    let bridged = Bridged::start();
    let mut runtime = RuntimeServiceClient::new(bridged.ready().await);
    let status = runtime.status(StatusRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    for method in [
        "RuntimeService/RunPodSandbox",
        "RuntimeService/CreateContainer",
        "RuntimeService/StartContainer",
        "RuntimeService/ExecSync",
        "RuntimeService/Exec",
        "RuntimeService/Attach",
        "RuntimeService/PortForward",
        "RuntimeService/ContainerStatus",
        "RuntimeService/UpdateRuntimeConfig",
        "RuntimeService/GetContainerEvents",
        "ImageService/PullImage",
        "ImageService/RemoveImage",
        "ImageService/ImageStatus",
        "NoService/List",
    ] {
        let path = format!("/runtime.v1.{method}");
        let refused = call(bridged.ready().await, &path).await;
        assert_eq!(refused.code(), Code::Unimplemented, "{method}");
    }
    assert_eq!(bridged.runtime.received_in_all(), 0, "none reaches it");
    // It counts what reaches it, known to it or not.
    bridged.containers().await.0.unwrap();
    assert_eq!(bridged.runtime.received_in_all(), 1);
    let past = channel(bridged.at("runtime.sock"));
    call(past, "/runtime.v1.RuntimeService/Exec").await;
    let exec = bridged.runtime.received("/runtime.v1.RuntimeService/Exec");
    assert_eq!(exec, 1);
}

/// Why a call that nobody knows fails.
async fn call(channel: Channel, path: &str) -> Status {
    let path = PathAndQuery::try_from(path).unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = SmallBuffers::<StatusRequest, VersionResponse>::default();
    let request = tonic::Request::new(StatusRequest {});
    client.unary(request, path, codec).await.unwrap_err()
}

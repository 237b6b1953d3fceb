//! The CRI calls that start and remove pods: what a kubelet says to its runtime, reduced to the fields a pod on the host
//! network needs (same field numbers as `runtime.v1`). The agent itself only lists, so these messages live here.

use std::path::Path;

use anyhow::Context as _;
use prost::Message;
use tonic::{
    client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel, transport::Endpoint,
};
use tonic_prost::ProstCodec;

/// A client of the calls that change something.
pub(super) struct RuntimeClient {
    grpc: Grpc<Channel>,
}

impl RuntimeClient {
    /// Connects to the runtime's socket.
    pub(super) async fn connect(socket: &Path) -> anyhow::Result<Self> {
        let channel = Endpoint::from_shared(format!("unix://{}", socket.display()))?
            .connect()
            .await
            .with_context(|| format!("connect to {}", socket.display()))?;
        Ok(Self {
            grpc: Grpc::new(channel),
        })
    }

    /// Starts a pod of one container from `image` on the host's network.
    pub(super) async fn run_pod(&mut self, name: &str, image: &str) -> anyhow::Result<Pod> {
        let sandbox_config = PodSandboxConfig::on_host_network(name);
        let sandbox = self
            .call::<_, PodSandboxId>(
                "RuntimeService/RunPodSandbox",
                RunPodSandboxRequest {
                    config: Some(sandbox_config.clone()),
                },
            )
            .await?
            .pod_sandbox_id;
        let container = self
            .call::<_, ContainerId>(
                "RuntimeService/CreateContainer",
                CreateContainerRequest {
                    pod_sandbox_id: sandbox.clone(),
                    config: Some(ContainerConfig {
                        metadata: Some(ContainerMetadata { name: name.into() }),
                        image: Some(ImageSpec {
                            image: image.into(),
                        }),
                    }),
                    sandbox_config: Some(sandbox_config),
                },
            )
            .await?
            .container_id;
        self.call::<_, Empty>(
            "RuntimeService/StartContainer",
            ContainerId {
                container_id: container.clone(),
            },
        )
        .await?;
        Ok(Pod { sandbox, container })
    }

    /// Kills the pod's container and leaves it behind dead, as a crash does.
    pub(super) async fn stop_container(&mut self, pod: &Pod) -> anyhow::Result<()> {
        let request = StopContainerRequest {
            container_id: pod.container.clone(),
            // 0: at once. The program is PID 1 of its container and has no handler for SIGTERM.
            timeout: 0,
        };
        self.call::<_, Empty>("RuntimeService/StopContainer", request)
            .await?;
        Ok(())
    }

    /// Stops and removes the whole pod.
    pub(super) async fn remove_pod(&mut self, pod: &Pod) -> anyhow::Result<()> {
        let request = PodSandboxId {
            pod_sandbox_id: pod.sandbox.clone(),
        };
        self.call::<_, Empty>("RuntimeService/StopPodSandbox", request.clone())
            .await?;
        self.call::<_, Empty>("RuntimeService/RemovePodSandbox", request)
            .await?;
        Ok(())
    }

    /// Removes an image.
    pub(super) async fn remove_image(&mut self, image: &str) -> anyhow::Result<()> {
        let request = RemoveImageRequest {
            image: Some(ImageSpec {
                image: image.into(),
            }),
        };
        self.call::<_, Empty>("ImageService/RemoveImage", request)
            .await?;
        Ok(())
    }

    /// The entries that a listing call is answered with, byte by byte.
    pub(super) async fn entries(&mut self, method: &'static str) -> anyhow::Result<Vec<Vec<u8>>> {
        let list: List = self.call(method, Empty {}).await?;
        Ok(list.entries)
    }

    async fn call<Q, A>(&mut self, method: &'static str, request: Q) -> anyhow::Result<A>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let path = PathAndQuery::from_maybe_shared(format!("/runtime.v1.{method}"))?;
        self.grpc.ready().await?;
        let codec = ProstCodec::<Q, A>::default();
        let answer = self
            .grpc
            .unary(tonic::Request::new(request), path, codec)
            .await
            .with_context(|| format!("the runtime refused {method}"))?;
        Ok(answer.into_inner())
    }
}

/// A running pod of one container.
pub(super) struct Pod {
    sandbox: String,
    container: String,
}

#[derive(Clone, PartialEq, Message)]
struct Empty {}

/// What a listing call answers: every list is in the same field.
#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(bytes = "vec", repeated, tag = "1")]
    entries: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct RunPodSandboxRequest {
    #[prost(message, optional, tag = "1")]
    config: Option<PodSandboxConfig>,
}

/// Request or response of every call that carries nothing but a sandbox's identity, in the same field.
#[derive(Clone, PartialEq, Message)]
struct PodSandboxId {
    #[prost(string, tag = "1")]
    pod_sandbox_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct PodSandboxConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<PodSandboxMetadata>,
    #[prost(message, optional, tag = "8")]
    linux: Option<LinuxPodSandboxConfig>,
}

impl PodSandboxConfig {
    /// A pod that shares the host's network, and therefore needs no CNI plugin.
    fn on_host_network(name: &str) -> Self {
        Self {
            metadata: Some(PodSandboxMetadata {
                name: name.into(),
                uid: name.into(),
                namespace: "default".into(),
            }),
            linux: Some(LinuxPodSandboxConfig {
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(NamespaceOption {
                        network: NAMESPACE_MODE_NODE,
                    }),
                }),
            }),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct PodSandboxMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxPodSandboxConfig {
    #[prost(message, optional, tag = "2")]
    security_context: Option<LinuxSandboxSecurityContext>,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxSandboxSecurityContext {
    #[prost(message, optional, tag = "1")]
    namespace_options: Option<NamespaceOption>,
}

/// `NODE` of the CRI's enum `NamespaceMode`: the namespace is the host's.
const NAMESPACE_MODE_NODE: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct NamespaceOption {
    #[prost(int32, tag = "1")]
    network: i32,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainerRequest {
    #[prost(string, tag = "1")]
    pod_sandbox_id: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<PodSandboxConfig>,
}

/// Request or response of every call that carries nothing but a container's identity, in the same field.
#[derive(Clone, PartialEq, Message)]
struct ContainerId {
    #[prost(string, tag = "1")]
    container_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    image: Option<ImageSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, Message)]
struct StopContainerRequest {
    #[prost(string, tag = "1")]
    container_id: String,
    #[prost(int64, tag = "2")]
    timeout: i64,
}

#[derive(Clone, PartialEq, Message)]
struct RemoveImageRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
}

//! A pod of the aggregator, found by its label and reached by a port-forward. It takes `list` on pods, and `get` and `create` on
//! pods/portforward, in one namespace.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::{Container, Pod as Object};
use kube::{Api, Error, ResourceExt as _, api::ListParams};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::{Stream, address::PORT, kubernetes::Kubernetes};
use crate::args::ReachArgs;

/// The label of the aggregator's pods: deploy/base/aggregator/statefulset.yaml.
const SELECTOR: &str = "app.kubernetes.io/name=nodegrace-aggregator";
/// The name of its gRPC port there.
const PORT_NAME: &str = "grpc";
/// What makes it speak TLS: aggregator/src/args/tls.rs.
const TLS_FLAG: &str = "--tls-cert";
const TLS_VARIABLE: &str = "NODEGRACE_TLS_CERT";

/// A pod that is ready to be asked.
#[derive(Clone)]
pub(super) struct Pod {
    api: Api<Object>,
    namespace: String,
    name: String,
    port: u16,
    encrypted: bool,
    context: String,
}

impl Pod {
    /// The first pod of the aggregator that is ready: each replica knows everything.
    pub(super) async fn find(kubernetes: &Kubernetes, args: &ReachArgs) -> anyhow::Result<Self> {
        let (namespace, context) = (&args.namespace, &kubernetes.context);
        let api: Api<Object> = Api::namespaced(kubernetes.client.clone(), namespace);
        let labelled = ListParams::default().labels(SELECTOR);
        let listing = tokio::time::timeout(args.request_timeout, api.list(&labelled)).await;
        let listed = listing
            .with_context(|| format!("the API server of context {context} does not answer"))?
            .map_err(|error| refused(error, "list pods", namespace, context))?;
        let ready = listed.items.iter().find(|pod| is_ready(pod));
        let Some(pod) = ready else {
            let (count, namespace) = (listed.items.len(), &args.namespace);
            if count == 0 {
                bail!(
                    "no pod with label {SELECTOR} in namespace {namespace} of context {context}: if nodegrace runs elsewhere, \
                     give --namespace, --context or --address"
                );
            }
            bail!(
                "none of the {count} aggregators in namespace {namespace} of context {context} is ready: see \
                 `kubectl -n {namespace} describe pods -l {SELECTOR}`"
            );
        };
        let containers = pod.spec.as_ref().map(|spec| &spec.containers[..]);
        let containers = containers.unwrap_or_default();
        Ok(Self {
            name: pod.name_any(),
            port: port(containers),
            encrypted: containers.iter().any(speaks_tls),
            api,
            namespace: namespace.clone(),
            context: context.clone(),
        })
    }

    /// Whether the aggregator in it speaks TLS.
    pub(super) fn encrypted(&self) -> bool {
        self.encrypted
    }

    /// A connection to its port.
    pub(super) async fn forward(&self) -> anyhow::Result<Box<dyn Stream>> {
        let forwarded = self.api.portforward(&self.name, &[self.port]).await;
        let mut forwarded = forwarded.map_err(|error| {
            refused(
                error,
                "port-forward to pods",
                &self.namespace,
                &self.context,
            )
        })?;
        let stream = forwarded.take_stream(self.port);
        let stream = stream.context("the port-forward has no stream")?;
        let failure = forwarded.take_error(self.port);
        let failure = failure.context("the port-forward has no channel for errors")?;
        Ok(Box::new(Forwarded {
            stream,
            failure: Some(Box::pin(failure)),
        }))
    }
}

/// A forwarded port. What the node says of it, such as that nothing listens there, is an error of the stream.
struct Forwarded {
    stream: DuplexStream,
    /// Absent once it is known that nothing is said.
    failure: Option<Pin<Box<dyn Future<Output = Option<String>> + Send>>>,
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(task, buffer);
        let ended = matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before;
        let Some(failure) = self.failure.as_mut().filter(|_| ended || read.is_pending()) else {
            return read;
        };
        match failure.as_mut().poll(task) {
            Poll::Ready(said) => {
                self.failure = None;
                said.map_or(read, |said| Poll::Ready(Err(io::Error::other(said))))
            }
            // The end of the stream comes with what is said of it.
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A port that takes nothing any more says why to the reader.
        let written = ready!(Pin::new(&mut self.stream).poll_write(task, bytes));
        Poll::Ready(written.or_else(|error| match self.failure {
            Some(_) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            _ => Err(error),
        }))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "port {} of pod {}/{}",
            self.port, self.namespace, self.name
        )
    }
}

fn refused(error: Error, act: &str, namespace: &str, context: &str) -> anyhow::Error {
    let forbidden = match &error {
        Error::Api(status) => status.code == 403,
        Error::UpgradeConnection(upgrade) => upgrade.to_string().contains("403"),
        _ => false,
    };
    let rights = if forbidden {
        "; it takes the rights to list pods and to get and create pods/portforward there, or --address"
    } else {
        ""
    };
    let problem = format!("cannot {act} in namespace {namespace} of context {context}{rights}");
    anyhow::Error::new(error).context(problem)
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions
        .flatten()
        .filter(|condition| condition.type_ == "Ready");
    pod.metadata.deletion_timestamp.is_none() && ready.any(|condition| condition.status == "True")
}

fn port(containers: &[Container]) -> u16 {
    let ports = containers.iter().flat_map(|container| &container.ports);
    let named = ports
        .flatten()
        .find(|port| port.name.as_deref() == Some(PORT_NAME));
    let port = named.and_then(|port| u16::try_from(port.container_port).ok());
    port.unwrap_or(PORT)
}

/// By what it was started with: nothing else has to be read for it.
fn speaks_tls(container: &Container) -> bool {
    let words = [&container.command, &container.args];
    let mut words = words.into_iter().flatten().flatten();
    let flag = words.any(|word| word.split('=').next() == Some(TLS_FLAG));
    let mut variables = container.env.iter().flatten();
    flag || variables.any(|variable| variable.name == TLS_VARIABLE)
}

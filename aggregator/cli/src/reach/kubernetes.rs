//! The API server of the kubeconfig.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::args::ReachArgs;

/// The API server of the kubeconfig.
#[derive(Clone)]
pub struct Kubernetes {
    pub(super) client: Client,
    /// How people call it.
    pub(super) context: String,
}

impl Kubernetes {
    /// A client by the kubeconfig that `args` name. Nothing is reached yet.
    ///
    /// # Errors
    /// When there is no usable kubeconfig.
    pub async fn open(args: &ReachArgs) -> anyhow::Result<Self> {
        let file = match &args.kubeconfig {
            Some(path) => Kubeconfig::read_from(path)
                .with_context(|| format!("kubeconfig {}", path.display()))?,
            None => Kubeconfig::read().context("the default kubeconfig cannot be used")?,
        };
        let context = args
            .context
            .clone()
            .or_else(|| file.current_context.clone());
        let options = KubeConfigOptions {
            context: args.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(file, &options)
            .await
            .context("the kubeconfig cannot be used")?;
        config.connect_timeout = Some(args.request_timeout);
        // A port-forward is silent while nothing is asked: a --watch with long pauses must survive that.
        config.read_timeout = None;
        config.write_timeout = None;
        // One answer is enough to say what is wrong.
        config.default_retry = false;
        Ok(Self {
            client: Client::try_from(config).context("the kubeconfig cannot be used")?,
            context: context.unwrap_or_else(|| "without a name".to_owned()),
        })
    }

    /// Names of the nodes that match a label selector. Only their metadata is read.
    ///
    /// # Errors
    /// When the API server does not answer within `timeout`, does not know the selector, or may not tell.
    pub async fn nodes(&self, selector: &str, timeout: Duration) -> anyhow::Result<Vec<String>> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let matching = ListParams::default().labels(selector);
        let context = &self.context;
        // The client itself waits for ever: see read_timeout above.
        let listing = tokio::time::timeout(timeout, nodes.list_metadata(&matching)).await;
        let listed = listing.with_context(|| {
            format!("the API server of context {context} does not answer, asked for the nodes with labels {selector:?}")
        })?;
        let list = listed.with_context(|| {
            format!("cannot list the nodes with labels {selector:?} (context {context}); it takes the right to list nodes")
        })?;
        let names = list.items.into_iter().filter_map(|node| node.metadata.name);
        Ok(names.collect())
    }
}

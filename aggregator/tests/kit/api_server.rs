//! A simulated API server that aggregators ask about tokens, over pipes in memory.

use hyper::{Request, client::conn::http1, header::HeaderValue};
use hyper_util::rt::TokioIo;
use k8s_openapi::serde_json::json;
use kube::client::Body;
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::{
    ApiServer,
    api::{Access, Account, Permission, Resource, Review, Store},
};
use tower::{BoxError, service_fn};

/// The audience of agents' tokens.
pub const AUDIENCE: &str = "nodegrace";

/// Who the aggregator is for the API server, and its token.
const AGGREGATOR: &str = "system:serviceaccount:nodegrace:nodegrace-aggregator";
const AGGREGATORS_TOKEN: &str = "the-aggregators-own";

/// Who agents are for the API server.
const AGENT: &str = "system:serviceaccount:nodegrace:nodegrace-agent";

/// An API server that lets in nobody but the aggregator, which may have people and tokens reviewed, get pods of its namespace and do
/// nothing else.
pub fn api_server(clock: &Clock, accounts: &[(&str, Account)]) -> ApiServer {
    let server = ApiServer::new(Store::new(clock.clone(), 1), clock.clone());
    server.set_access(access(accounts));
    server
}

/// Its rules of access, with these tokens and no others.
pub fn access(accounts: &[(&str, Account)]) -> Access {
    let access = Access::closed()
        .with_token(AGGREGATORS_TOKEN, AGGREGATOR)
        .permit_review(AGGREGATOR, Review::Token)
        .permit_review(AGGREGATOR, Review::Access)
        .permit(
            AGGREGATOR,
            Permission::new(&["get"], Resource::Pod).within("nodegrace"),
        )
        .permit(AGENT, Permission::new(&["get", "watch"], Resource::Node));
    let accounts = accounts.iter().cloned();
    accounts.fold(access, |access, (token, account)| {
        access.with_account(token, account)
    })
}

/// What a token of the agents' service account says, in a pod on `node`.
pub fn agent_on(node: &str) -> Account {
    agent_in_pod(node, "a-uid")
}

/// The same, in the pod with this uid.
pub fn agent_in_pod(node: &str, uid: &str) -> Account {
    let extra = [
        ("node-name", node.to_owned()),
        ("pod-name", format!("agent-on-{node}")),
        ("pod-uid", uid.to_owned()),
    ];
    let extra = extra.map(|(key, value)| (format!("authentication.kubernetes.io/{key}"), value));
    Account {
        name: ("nodegrace".to_owned(), "nodegrace-agent".to_owned()),
        audiences: vec![AUDIENCE.to_owned()],
        extra: extra.into(),
        expires: None,
    }
}

/// Puts the agent's pod on `node` where the API server keeps pods, and tells its uid.
pub fn put_pod(server: &ApiServer, node: &str) -> String {
    let pod = json!({
        "metadata": {"namespace": "nodegrace", "name": format!("agent-on-{node}")},
        "spec": {"nodeName": node},
    });
    let made = server.store().create(Resource::Pod, pod, "kubelet");
    made.expect("it is new").uid().to_owned()
}

/// The aggregator's client of it, with a connection for each request.
pub fn client(server: &ApiServer) -> kube::Client {
    let server = server.clone();
    let service = service_fn(move |mut request: Request<Body>| {
        let headers = request.headers_mut();
        let token = format!("Bearer {AGGREGATORS_TOKEN}");
        headers.insert("authorization", token.parse().expect("a header"));
        headers.insert("host", HeaderValue::from_static("api-server"));
        let connected = server.connect();
        async move {
            let (mut sender, connection) = http1::handshake(TokioIo::new(connected?)).await?;
            tokio::spawn(connection);
            Ok::<_, BoxError>(sender.send_request(request).await?)
        }
    });
    kube::Client::new(service, "default")
}

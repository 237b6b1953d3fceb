//! Kubeconfigs that lead to the simulated API server, in each form that clients must understand.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// How a client proves who it is. Certificates and keys are PEM.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Bearer token.
    pub token: Option<String>,
    /// Client certificate and its key.
    pub certificate: Option<(String, String)>,
    /// The authority that signed the server's certificate; none: plain HTTP.
    pub authority: Option<String>,
}

/// The text of a kubeconfig for a server at `address`.
pub fn kubeconfig(address: SocketAddr, credentials: &Credentials) -> String {
    let scheme = if credentials.authority.is_some() {
        "https"
    } else {
        "http"
    };
    let mut cluster = vec![format!("server: {scheme}://{address}")];
    if let Some(authority) = &credentials.authority {
        let data = STANDARD.encode(authority);
        cluster.push(format!("certificate-authority-data: {data}"));
    }
    let mut user = Vec::new();
    if let Some(token) = &credentials.token {
        user.push(format!("token: {token}"));
    }
    if let Some((certificate, key)) = &credentials.certificate {
        user.push(format!(
            "client-certificate-data: {}",
            STANDARD.encode(certificate)
        ));
        user.push(format!("client-key-data: {}", STANDARD.encode(key)));
    }
    if user.is_empty() {
        user.push("{}".to_owned());
    }
    let (cluster, user) = (cluster.join("\n    "), user.join("\n    "));
    format!(
        "\
apiVersion: v1
kind: Config
current-context: simulated
clusters:
- name: simulated
  cluster:
    {cluster}
users:
- name: simulated
  user:
    {user}
contexts:
- name: simulated
  context:
    cluster: simulated
    user: simulated
"
    )
}

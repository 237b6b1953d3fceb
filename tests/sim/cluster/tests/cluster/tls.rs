//! TLS with client certificates, and the kubeconfigs that carry them.

use std::sync::Arc;

use nodegrace_sim_cluster::{
    api::Access,
    kubeconfig::{Credentials, kubeconfig},
    kubelet::Kind,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::WebPkiClientVerifier,
};

use crate::kit::{self, Client, one_node};

type Signed = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn signed(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
) -> Signed {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let certificate = params.signed_by(&key, authority).unwrap();
    (
        certificate.der().clone(),
        PrivateKeyDer::Pkcs8(key.serialize_der().into()),
    )
}

#[tokio::test]
async fn a_client_certificate_gets_in_and_a_stranger_does_not() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (server_certificate, server_key) =
        signed(&authority, "localhost", ExtendedKeyUsagePurpose::ServerAuth);
    let (agent_certificate, agent_key) =
        signed(&authority, "agent", ExtendedKeyUsagePurpose::ClientAuth);
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let roots = Arc::new(roots);
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), ring.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let mut server = ServerConfig::builder_with_provider(ring.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server_certificate], server_key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

    let cluster = one_node(Kind::Healthy, &kit::clock());
    cluster
        .server()
        .set_access(Access::closed().with_certificate(&agent_certificate, "agent"));
    let address = cluster
        .listen("127.0.0.1:0".parse().unwrap(), Some(Arc::new(server)))
        .await
        .unwrap();

    let client = || {
        ClientConfig::builder_with_provider(ring.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
    };
    let agent = client()
        .with_client_auth_cert(vec![agent_certificate], agent_key)
        .unwrap();
    for (config, code) in [(agent, 200), (client().with_no_client_auth(), 401)] {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, socket).await.unwrap();
        assert_eq!(
            Client::http1(stream)
                .await
                .get("/api/v1/nodes/real-node")
                .await
                .0,
            code
        );
    }
    cluster.stop().await;
}

#[test]
fn a_kubeconfig_holds_each_kind_of_credentials() {
    let address = "127.0.0.1:6443".parse().unwrap();
    let plain = kubeconfig(address, &Credentials::default());
    assert!(plain.contains("server: http://127.0.0.1:6443\n"));
    let token = Credentials {
        token: Some("secret".to_owned()),
        certificate: Some(("certificate".to_owned(), "key".to_owned())),
        authority: Some("authority".to_owned()),
    };
    let full = kubeconfig(address, &token);
    for line in [
        "    server: https://127.0.0.1:6443\n",
        "    certificate-authority-data: YXV0aG9yaXR5\n",
        "    token: secret\n",
        "    client-certificate-data: Y2VydGlmaWNhdGU=\n",
        "    client-key-data: a2V5\n",
    ] {
        assert!(full.contains(line), "{full}");
    }
}

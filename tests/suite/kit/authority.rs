//! A certificate authority of a test's own: a server's TLS settings and clients' certificates.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

/// An authority that lives as long as the test.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate the authority signed, and its key.
pub struct Identity {
    /// The certificate in DER, as servers see it.
    pub der: CertificateDer<'static>,
    /// Certificate and key in PEM, as kubeconfigs hold them.
    pub pem: (String, String),
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key is made");
        Self(CertifiedIssuer::self_signed(params, key).expect("it signs itself"))
    }

    /// Its own certificate in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The certificate and the key, in PEM, of a server with this name.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn server_pem(&self, name: &str) -> (String, String) {
        self.server_pem_of(&[name])
    }

    /// The same for a server with several names.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn server_pem_of(&self, names: &[&str]) -> (String, String) {
        let names = names.iter().flat_map(|name| named(name)).collect();
        let (identity, _) = self.sign(names, ExtendedKeyUsagePurpose::ServerAuth);
        identity.pem
    }

    /// The certificate and the key, in PEM, of the agent of a node.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn agent_pem(&self, node: &str) -> (String, String) {
        let uri = format!("nodegrace://node/{node}");
        let uri = SanType::URI(uri.try_into().expect("a node's name makes a URI"));
        let (identity, _) = self.sign(vec![uri], ExtendedKeyUsagePurpose::ClientAuth);
        identity.pem
    }

    /// A client's certificate.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn client(&self, name: &str) -> Identity {
        self.sign(named(name), ExtendedKeyUsagePurpose::ClientAuth)
            .0
    }

    /// TLS settings of an API server at 127.0.0.1 that asks for a client certificate and can do without.
    ///
    /// # Panics
    /// When they cannot be made.
    pub fn server(&self) -> Arc<ServerConfig> {
        let (identity, key) = self.sign(named("127.0.0.1"), ExtendedKeyUsagePurpose::ServerAuth);
        let mut roots = RootCertStore::empty();
        roots
            .add(self.0.der().clone())
            .expect("an authority is a root");
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&ring))
                .allow_unauthenticated()
                .build()
                .expect("a verifier needs one root");
        let mut server = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![identity.der], key)
            .expect("key and certificate belong together");
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(server)
    }

    fn sign(
        &self,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
    ) -> (Identity, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().expect("a key is made");
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![usage];
        let certificate = params
            .signed_by(&key, &self.0)
            .expect("the authority signs");
        let identity = Identity {
            der: certificate.der().clone(),
            pem: (certificate.pem(), key.serialize_pem()),
        };
        (identity, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// The one name, which may be an address.
fn named(name: &str) -> Vec<SanType> {
    let params = CertificateParams::new(vec![name.to_owned()]);
    params.expect("the name is fine").subject_alt_names
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

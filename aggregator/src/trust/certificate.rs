//! A client's certificate and the node it names.

use std::{sync::Arc, time::UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, UnixTime};
use tonic::Status;
use webpki::EndEntityCert;

use crate::aggregator::Parts;

/// How a certificate names its node: by one URI among its subject's alternative names. Only a certificate that was made for an
/// agent has one, whatever else the authority signs; a common name or a DNS name may mean other things.
const NODE_URI: &str = "nodegrace://node/";

/// The node that a chain of certificates is about. What the handshake found is checked again: a certificate ends, authorities
/// change, and a resumed session takes what an earlier one found.
pub(super) fn node(chain: &[CertificateDer<'static>], parts: &Parts) -> Result<Arc<str>, Status> {
    let Some((own, intermediates)) = chain.split_first() else {
        return Err(Status::unauthenticated("no client certificate was shown"));
    };
    let authorities = parts.config.tls.as_ref().and_then(crate::Tls::clients);
    let authorities = authorities
        .ok_or_else(|| Status::unauthenticated("no authority of client certificates is known"))?;
    let now = parts.clock.wall().duration_since(UNIX_EPOCH);
    let now = UnixTime::since_unix_epoch(now.unwrap_or_default());
    authorities
        .verify_client_cert(own, intermediates, now)
        .map_err(|error| Status::unauthenticated(format!("the client certificate: {error}")))?;
    named(own).map(Arc::from).ok_or_else(|| {
        Status::unauthenticated(format!(
            "the client certificate names no node by one URI {NODE_URI}NAME"
        ))
    })
}

/// The one node that a certificate names.
fn named(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let mut names = certificate
        .valid_uri_names()
        .filter_map(|uri| uri.strip_prefix(NODE_URI));
    let name = names.next().filter(|name| !name.is_empty())?;
    names.next().is_none().then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: &[SanType]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn uri(uri: &str) -> SanType {
        SanType::URI(uri.try_into().unwrap())
    }

    #[test]
    fn a_certificate_names_a_node_by_one_uri_and_by_nothing_else() {
        let named = |names: &[SanType]| named(&certificate(names));
        let dns = SanType::DnsName("worker-8".try_into().unwrap());
        let seven = uri("nodegrace://node/worker-7");
        assert_eq!(
            named(&[uri("spiffe://cluster/agent"), seven.clone(), dns.clone()]),
            Some("worker-7".into())
        );
        for nobody in [
            vec![],
            vec![dns],
            vec![uri("nodegrace://node/")],
            vec![uri("x-nodegrace://node/worker-7")],
            vec![seven.clone(), uri("nodegrace://node/worker-8")],
        ] {
            assert_eq!(named(&nobody), None, "{nobody:?}");
        }
    }
}

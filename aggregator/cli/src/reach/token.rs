//! The bearer token that is shown to an aggregator, if the user gives one. The kubeconfig's own token is never shown: an
//! aggregator that was taken over would be the user then.

use std::fs;

use anyhow::{Context as _, bail};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
};

use super::Trust;
use crate::args::ReachArgs;

/// Puts the token, if there is one, on every question.
#[derive(Clone, Debug, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// The token to show over a way that is trusted so far.
pub(super) fn bearer(args: &ReachArgs, trust: Trust) -> anyhow::Result<Bearer> {
    let token = match (&args.token, &args.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => {
            fs::read_to_string(path).with_context(|| format!("--token-file {}", path.display()))?
        }
        (None, None) => return Ok(Bearer::default()),
    };
    if trust == Trust::Open {
        bail!(
            "the way to the aggregator is not encrypted, and whoever is on it would read the token: use TLS (https://...), or leave \
             out --token and --token-file; through a port-forward none is asked for by default"
        );
    }
    if trust == Trust::Unchecked && !args.insecure_skip_tls_verify {
        bail!(
            "the aggregator's certificate is not checked without --ca, and a token is not shown to just anybody: give --ca, or leave \
             out --token and --token-file; through a port-forward none is asked for by default"
        );
    }
    let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.trim())
        .parse()
        .context("the token has characters that no header may have")?;
    value.set_sensitive(true);
    Ok(Bearer(Some(value)))
}

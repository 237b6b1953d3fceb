//! The name of a node as typed.

/// As `kubectl get -o name` writes it, too.
pub(crate) fn node_name(text: &str) -> Result<String, String> {
    match text.trim_start_matches("node/") {
        "" => Err("is empty".to_owned()),
        name => Ok(name.to_owned()),
    }
}

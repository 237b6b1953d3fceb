//! The forms of the deployment, as kustomize and Helm render them.

use std::fs;

use anyhow::Context as _;
use serde_json::Value;

use super::programs::output_of;

/// The default form.
pub(super) const DEFAULT: &str = "deploy";

/// Where the overlays are, a folder each.
const OVERLAYS: &str = "deploy/overlays";

/// Every form there is: the default one and the overlays.
pub(super) fn all() -> anyhow::Result<Vec<String>> {
    let mut forms = vec![DEFAULT.to_owned()];
    for overlay in fs::read_dir(in_repository(OVERLAYS)).context(OVERLAYS)? {
        let name = overlay?.file_name();
        forms.push(format!("{OVERLAYS}/{}", name.to_string_lossy()));
    }
    forms.sort();
    Ok(forms)
}

/// Every object of a form.
pub(super) fn kustomized(form: &str) -> anyhow::Result<Vec<Value>> {
    parsed(&output_of("kubectl", ["kustomize", &in_repository(form)])?)
}

/// Every object of the chart with these values, as `--set` takes them, and with its namespace.
pub(super) fn templated(values: &[&str]) -> anyhow::Result<Vec<Value>> {
    let chart = in_repository("deploy/helm/nodegrace");
    let mut args = vec!["template", "nodegrace", &chart, "--namespace", "nodegrace"];
    for value in ["namespace.create=true"].iter().chain(values) {
        args.extend(["--set", value]);
    }
    parsed(&output_of("helm", args)?)
}

fn parsed(documents: &str) -> anyhow::Result<Vec<Value>> {
    Ok(serde_saphyr::from_multiple(documents)?)
}

fn in_repository(path: &str) -> String {
    format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))
}

/// The texts of a list; none where there is no list.
pub(super) fn strings(list: &Value) -> Vec<&str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

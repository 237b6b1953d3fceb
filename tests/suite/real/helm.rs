//! The chart against the kustomize forms: object by object the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;

use super::forms::{DEFAULT, all, kustomized, strings, templated};

/// Every form, and the values that give it.
const FORMS: [(&str, &[&str]); 9] = [
    (DEFAULT, &[]),
    ("deploy/overlays/cri", &["cri.enabled=true"]),
    (
        "deploy/overlays/durable",
        &["durable.enabled=true", "ha.enabled=true"],
    ),
    (
        "deploy/overlays/k3s",
        &["host.enabled=true", "durable.enabled=true"],
    ),
    (
        "deploy/overlays/managed",
        &[PRODUCTION, "aggregator.extraArgs={--grace-period=50s}"],
    ),
    (
        "deploy/overlays/monitored",
        &[
            PRODUCTION,
            "endpoints.enabled=true,prometheusOperator.enabled=true",
        ],
    ),
    ("deploy/overlays/own-node", &["ownNode.enabled=true"]),
    ("deploy/overlays/production", &[PRODUCTION]),
    ("deploy/overlays/tls", &["tls.enabled=true"]),
];

const PRODUCTION: &str =
    "tls.enabled=true,certManager.enabled=true,durable.enabled=true,ha.enabled=true";

/// What Helm wants on its objects and kustomize has no use for: the only difference there may be.
const OF_HELM: [&str; 2] = ["app.kubernetes.io/managed-by", "helm.sh/chart"];

#[test]
fn the_chart_gives_the_objects_of_every_form_and_no_others() -> anyhow::Result<()> {
    let known: BTreeSet<_> = FORMS.iter().map(|(form, _)| (*form).to_owned()).collect();
    assert_eq!(known, BTreeSet::from_iter(all()?), "forms to compare");
    for (form, values) in FORMS {
        let (wanted, given) = (by_name(kustomized(form)?), by_name(templated(values)?));
        let names = |objects: &Objects| objects.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&given), names(&wanted), "{form}");
        for (name, object) in wanted {
            if let Some(difference) = difference(&given[&name], &object) {
                panic!("{form}: {name:?}{difference}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_value_that_the_chart_does_not_know_is_refused() {
    for wrong in [
        "tls.enable=true",
        "certManager.enabled=true",
        "ha.replicas=1",
        "cri.socket=containerd.sock",
        // Folders that hold more than a runtime: their like would be mounted.
        "cri.socket=/containerd.sock",
        "cri.socket=/run/x.sock",
        "cri.socket=//run/x.sock",
        "cri.socket=/run/./x.sock",
        "cri.socket=/run/crio/../x.sock",
        "cri.socket=/run/crio/..",
        "cri.socket=/run/crio/",
    ] {
        let error = templated(&[wrong]).expect_err(wrong).to_string();
        assert!(error.contains("schema"), "{wrong}: {error}");
    }
}

#[test]
fn another_runtimes_socket_is_asked_and_its_folder_mounted() -> anyhow::Result<()> {
    let socket = "cri.socket=/run/crio/crio.sock";
    let objects = by_name(templated(&["cri.enabled=true", socket])?);
    let agents = objects.values().find(|one| one["kind"] == "DaemonSet");
    let pod = &agents.context("there are agents")?["spec"]["template"]["spec"];
    let named = |list: &Value, name: &str| {
        let items = list.as_array().into_iter().flatten();
        let mut items = items.filter(|item| item["name"] == name);
        items.next().cloned().unwrap_or_default()
    };
    let bridge = named(&pod["containers"], "cri-bridge");
    let args = strings(&bridge["args"]);
    assert!(
        args.contains(&"--cri-socket=/run/crio/crio.sock"),
        "{args:?}"
    );
    let mount = named(&bridge["volumeMounts"], "runtime");
    assert_eq!(mount["mountPath"], "/run/crio");
    let volume = named(&pod["volumes"], "runtime");
    assert_eq!(volume["hostPath"]["path"], "/run/crio");
    // What Kubernetes would mount here is a token.
    let mounts = bridge["volumeMounts"].as_array();
    let over = mounts.into_iter().flatten().find(|mount| {
        let path = "/var/run/secrets/kubernetes.io/serviceaccount";
        mount["mountPath"] == path
    });
    assert_eq!(over.context("no token")?["name"], "no-token");
    let volume = named(&pod["volumes"], "no-token");
    assert!(volume["emptyDir"].is_object(), "{volume}");
    Ok(())
}

/// Where the chart's object first differs from the one wanted, and how.
fn difference(given: &Value, wanted: &Value) -> Option<String> {
    let nothing = &Value::Null;
    match (given, wanted) {
        (Value::Object(given), Value::Object(wanted)) => {
            let keys: BTreeSet<_> = given.keys().chain(wanted.keys()).collect();
            keys.into_iter().find_map(|key| {
                let of = |object: &serde_json::Map<_, _>| object.get(key).cloned();
                let [given, wanted] = [given, wanted].map(|object| of(object).unwrap_or_default());
                difference(&given, &wanted).map(|rest| format!(".{key}{rest}"))
            })
        }
        (Value::Array(given), Value::Array(wanted)) => {
            (0..given.len().max(wanted.len())).find_map(|index| {
                let [given, wanted] =
                    [given, wanted].map(|items| items.get(index).unwrap_or(nothing));
                difference(given, wanted).map(|rest| format!("[{index}]{rest}"))
            })
        }
        _ => (given != wanted).then(|| format!(" is {given} and not {wanted}")),
    }
}

/// Objects by kind, namespace and name.
type Objects = BTreeMap<(String, String, String), Value>;

fn by_name(objects: Vec<Value>) -> Objects {
    let named = objects.into_iter().map(|mut object| {
        if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
            labels.retain(|label, _| !OF_HELM.contains(&label.as_str()));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let name = (
            text(&object["kind"]),
            text(&metadata["namespace"]),
            text(&metadata["name"]),
        );
        (name, object)
    });
    named.collect()
}

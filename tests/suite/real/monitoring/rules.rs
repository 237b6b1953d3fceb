//! The alerts: unit tests by promtool, the operator's form against the plain one, and a runbook for each.

use std::fs;

use serde_json::Value;

use crate::real::programs::output_of;

/// The rules as Prometheus loads them.
pub(super) const PLAIN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/monitoring/rules.yaml"
);

#[test]
fn every_alert_fires_when_it_must_and_only_then() -> anyhow::Result<()> {
    output_of("promtool", ["check", "rules", PLAIN])?;
    let tests = PLAIN.replace("rules.yaml", "rules.test.yaml");
    output_of("promtool", ["test", "rules", &tests])?;

    let tests: Value = read(&tests)?;
    let tests = tests["tests"].as_array().into_iter().flatten();
    let expected = |test: &Value| {
        let asked = &test["alert_rule_test"][0];
        let fires = !asked["exp_alerts"].is_null();
        (asked["alertname"].clone(), fires)
    };
    let tested: Vec<_> = tests.map(expected).collect();
    for name in alerts()?.iter().map(|alert| &alert["alert"]) {
        for fires in [true, false] {
            assert!(tested.contains(&(name.clone(), fires)), "{name}: {fires}");
        }
    }
    Ok(())
}

#[test]
fn the_operator_is_given_the_same_alerts() -> anyhow::Result<()> {
    let plain = read(PLAIN)?;
    let operators = read(&PLAIN.replace(
        "monitoring/rules.yaml",
        "components/prometheus-operator/prometheusrule.yaml",
    ))?;
    assert_eq!(operators["spec"]["groups"], plain["groups"]);
    Ok(())
}

#[test]
fn every_alert_names_its_runbook() -> anyhow::Result<()> {
    let runbooks = fs::read_to_string(PLAIN.replace("rules.yaml", "runbooks.md"))?;
    for alert in alerts()? {
        let name = alert["alert"].as_str().unwrap_or_default();
        assert!(runbooks.contains(&format!("\n## {name}\n")), "{name}");
        let anchor = format!("deploy/monitoring/runbooks.md#{}", name.to_lowercase());
        assert_eq!(alert["annotations"]["runbook"], anchor.as_str());
    }
    Ok(())
}

fn alerts() -> anyhow::Result<Vec<Value>> {
    let rules = read(PLAIN)?;
    let alerts = rules["groups"][0]["rules"].as_array().cloned();
    let alerts = alerts.unwrap_or_default();
    anyhow::ensure!(!alerts.is_empty(), "there are alerts");
    Ok(alerts)
}

fn read(path: &str) -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(&fs::read_to_string(path)?)?)
}

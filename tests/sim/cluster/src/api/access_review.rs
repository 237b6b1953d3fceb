//! Questions about what somebody may do, answered by the rules that the server itself goes by.

use serde_json::{Value, json};

use super::{
    access::Access,
    permission::{Attempt, On},
    refusal::Refusal,
};

/// The status of a `SubjectAccessReview` with this spec.
pub(super) fn whether(access: &Access, spec: &Value) -> Result<Value, Refusal> {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let user = text(&spec["user"]);
    let groups: Vec<_> = spec["groups"].as_array().into_iter().flatten().collect();
    let groups: Vec<_> = groups.into_iter().map(text).collect();
    if user.is_empty() && groups.is_empty() {
        let problem =
            "spec.user: Invalid value: \"\": at least one of user or group must be specified";
        return Err(Refusal::Invalid(problem.to_owned()));
    }
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let allowed = match (resource.is_object(), path.is_object()) {
        (true, false) => {
            let [verb, group, plural, namespace] =
                ["verb", "group", "resource", "namespace"].map(|key| text(&resource[key]));
            let on = On::Objects {
                group: &group,
                plural: &plural,
                namespace: Some(&*namespace).filter(|one| !one.is_empty()),
            };
            access.allows(&user, &groups, Attempt { verb: &verb, on })
        }
        (false, true) => {
            let [verb, path] = ["verb", "path"].map(|key| text(&path[key]));
            let on = On::Path(&path);
            access.allows(&user, &groups, Attempt { verb: &verb, on })
        }
        _ => {
            let problem = "spec.resourceAttributes: Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be \
                           specified";
            return Err(Refusal::Invalid(problem.to_owned()));
        }
    };
    Ok(if allowed {
        let reason = format!(
            "RBAC: allowed by ClusterRoleBinding \"simulated\" of ClusterRole \"simulated\" to User \"{user}\""
        );
        json!({"allowed": true, "reason": reason})
    } else {
        json!({"allowed": false})
    })
}

#[cfg(test)]
mod tests {
    use super::{super::permission::Permission, *};

    fn access() -> Access {
        Access::closed()
            .permit("alice", Permission::on(&["get"], "nodegrace.io", "fleet"))
            .permit("monitoring", Permission::at_path(&["get"], "/metrics"))
    }

    #[test]
    fn what_a_user_or_a_group_of_his_may_do_is_told_with_a_reason() {
        let fleet = json!({"group": "nodegrace.io", "resource": "fleet", "verb": "get"});
        let metrics = json!({"path": "/metrics", "verb": "get"});
        for (user, group, allowed) in [
            ("alice", "others", [true, false]),
            ("bob", "monitoring", [false, true]),
            ("alice", "monitoring", [true, true]),
        ] {
            let who = json!({"user": user, "groups": [group]});
            let ask = |attributes: &str, of: &Value| {
                let mut spec = who.clone();
                spec[attributes] = of.clone();
                let status = whether(&access(), &spec).unwrap();
                let told = status["reason"]
                    .as_str()
                    .is_some_and(|why| why.contains(user));
                assert_eq!(told, status["allowed"], "{status}");
                status["allowed"] == true
            };
            let answers = [
                ask("resourceAttributes", &fleet),
                ask("nonResourceAttributes", &metrics),
            ];
            assert_eq!(answers, allowed, "{user} of {group}");
        }
    }

    #[test]
    fn a_question_about_nobody_or_nothing_is_invalid() {
        let fleet = json!({"resource": "fleet", "verb": "get"});
        for spec in [
            json!({"resourceAttributes": fleet}),
            json!({"user": "alice"}),
            json!({"user": "alice", "resourceAttributes": fleet, "nonResourceAttributes": {"path": "/"}}),
        ] {
            assert!(whether(&access(), &spec).is_err(), "{spec}");
        }
    }
}

//! Reviews: questions about a token. They are answered and kept nowhere.

use std::{collections::BTreeMap, time::Duration};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{access::Access, refusal::Refusal};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Whose token it is.
    Token,
}

/// Whose a token of a service account is, and what it is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Namespace and name of the service account.
    pub name: (String, String),
    /// For whom the token was made.
    pub audiences: Vec<String>,
    /// What the server knows besides, such as `authentication.kubernetes.io/node-name`.
    pub extra: BTreeMap<String, String>,
    /// When it ends, on the cluster's clock. Absent: never.
    pub expires: Option<Duration>,
}

impl Account {
    /// The user's name.
    pub fn user(&self) -> String {
        let (namespace, name) = &self.name;
        format!("system:serviceaccount:{namespace}:{name}")
    }
}

impl Review {
    /// The review at a path; none for other paths.
    pub(super) fn at(path: &str) -> Option<Self> {
        let (group, plural, _) = Self::Token.names();
        let known = format!("apis/{group}/v1/{plural}");
        (path.trim_matches('/') == known).then_some(Self::Token)
    }

    /// Group, plural and kind.
    pub(super) const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Token => ("authentication.k8s.io", "tokenreviews", "TokenReview"),
        }
    }

    /// Answers it at a moment of the cluster's clock.
    pub(super) fn answer(
        self,
        access: &Access,
        user: &str,
        method: &Method,
        body: &[u8],
        now: Duration,
    ) -> Result<(StatusCode, Value), Refusal> {
        if method != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        access.authorize_review(user, self)?;
        let mut document: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::Invalid(format!("the request body is no JSON: {error}")))?;
        let (group, _, kind) = self.names();
        document["apiVersion"] = format!("{group}/v1").into();
        document["kind"] = kind.into();
        document["status"] = match self {
            Self::Token => whose(access, &document["spec"], now)?,
        };
        Ok((StatusCode::CREATED, document))
    }
}

fn whose(access: &Access, spec: &Value, now: Duration) -> Result<Value, Refusal> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        let problem = "token is required for TokenReview in authentication";
        return Err(Refusal::Invalid(problem.to_owned()));
    }
    let unknown =
        |why: &str| json!({"user": {}, "error": format!("[invalid bearer token, {why}]")});
    let Some(account) = access.account(token) else {
        return Ok(json!({"user": {}, "error": "invalid bearer token"}));
    };
    if account.expires.is_some_and(|end| end <= now) {
        return Ok(unknown("service account token has expired"));
    }
    let asked = spec["audiences"].as_array().cloned().unwrap_or_default();
    let common: Vec<_> = asked
        .iter()
        .filter(|asked| account.audiences.iter().any(|own| *asked == own))
        .collect();
    if common.is_empty() {
        return Ok(unknown(&format!(
            "token audiences {:?} is invalid for the target audiences {}",
            account.audiences,
            Value::from(asked.clone())
        )));
    }
    let extra = account.extra.iter();
    let extra: BTreeMap<_, _> = extra.map(|(key, value)| (key, [value])).collect();
    let (namespace, _) = &account.name;
    Ok(json!({
        "authenticated": true,
        "user": {
            "username": account.user(),
            "uid": "5a1ff3a1-93cb-4b2c-a6a1-0e0a2b1f5b1c",
            "groups": [
                "system:serviceaccounts",
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated",
            ],
            "extra": extra,
        },
        "audiences": common,
    }))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{access::Permission, resource::Resource},
        *,
    };

    const REVIEWER: &str = "system:serviceaccount:a:reviewer";

    fn access() -> Access {
        let account = Account {
            name: ("a".into(), "agent".into()),
            audiences: vec!["ours".into(), "theirs".into()],
            extra: [("node".into(), "worker-7".into())].into(),
            expires: Some(Duration::from_secs(60)),
        };
        Access::closed()
            .with_account("token", account)
            .permit_review(REVIEWER, Review::Token)
    }

    fn review(user: &str, spec: &Value, second: u64) -> Result<Value, Refusal> {
        let body = json!({ "spec": spec }).to_string();
        let now = Duration::from_secs(second);
        let answer = Review::Token.answer(&access(), user, &Method::POST, body.as_bytes(), now);
        answer.map(|(_, document)| document["status"].clone())
    }

    #[test]
    fn a_token_is_told_with_its_user_and_the_audiences_that_were_asked_for() {
        let spec = json!({"token": "token", "audiences": ["ours", "others"]});
        let status = review(REVIEWER, &spec, 0).unwrap();
        assert_eq!(status["authenticated"], true);
        assert_eq!(status["audiences"], json!(["ours"]));
        assert_eq!(status["user"]["username"], "system:serviceaccount:a:agent");
        assert_eq!(status["user"]["extra"], json!({"node": ["worker-7"]}));
    }

    #[test]
    fn a_token_of_no_worth_is_told_by_an_error_and_no_user() {
        let ours = json!({"token": "token", "audiences": ["ours"]});
        let others = json!({"token": "token", "audiences": ["others"]});
        let unknown = json!({"token": "unknown", "audiences": ["ours"]});
        for (spec, second, words) in [
            (ours, 60, "service account token has expired"),
            (others, 0, "is invalid for the target audiences"),
            (unknown, 0, "invalid bearer token"),
        ] {
            let status = review(REVIEWER, &spec, second).unwrap();
            assert!(status["authenticated"].is_null(), "{status}");
            let error = status["error"].as_str().unwrap();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn whoever_may_read_nodes_only_is_refused() {
        let agent = "system:serviceaccount:a:agent";
        let access = access().permit(agent, Permission::new(&["list"], Resource::Node));
        let error = access.authorize_review(agent, Review::Token).unwrap_err();
        let words =
            "cannot create resource \"tokenreviews\" in API group \"authentication.k8s.io\"";
        assert!(error.to_string().contains(words), "{error}");
        assert!(access.authorize_review(REVIEWER, Review::Token).is_ok());
    }
}

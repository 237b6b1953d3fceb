//! Reviews: questions about a token, and about what somebody may do. They are answered and kept nowhere.

use std::{collections::BTreeMap, time::Duration};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    access::{Access, groups},
    access_review,
    refusal::Refusal,
};

/// For whom tokens are made unless asked otherwise: the API server itself.
pub const API_AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

/// What is told of a token's node from Kubernetes 1.30 on.
const NODE_KEYS: [&str; 2] = [
    "authentication.kubernetes.io/node-name",
    "authentication.kubernetes.io/node-uid",
];

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Whose token it is.
    Token,
    /// Whether somebody may do something.
    Access,
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
        [Self::Token, Self::Access].into_iter().find(|review| {
            let (group, plural, _) = review.names();
            path.trim_matches('/') == format!("apis/{group}/v1/{plural}")
        })
    }

    /// Group, plural and kind.
    pub(super) const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Token => ("authentication.k8s.io", "tokenreviews", "TokenReview"),
            Self::Access => (
                "authorization.k8s.io",
                "subjectaccessreviews",
                "SubjectAccessReview",
            ),
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
            Self::Access => access_review::whether(access, &document["spec"])?,
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
    let somebody;
    let account = match (access.account(token), access.user(token)) {
        (Some(account), _) => account,
        (None, Some(_)) => {
            somebody = Account {
                audiences: vec![API_AUDIENCE.to_owned()],
                ..Account::default()
            };
            &somebody
        }
        (None, None) => return Ok(json!({"user": {}, "error": "invalid bearer token"})),
    };
    if account.expires.is_some_and(|end| end <= now) {
        return Ok(unknown("service account token has expired"));
    }
    let mut asked = spec["audiences"].as_array().cloned().unwrap_or_default();
    if asked.is_empty() {
        asked.push(API_AUDIENCE.into());
    }
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
    let told = |key: &str| access.names_nodes() || !NODE_KEYS.contains(&key);
    let extra = account.extra.iter().filter(|(key, _)| told(key));
    let extra: BTreeMap<_, _> = extra.map(|(key, value)| (key, [value])).collect();
    let user = access.user(token).unwrap_or_default();
    Ok(json!({
        "authenticated": true,
        "user": {
            "username": user,
            "uid": "5a1ff3a1-93cb-4b2c-a6a1-0e0a2b1f5b1c",
            "groups": groups(user),
            "extra": extra,
        },
        "audiences": common,
    }))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{permission::Permission, resource::Resource},
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
        answered(&access(), user, spec, second)
    }

    fn answered(access: &Access, user: &str, spec: &Value, second: u64) -> Result<Value, Refusal> {
        let body = json!({ "spec": spec }).to_string();
        let now = Duration::from_secs(second);
        let answer = Review::Token.answer(access, user, &Method::POST, body.as_bytes(), now);
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

    #[test]
    fn without_an_audience_a_token_must_be_for_the_api_server() {
        let access = access().with_token("alices", "alice");
        let status = answered(&access, REVIEWER, &json!({"token": "alices"}), 0).unwrap();
        assert_eq!(status["user"]["username"], "alice");
        assert_eq!(status["audiences"], json!([API_AUDIENCE]));
        let status = answered(&access, REVIEWER, &json!({"token": "token"}), 0).unwrap();
        assert!(status["authenticated"].is_null(), "{status}");
    }

    #[test]
    fn an_older_server_does_not_tell_the_node() {
        let account = Account {
            audiences: vec!["ours".into()],
            extra: NODE_KEYS
                .map(|key| (key.to_owned(), "worker-7".to_owned()))
                .into(),
            ..Account::default()
        };
        let access = access().with_account("token", account);
        let spec = json!({"token": "token", "audiences": ["ours"]});
        let extra = |access: &Access| {
            let status = answered(access, REVIEWER, &spec, 0).unwrap();
            status["user"]["extra"].as_object().unwrap().len()
        };
        assert_eq!(extra(&access), 2);
        assert_eq!(extra(&access.naming_no_nodes()), 0);
    }
}

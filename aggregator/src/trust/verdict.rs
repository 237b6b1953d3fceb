//! What a review says of an agent's token.

use std::sync::Arc;

use k8s_openapi::api::authentication::v1::TokenReviewStatus;

use super::review::AUDIENCE;

/// Where the API server says of which node a token's pod is: from Kubernetes 1.30 on, unless it is switched off.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

/// What is to be thought of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is that of the agent of this node.
    Node(Arc<str>),
    /// It is of no worth here.
    Refused(Arc<str>),
    /// Nobody knows now.
    Unknown(Arc<str>),
}

/// The verdict on the token that was reviewed, where only those of `user` are believed.
pub(super) fn of(status: TokenReviewStatus, user: &str) -> Verdict {
    let refused = |why: String| Verdict::Refused(why.into());
    if status.authenticated != Some(true) {
        let why = status.error.unwrap_or_default();
        return refused(format!("the token is not valid: {why}"));
    }
    // An API server that knows no audiences names none and has not checked any.
    let audiences = status.audiences.unwrap_or_default();
    if !audiences.iter().any(|audience| audience == AUDIENCE) {
        return refused(format!("the token is not for the audience {AUDIENCE}"));
    }
    let about = status.user.unwrap_or_default();
    let name = about.username.unwrap_or_default();
    if name != user {
        return refused(format!("the token is {name}'s and not {user}'s"));
    }
    let nodes = about.extra.unwrap_or_default().remove(NODE_NAME);
    match nodes.unwrap_or_default().as_slice() {
        [node] if !node.is_empty() => Verdict::Node(node.as_str().into()),
        _ => refused(format!(
            "the API server does not say on which node the token's pod is: {NODE_NAME} is missing, as before Kubernetes 1.30 and \
             for tokens of no pod"
        )),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

    const AGENT: &str = "system:serviceaccount:nodegrace:nodegrace-agent";

    fn good() -> TokenReviewStatus {
        TokenReviewStatus {
            authenticated: Some(true),
            audiences: Some(vec![AUDIENCE.into()]),
            user: Some(UserInfo {
                username: Some(AGENT.into()),
                extra: Some([(NODE_NAME.into(), vec!["worker-7".into()])].into()),
                ..UserInfo::default()
            }),
            error: None,
        }
    }

    #[test]
    fn a_token_is_believed_when_all_of_it_is_right() {
        assert_eq!(of(good(), AGENT), Verdict::Node("worker-7".into()));
    }

    #[test]
    fn whatever_is_missing_or_wrong_is_told() {
        let spoilt = |spoil: fn(&mut TokenReviewStatus)| {
            let mut status = good();
            spoil(&mut status);
            match of(status, AGENT) {
                Verdict::Refused(why) => why,
                other => panic!("{other:?}"),
            }
        };
        assert!(spoilt(|status| status.authenticated = None).contains("not valid"));
        assert!(spoilt(|status| status.authenticated = Some(false)).contains("not valid"));
        assert!(spoilt(|status| status.audiences = None).contains("audience"));
        assert!(
            spoilt(|status| status.audiences = Some(vec!["other".into()])).contains("audience")
        );
        assert!(spoilt(|status| status.user = None).contains("not system:"));
        let nodes = |nodes: &[&str]| {
            let mut status = good();
            let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
            let extra = Some([(NODE_NAME.to_owned(), nodes)].into());
            status.user.as_mut().unwrap().extra = extra;
            of(status, AGENT)
        };
        for nobody in [&[][..], &[""], &["worker-7", "worker-8"]] {
            assert!(matches!(nodes(nobody), Verdict::Refused(_)), "{nobody:?}");
        }
    }
}

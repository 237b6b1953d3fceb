//! What a review says of an agent's token.

use std::sync::Arc;

use k8s_openapi::api::authentication::v1::TokenReviewStatus;

use super::{Refusal, agents::AUDIENCE, pod::NamedPod};

/// Where the API server says on which node a token's pod is: from Kubernetes 1.30 on, unless it is switched off.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Where it says which pod a token is of.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Where the agent is whose token was reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this node.
    Node(Arc<str>),
    /// On the node of this pod.
    Pod(NamedPod),
}

/// The verdict on the token that was reviewed, where only those of `user` are believed.
pub(super) fn of(status: TokenReviewStatus, user: &str) -> Result<Place, Refusal> {
    let refused = |why: String| Err(Refusal::unauthenticated(why));
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
    let mut extra = about.extra.unwrap_or_default();
    // Absent: it is missing, empty, or more than one.
    let mut told = |key: &str| match extra.remove(key).unwrap_or_default().as_mut_slice() {
        [value] if !value.is_empty() => Some(std::mem::take(value)),
        _ => None,
    };
    let pod = told(POD_NAME).zip(told(POD_UID));
    match (told(NODE_NAME), pod) {
        (Some(node), _) => Ok(Place::Node(node.into())),
        (None, Some((name, uid))) => Ok(Place::Pod(NamedPod { name, uid })),
        (None, None) => refused(format!(
            "the API server does not say on which node the token's pod is: {NODE_NAME} is missing, as for tokens of no pod"
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
        assert_eq!(of(good(), AGENT), Ok(Place::Node("worker-7".into())));
    }

    #[test]
    fn whatever_is_missing_or_wrong_is_told() {
        let spoilt = |spoil: fn(&mut TokenReviewStatus)| {
            let mut status = good();
            spoil(&mut status);
            match of(status, AGENT) {
                Err(refusal) => refusal.why().to_owned(),
                Ok(place) => panic!("{place:?}"),
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
            assert!(nodes(nobody).is_err(), "{nobody:?}");
        }
    }

    #[test]
    fn a_token_that_names_its_pod_only_is_a_reason_to_look() {
        let named = |extra: &[(&str, &str)]| {
            let mut status = good();
            let extra = extra
                .iter()
                .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]));
            status.user.as_mut().unwrap().extra = Some(extra.collect());
            of(status, AGENT)
        };
        let pod = NamedPod {
            name: "agent-x".into(),
            uid: "1".into(),
        };
        let whole = [(POD_NAME, "agent-x"), (POD_UID, "1")];
        assert_eq!(named(&whole), Ok(Place::Pod(pod)));
        for half in [&whole[..1], &whole[1..]] {
            assert!(named(half).is_err(), "{half:?}");
        }
    }
}

//! One request after another: who asks, which faults are in force, what is answered, what it cost.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request as HttpRequest, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, rt::Executor as _, upgrade::OnUpgrade};
use nodegrace_clock::Clock;

use super::{
    access::Access,
    answer::{Settings, answer},
    counters::{CostKey, Counters, Logged},
    discovery,
    faults::Faults,
    forward::{self, Target},
    impersonation::{Caller, Impersonated},
    object::Key,
    refusal::Refusal,
    request::Request,
    resource::Resource,
    respond::{Body, json_answer, refusal_answer, text_answer},
    review::Review,
    server::Spawner,
    store::Store,
};

/// Longest request body: the real server's limit.
const MAX_BODY: usize = 3 * 1024 * 1024;

/// The service behind all connections.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) store: Store,
    pub(super) clock: Clock,
    state: Mutex<State>,
}

/// What tests turn, and what is counted.
#[derive(Debug)]
pub(super) struct State {
    pub(super) access: Access,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    /// What listens on the ports of pods.
    pub(super) listening: HashMap<(Key, u16), SocketAddr>,
    pub(super) lease_api: bool,
    pub(super) streaming_lists: bool,
}

impl Service {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            state: Mutex::new(State {
                access: Access::default(),
                faults: Faults::default(),
                counters: Counters::default(),
                listening: HashMap::new(),
                lease_api: true,
                streaming_lists: true,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request, and counts it. What goes on after the answer is left to `spawner`.
    pub(super) async fn respond(
        self: Arc<Self>,
        mut request: HttpRequest<Incoming>,
        certificate: Option<&[u8]>,
        spawner: &Spawner,
    ) -> Result<Response<Body>, Infallible> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let path = head
            .uri
            .path_and_query()
            .map_or_else(|| head.uri.path().to_owned(), ToString::to_string);
        let user_agent = header_text(&head.headers, &header::USER_AGENT).to_owned();
        let identity = self.lock().access.identify(&head.headers, certificate);
        let user = identity.clone().unwrap_or_default();
        let impersonated = Impersonated::of(&head.headers);
        let in_the_name_of = impersonated.clone().ok().flatten();

        let parsed = Request::parse(&head.method, &head.uri);
        let method = head.method.as_str().to_lowercase();
        let (verb, object) = match &parsed {
            Ok(Some(request)) => (
                request.verb.name().to_owned(),
                request.resource.names().plural.to_owned(),
            ),
            _ => (method, head.uri.path().to_owned()),
        };
        let result = async {
            let verdict = self.lock().faults.judge(&path);
            if !verdict.delay.is_zero() {
                self.clock.sleep(verdict.delay).await;
            }
            if let Some(refusal) = verdict.refusal {
                return Err(refusal);
            }
            let user = identity?;
            let impersonated = impersonated?;
            match parsed? {
                Some(request) => {
                    self.authorize(&user, impersonated.as_ref(), &request, &head.headers)?;
                    self.objects(&request, &head.headers, body).await
                }
                None if impersonated.is_some() => Err(Refusal::Invalid(
                    "nobody is impersonated here but for objects".to_owned(),
                )),
                None => match Review::at(head.uri.path()) {
                    Some(review) => self.review(review, &user, &head.method, body).await,
                    None => match Target::at(&head.uri) {
                        Some(target) => {
                            self.forward(&user, target, &head.headers, upgrade, spawner)
                        }
                        None => self.documents(head.uri.path()),
                    },
                },
            }
        }
        .await;
        let response = result.unwrap_or_else(|refusal| refusal_answer(&refusal));

        let key: CostKey = (verb.clone(), object, user_agent.clone());
        let logged = Logged {
            at: self.clock.now(),
            verb,
            path,
            user_agent,
            user,
            impersonated: in_the_name_of.map(|whom| whom.user()),
            code: response.status().as_u16(),
        };
        self.lock().counters.book(logged, &key);
        Ok(self.weighed(response, key))
    }

    /// Counts the bytes of a body as they flow.
    fn weighed(self: Arc<Self>, response: Response<Body>, key: CostKey) -> Response<Body> {
        response.map(|body| {
            body.map_frame(move |frame| {
                if let Some(data) = frame.data_ref() {
                    self.lock().counters.weigh(&key, data.len() as u64);
                }
                frame
            })
            .boxed_unsync()
        })
    }

    fn authorize(
        &self,
        user: &str,
        whom: Option<&Impersonated>,
        request: &Request,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        let state = self.lock();
        if request.resource == Resource::Lease && !state.lease_api {
            return Err(Refusal::NoSuchPath);
        }
        let Some(whom) = whom else {
            return state.access.authorize(user, request);
        };
        let caller = Caller {
            user: user.to_owned(),
            node: state.access.node_of(headers),
        };
        state.access.authorize_as(&caller, whom, request)
    }

    async fn objects(
        &self,
        request: &Request,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Response<Body>, Refusal> {
        let settings = Settings {
            clock: self.clock.clone(),
            streaming_lists: self.lock().streaming_lists,
        };
        let body = whole(body).await?;
        answer(&self.store, &settings, request, headers, &body)
    }

    async fn review(
        &self,
        review: Review,
        user: &str,
        method: &Method,
        body: Incoming,
    ) -> Result<Response<Body>, Refusal> {
        let body = whole(body).await?;
        let now = self.clock.now();
        let (code, answer) = review.answer(&self.lock().access, user, method, &body, now)?;
        Ok(json_answer(code, &answer))
    }

    /// Forwards a port of a pod; what goes on is carried on after the answer.
    fn forward(
        &self,
        user: &str,
        target: Target,
        headers: &HeaderMap,
        upgrade: OnUpgrade,
        spawner: &Spawner,
    ) -> Result<Response<Body>, Refusal> {
        let listens = {
            let state = self.lock();
            state.access.authorize_forward(user, &target.pod)?;
            let listens = (target.pod.clone(), target.port);
            state.listening.get(&listens).copied()
        };
        self.store.get(Resource::Pod, &target.pod)?;
        let answer = forward::switch(headers)?;
        spawner.execute(forward::carry(upgrade, target, listens));
        Ok(answer)
    }

    fn documents(&self, path: &str) -> Result<Response<Body>, Refusal> {
        if matches!(path, "/healthz" | "/livez" | "/readyz") {
            return Ok(text_answer(
                StatusCode::OK,
                "text/plain; charset=utf-8",
                "ok".to_owned(),
            ));
        }
        let lease_api = self.lock().lease_api;
        discovery::document(path, lease_api)
            .map(|document| json_answer(StatusCode::OK, &document))
            .ok_or(Refusal::NoSuchPath)
    }
}

async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| {
        Refusal::Invalid(format!("the request body could not be read: {error}"))
    })?;
    Ok(body.to_bytes())
}

fn header_text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

//! What calls of this API's methods end with, counted by method and code.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures::{FutureExt as _, StreamExt as _, future::Map, stream};
use http_body_util::{BodyStream, StreamBody};
use hyper::{HeaderMap, Request, Response, body::Body as _};
use nodegrace_proto::{
    FILE_DESCRIPTOR_SET,
    prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto},
};
use prost::Message as _;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

/// Codes of gRPC: they are numbered from 0 on.
const CODES: usize = 17;

/// The names of the codes in metrics, as the libraries of other languages have them.
const NAMES: [&str; CODES] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// How many calls ended with what. What strangers make up is counted nowhere: the methods are those of the descriptors.
#[derive(Debug)]
pub(crate) struct Handled(BTreeMap<String, Method>);

/// A method, and how many of its calls ended with each code.
#[derive(Debug)]
pub(crate) struct Method {
    /// The full name of its service.
    pub(crate) service: String,
    /// Its name.
    pub(crate) name: String,
    /// `unary`, `client_stream`, `server_stream` or `bidi_stream`.
    pub(crate) kind: &'static str,
    codes: [AtomicU64; CODES],
}

impl Handled {
    /// No call of any method yet.
    pub(crate) fn new() -> Self {
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
        let own = |file: &FileDescriptorProto| file.package().starts_with("nodegrace.");
        let methods = files.file.into_iter().filter(own).flat_map(|file| {
            let package = file.package().to_owned();
            let services = file.service.into_iter();
            services.flat_map(move |service| {
                let name = format!("{package}.{}", service.name());
                let methods = service.method.into_iter();
                methods.map(move |method| Method::new(&name, &method))
            })
        });
        let path = |method: &Method| format!("/{}/{}", method.service, method.name);
        Self(methods.map(|method| (path(&method), method)).collect())
    }

    /// Every method.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.0.values()
    }

    fn count(&self, path: &str, code: Code) {
        if let Some(method) = self.0.get(path) {
            method.codes[code as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Method {
    fn new(service: &str, method: &MethodDescriptorProto) -> Self {
        Self {
            service: service.to_owned(),
            name: method.name().to_owned(),
            kind: match (method.client_streaming(), method.server_streaming()) {
                (false, false) => "unary",
                (true, false) => "client_stream",
                (false, true) => "server_stream",
                (true, true) => "bidi_stream",
            },
            codes: [const { AtomicU64::new(0) }; CODES],
        }
    }

    /// The codes its calls ended with, OK among them, and how many.
    pub(crate) fn codes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.codes.iter().map(|count| count.load(Ordering::Relaxed));
        let counted = |(number, (_, count)): &(usize, (_, u64))| *number == 0 || *count > 0;
        let codes = NAMES.into_iter().zip(counts).enumerate().filter(counted);
        codes.map(|(_, code)| code)
    }
}

/// Counts the calls of what is inside.
#[derive(Clone, Debug)]
pub(super) struct CountLayer(pub(super) Arc<Handled>);

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count {
            inner,
            handled: Arc::clone(&self.0),
        }
    }
}

/// What is inside a [`CountLayer`].
#[derive(Clone, Debug)]
pub(super) struct Count<S> {
    inner: S,
    handled: Arc<Handled>,
}

impl<S, Asked> Service<Request<Asked>> for Count<S>
where
    S: Service<Request<Asked>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Map<S::Future, Finish<S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Asked>) -> Self::Future {
        let call = Call {
            path: request.uri().path().to_owned(),
            handled: Arc::clone(&self.handled),
            // What nobody waits for any more.
            code: Code::Cancelled,
        };
        let finish: Finish<S::Error> =
            Box::new(move |outcome| outcome.map(|response| call.follow(response)));
        self.inner.call(request).map(finish)
    }
}

type Finish<E> = Box<dyn FnOnce(Result<Response<Body>, E>) -> Result<Response<Body>, E> + Send>;

/// A call that is counted when it is dropped.
struct Call {
    path: String,
    handled: Arc<Handled>,
    code: Code,
}

impl Call {
    /// Learns from a response what the call ends with: from its head, or from what follows its messages.
    fn follow(mut self, response: Response<Body>) -> Response<Body> {
        if let Some(code) = code(response.headers()) {
            self.ends_with(code);
        }
        response.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            let mut frames = BodyStream::new(body);
            Body::new(StreamBody::new(stream::poll_fn(move |context| {
                let frame = ready!(frames.poll_next_unpin(context));
                if let Some(Ok(frame)) = &frame
                    && let Some(trailers) = frame.trailers_ref()
                {
                    self.ends_with(code(trailers).unwrap_or(Code::Unknown));
                }
                Poll::Ready(frame)
            })))
        })
    }

    /// Called and not written out, for else a closure would hold the code alone, and the call would be counted before its end.
    const fn ends_with(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.handled.count(&self.path, self.code);
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    Status::from_header_map(headers).map(|status| status.code())
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    const PATH: &str = "/nodegrace.v1.Query/GetFleet";

    fn told(handled: &Handled) -> Vec<(&str, &'static str, u64)> {
        let methods = handled.methods();
        let codes = methods.flat_map(|method| {
            let codes = method.codes().filter(|(_, count)| *count > 0);
            codes.map(|(code, count)| (method.name.as_str(), code, count))
        });
        codes.collect()
    }

    async fn ask(
        handled: &Arc<Handled>,
        path: &str,
        answer: fn() -> Response<Body>,
    ) -> Response<Body> {
        let answers =
            service_fn(move |_: Request<()>| std::future::ready(Ok::<_, Status>(answer())));
        let request = Request::builder().uri(path).body(()).expect("a path");
        let service = CountLayer(Arc::clone(handled)).layer(answers);
        service.oneshot(request).await.expect("an answer")
    }

    #[tokio::test]
    async fn a_refusal_is_counted_by_its_head() {
        let handled = Arc::new(Handled::new());
        let refuse = || Status::not_found("nothing").into_http();
        drop(ask(&handled, PATH, refuse).await);
        assert_eq!(told(&handled), [("GetFleet", "NotFound", 1)]);
    }

    #[tokio::test]
    async fn an_answer_is_counted_by_what_follows_it_and_not_before() {
        let handled = Arc::new(Handled::new());
        let answer = || {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", hyper::header::HeaderValue::from_static("0"));
            let frames = [
                Ok::<_, Status>(hyper::body::Frame::data(hyper::body::Bytes::from_static(
                    b"message",
                ))),
                Ok(hyper::body::Frame::trailers(trailers)),
            ];
            Response::new(Body::new(StreamBody::new(stream::iter(frames))))
        };
        let response = ask(&handled, PATH, answer).await;
        assert_eq!(told(&handled), []);
        let mut frames = BodyStream::new(response.into_body());
        while frames.next().await.is_some() {}
        drop(frames);
        assert_eq!(told(&handled), [("GetFleet", "OK", 1)]);
        // Whoever goes before that has cancelled.
        drop(ask(&handled, PATH, answer).await);
        assert_eq!(
            told(&handled),
            [("GetFleet", "OK", 1), ("GetFleet", "Canceled", 1)]
        );
    }

    #[tokio::test]
    async fn what_strangers_make_up_makes_no_series() {
        let handled = Arc::new(Handled::new());
        let refuse = || Status::unimplemented("nothing").into_http();
        drop(ask(&handled, "/made.up/Path", refuse).await);
        assert_eq!(told(&handled), []);
        assert!(handled.methods().count() > 10);
    }
}

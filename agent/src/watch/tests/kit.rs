//! A scripted API server and a follower of a Lease.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use http::{Request, Response, Version};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{Channel, ChannelView, ReportBatch, Visibility};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::{
    config::Timeouts,
    journal::{BatchLimits, Journal},
    observe::{LeaseObserver, NodeObserver, Observer},
    rhythm::Rhythm,
    watch::{Fellows, Follower, Heart, Target},
};

/// One answer of the server.
pub(super) enum Answer {
    /// A whole answer with this code.
    Whole(u16, String),
    /// A watch: lines, each after so many seconds, and how it ends.
    Watch(Vec<(u64, String)>, End),
    /// What the filters of an overloaded API server say: plain text, and in a header after how many seconds to come back.
    Overloaded(u64),
    /// No answer at all.
    Silence,
    /// No connection.
    Refused,
    /// This, after so many seconds.
    Late(u64, Box<Answer>),
    /// This, over HTTP/1.1. All else is over HTTP/2.
    Http1(Box<Answer>),
}

/// How a watch ends, after its last line.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// After so many seconds, properly.
    After(u64),
    /// After so many seconds, with an error of the connection.
    Broken(u64),
    /// Never.
    Never,
}

/// A Lease as JSON, renewed so many seconds after the tests' wall clock began.
fn lease(version: u64, renewed: u64) -> serde_json::Value {
    let stamp = wall_start() + SignedDuration::from_secs(renewed.cast_signed());
    json!({
        "kind": "Lease",
        "metadata": {"name": "a", "uid": "u", "resourceVersion": version.to_string()},
        "spec": {"leaseDurationSeconds": 40, "renewTime": stamp.to_string()},
    })
}

fn wall_start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub(super) fn list(version: u64, renewed: u64) -> Answer {
    list_of(version, &[lease(version, renewed)])
}

pub(super) fn empty_list(version: u64) -> Answer {
    list_of(version, &[])
}

fn list_of(version: u64, items: &[serde_json::Value]) -> Answer {
    let body = json!({"metadata": {"resourceVersion": version.to_string()}, "items": items});
    Answer::Whole(200, body.to_string())
}

pub(super) fn status(code: u16, message: &str) -> Answer {
    Answer::Whole(code, failure(code, message).to_string())
}

fn failure(code: u16, message: &str) -> serde_json::Value {
    json!({"kind": "Status", "status": "Failure", "message": message, "code": code})
}

pub(super) fn modified(version: u64, renewed: u64) -> String {
    json!({"type": "MODIFIED", "object": lease(version, renewed)}).to_string()
}

pub(super) fn added(version: u64, renewed: u64) -> String {
    json!({"type": "ADDED", "object": lease(version, renewed)}).to_string()
}

pub(super) fn deleted(version: u64) -> String {
    json!({"type": "DELETED", "object": lease(version, 0)}).to_string()
}

pub(super) fn bookmark(version: u64) -> String {
    json!({"type": "BOOKMARK", "object": {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"resourceVersion": version.to_string()}}})
    .to_string()
}

pub(super) fn error(code: u16, message: &str) -> String {
    json!({"type": "ERROR", "object": failure(code, message)}).to_string()
}

/// What was asked and what was written down.
pub(super) struct Story {
    /// Path and query of every request.
    pub(super) requests: Vec<String>,
    /// Everything written down.
    pub(super) batch: ReportBatch,
    /// What is seen of the object at the end.
    pub(super) view: ChannelView,
    /// Seconds from the start to the heartbeat after which another is awaited at the end. `None`: none is.
    pub(super) awaited_since: Option<u64>,
}

impl Story {
    /// Seconds from the start to each arrival, whole, with whether it is a baseline.
    pub(super) fn arrivals(&self) -> Vec<(i64, bool)> {
        self.batch
            .heartbeats
            .iter()
            .map(|beat| (since_start(beat.arrival_monotonic.as_ref()), beat.baseline))
            .collect()
    }

    /// Seconds from the start to the start and end of each spell, whole, and whether it resumed.
    pub(super) fn spells(&self) -> Vec<(i64, i64, bool)> {
        let spell = |spell: &nodegrace_proto::v1::BlindSpell| {
            (
                since_start(spell.start_monotonic.as_ref()),
                since_start(spell.end_monotonic.as_ref()),
                spell.resumed,
            )
        };
        self.batch.blind_spells.iter().map(spell).collect()
    }

    /// resourceVersion of every watch.
    pub(super) fn watched_from(&self) -> Vec<&str> {
        self.requests
            .iter()
            .filter(|request| request.contains("watch=true"))
            .filter_map(|request| request.rsplit_once("resourceVersion=")?.1.split('&').next())
            .collect()
    }
}

/// A scaled clock's monotonic time starts at an hour.
fn since_start(time: Option<&nodegrace_proto::prost_types::Duration>) -> i64 {
    time.expect("a time").seconds - 3600
}

/// Lets a follower run for so many seconds against a server that answers by the script, and then no more.
pub(super) async fn follow(seconds: u64, script: Vec<Answer>) -> Story {
    follow_stepped(seconds, &[], script).await
}

/// As [`follow`], on a node whose wall clock is stepped: after so many seconds more, by so many seconds.
pub(super) async fn follow_stepped(
    seconds: u64,
    steps: &[(u64, f64)],
    script: Vec<Answer>,
) -> Story {
    follow_while(seconds, script, async |clock| {
        for &(after, by) in steps {
            clock.sleep(Duration::from_secs(after)).await;
            clock.step_wall(by);
        }
    })
    .await
}

/// As [`follow`], by an agent that stands still after `after` seconds, for `stall` seconds.
pub(super) async fn follow_stalled(
    seconds: u64,
    after: u64,
    stall: u64,
    script: Vec<Answer>,
) -> Story {
    follow_while(seconds, script, async |clock| {
        clock.sleep(Duration::from_secs(after)).await;
        tokio::time::advance(Duration::from_secs(stall)).await;
    })
    .await
}

/// As [`follow`], and another watch gets an answer at these milliseconds.
pub(super) async fn follow_beside(seconds: u64, script: Vec<Answer>, answered: &[u64]) -> Story {
    let lease = (Target::lease("a"), LeaseObserver::default());
    let fellows = Fellows::new();
    let start = tokio::time::Instant::now();
    follow_object(lease, seconds, script, &fellows, async |_| {
        for at in answered {
            #[allow(
                clippy::disallowed_methods,
                reason = "the other watch's own time is tokio's"
            )]
            tokio::time::sleep_until(start + Duration::from_millis(*at)).await;
            fellows.tell();
        }
    })
    .await
}

async fn follow_while(
    seconds: u64,
    script: Vec<Answer>,
    meanwhile: impl AsyncFnOnce(&Clock),
) -> Story {
    let lease = (Target::lease("a"), LeaseObserver::default());
    follow_object(lease, seconds, script, &Fellows::new(), meanwhile).await
}

/// As [`follow`], but a Node.
pub(super) async fn follow_node(seconds: u64, script: Vec<Answer>) -> Story {
    let node = (Target::node("a"), NodeObserver::default());
    follow_object(node, seconds, script, &Fellows::new(), async |_| {}).await
}

async fn follow_object<O: Observer + Send + Sync + 'static>(
    (target, observer): (Target, O),
    seconds: u64,
    script: Vec<Answer>,
    fellows: &Fellows,
    meanwhile: impl AsyncFnOnce(&Clock),
) -> Story {
    let mut script = VecDeque::from(script);
    let server = move |_: &str| script.pop_front().unwrap_or(Answer::Silence);
    let prepare = |follower: Follower<O>| follower.beside(fellows);
    follow_served((target, observer), seconds, server, prepare, meanwhile).await
}

/// Polls a Lease for so many seconds, as an agent does that reads as its own node. The server answers by the seconds since the
/// start and by what is asked for.
pub(super) async fn poll(
    seconds: u64,
    mut server: impl FnMut(f64, &str) -> Answer + Send + 'static,
    meanwhile: impl AsyncFnOnce(&Clock),
) -> Story {
    let lease = (Target::lease("a"), LeaseObserver::default());
    let start = tokio::time::Instant::now();
    let server = move |uri: &str| server(start.elapsed().as_secs_f64(), uri);
    let prepare = |follower: Follower<LeaseObserver>| follower.impersonating().polling();
    follow_served(lease, seconds, server, prepare, meanwhile).await
}

/// The answer to a poll: the Lease in this version, renewed so many seconds after the start.
pub(super) fn got(version: usize, renewed: f64) -> Answer {
    let mut lease = lease(version as u64, 0);
    let stamp = wall_start() + SignedDuration::from_secs_f64(renewed);
    lease["spec"]["renewTime"] = stamp.to_string().into();
    Answer::Whole(200, lease.to_string())
}

/// The answer to a poll of a Lease that is not there.
pub(super) fn not_there() -> Answer {
    let mut status = failure(404, "leases.coordination.k8s.io \"a\" not found");
    status["details"] = json!({"name": "a", "group": "coordination.k8s.io", "kind": "leases"});
    Answer::Whole(404, status.to_string())
}

async fn follow_served<O: Observer + Send + Sync + 'static>(
    (target, observer): (Target, O),
    seconds: u64,
    server: impl FnMut(&str) -> Answer + Send + 'static,
    prepare: impl FnOnce(Follower<O>) -> Follower<O>,
    meanwhile: impl AsyncFnOnce(&Clock),
) -> Story {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&requests);
    let server = Arc::new(Mutex::new(server));
    let server = service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        let answer = (server.lock().unwrap())(&uri);
        asked.lock().unwrap().push(uri);
        serve(answer)
    });
    let channel = observer.channel();
    // There is no other channel.
    let rhythm = watch::Sender::new(Rhythm::default());
    rhythm.send_modify(|rhythm| {
        for other in [Channel::Lease, Channel::NodeStatus] {
            rhythm.see(other, Visibility::Absent);
        }
    });
    let clock = Clock::scaled(1.0, wall_start().into());
    let journal = Arc::new(Journal::for_test(&clock));
    let heart = Heart::new(&clock);
    let follower = Follower::new(
        kube::Client::new(server, "default"),
        target,
        observer,
        heart.pulse(),
        Arc::clone(&journal),
        Timeouts::default(),
        rhythm.clone(),
    );
    let follower = prepare(follower);
    let stop = CancellationToken::new();
    tokio::spawn(heart.beat(stop.clone()));
    let following = tokio::spawn(follower.follow(stop.clone()));
    let end = clock.now() + Duration::from_secs(seconds);
    meanwhile(&clock).await;
    clock.sleep_until(end).await;
    stop.cancel();
    following.await.unwrap();
    let limits = BatchLimits {
        records: 1000,
        bytes: 1 << 20,
    };
    let mut reader = journal.connect("a").unwrap();
    let batch = journal.next_batch(&mut reader, limits);
    let requests = requests.lock().unwrap().clone();
    let mut views = batch.channel_views.iter();
    let view = views.find(|view| view.channel() == channel);
    let awaited = rhythm.borrow().awaited();
    Story {
        awaited_since: awaited.map(|awaited| awaited.since.as_secs() - 3600),
        requests,
        view: view.cloned().expect("a view of every channel"),
        batch,
    }
}

type Answered = Response<StreamBody<stream::BoxStream<'static, io::Result<Frame<Bytes>>>>>;

async fn serve(answer: Answer) -> io::Result<Answered> {
    let (version, answer) = match answer {
        Answer::Http1(answer) => (Version::HTTP_11, *answer),
        Answer::Late(seconds, answer) => {
            sleep(seconds).await;
            (Version::HTTP_2, *answer)
        }
        answer => (Version::HTTP_2, answer),
    };
    let retry_after = match answer {
        Answer::Overloaded(seconds) => Some(seconds),
        _ => None,
    };
    let (code, body) = match answer {
        Answer::Overloaded(_) => {
            let text = "Too many requests, please try again later.\n";
            let frame = Frame::data(Bytes::from_static(text.as_bytes()));
            (429, stream::iter([Ok(frame)]).boxed())
        }
        Answer::Whole(code, text) => {
            let frame = Frame::data(Bytes::from(text));
            (code, stream::iter([Ok(frame)]).boxed())
        }
        Answer::Watch(lines, end) => (200, lines_of(lines).chain(ending(end)).boxed()),
        Answer::Silence => match pending::<Infallible>().await {},
        Answer::Refused => return Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
        Answer::Late(..) | Answer::Http1(_) => {
            unreachable!("an answer is late or over HTTP/1.1 once")
        }
    };
    let mut response = Response::builder().status(code).version(version);
    if let Some(seconds) = retry_after {
        response = response.header(http::header::RETRY_AFTER, seconds);
    }
    Ok(response.body(StreamBody::new(body)).unwrap())
}

fn lines_of(lines: Vec<(u64, String)>) -> stream::BoxStream<'static, io::Result<Frame<Bytes>>> {
    stream::iter(lines)
        .then(|(seconds, line)| async move {
            sleep(seconds).await;
            Ok(Frame::data(Bytes::from(line + "\n")))
        })
        .boxed()
}

fn ending(end: End) -> stream::BoxStream<'static, io::Result<Frame<Bytes>>> {
    stream::once(async move {
        match end {
            End::After(seconds) => {
                sleep(seconds).await;
                None
            }
            End::Broken(seconds) => {
                sleep(seconds).await;
                Some(Err(io::Error::other("connection reset by peer")))
            }
            End::Never => match pending::<Infallible>().await {},
        }
    })
    .filter_map(|end| async { end })
    .boxed()
}

#[allow(
    clippy::disallowed_methods,
    reason = "the server's own time is tokio's"
)]
async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

//! What an API server may answer to the agent that follows its Node and its Lease: whole answers, watches cut into pieces at any
//! place, errors, and endings.
//!
//! Whatever comes, what the agent reports is in order, and the aggregator takes it.

#![no_main]

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;
use libfuzzer_sys::fuzz_target;
use nodegrace_agent::fuzzing;
use nodegrace_aggregator::fuzzing::Unserved;
use nodegrace_fuzz::{clock, parts, stream::records, virtual_time};
use nodegrace_proto::v1::{AgentInstance, Channel, Heartbeat, ReportBatch};
use prost::Message as _;
use tower::service_fn;

/// The node's name.
const NODE: &str = "a";
/// How long the agent follows: some watches that are judged by their silence.
const TIME: Duration = Duration::from_secs(120);
/// Codes of answers.
const CODES: [u16; 8] = [200, 200, 200, 200, 401, 404, 410, 500];

/// One answer: what is wrong with it in the first byte, and its body.
#[derive(Clone)]
struct Answer {
    code: u16,
    /// Bytes that come at a time.
    piece: usize,
    /// The connection breaks behind it; else the answer ends there.
    breaks: bool,
    /// It goes on and says nothing more.
    stays: bool,
    body: Bytes,
}

impl Answer {
    fn of(part: &[u8]) -> Option<Self> {
        let (how, body) = part.split_first()?;
        Some(Self {
            code: CODES[usize::from(how & 7)],
            piece: [4096, 1, 7, 100][usize::from(how >> 3 & 3)],
            breaks: how & 32 > 0,
            stays: how & 64 > 0,
            body: Bytes::copy_from_slice(body),
        })
    }

    fn response(self) -> Response<impl http_body::Body<Data = Bytes, Error = io::Error> + Send> {
        let pieces: Vec<_> = self
            .body
            .chunks(self.piece)
            .map(Bytes::copy_from_slice)
            .collect();
        let body = stream::iter(pieces).map(|piece| Ok(Frame::data(piece)));
        let broken = self
            .breaks
            .then(|| Err(io::Error::other("connection reset by peer")));
        let end = stream::iter(broken);
        let stays = self.stays;
        let silence = stream::once(async move {
            if stays {
                std::future::pending::<()>().await;
            }
        });
        let body = body.chain(silence.filter_map(async |()| None)).chain(end);
        let mut response = Response::new(StreamBody::new(body.boxed()));
        *response.status_mut() = self.code.try_into().expect("a code");
        *response.version_mut() = Version::HTTP_2;
        response
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((channel, answers)) = input.split_first() else {
        return;
    };
    let channel = [Channel::Lease, Channel::NodeStatus][usize::from(channel & 1)];
    let answers: Vec<Answer> = parts(answers).filter_map(Answer::of).collect();
    virtual_time().block_on(async {
        let clock = clock();
        let mut batch = fuzzing::follow(server(answers), channel, NODE, &clock, TIME)
            .await
            .expect("a journal in memory");
        check(&batch);
        let sound = sound(&batch);
        batch.node_name = NODE.to_owned();
        batch.agent = Some(AgentInstance {
            boot_id: "boot".to_owned(),
            start_time: batch.sent_time,
            start_monotonic: Some(Default::default()),
            version: "1".to_owned(),
        });
        let mut aggregator = Unserved::new(clock).expect("sound settings");
        let applied = aggregator
            .take(&batch.encode_to_vec(), true)
            .expect("a sound envelope");
        assert!(
            !sound || applied.accepted == records(&batch) as u64,
            "{batch:?}"
        );
    });
});

/// A client of a server that gives these answers, one to each request, and then none.
fn server(answers: Vec<Answer>) -> kube::Client {
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let serve = service_fn(move |_: Request<Body>| {
        let answer = answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next();
        async move {
            match answer {
                Some(answer) => Ok::<_, io::Error>(answer.response()),
                None => std::future::pending().await,
            }
        }
    });
    kube::Client::new(serve, "default")
}

/// Records are numbered in order and arrive in order; what the controller credits moves forward.
fn check(batch: &ReportBatch) {
    let moment = |beat: &Heartbeat| {
        let arrival = beat.arrival_monotonic.expect("an arrival");
        (arrival.seconds, arrival.nanos)
    };
    for pair in batch.heartbeats.windows(2) {
        assert!(pair[0].sequence_number < pair[1].sequence_number);
        assert!(moment(&pair[0]) <= moment(&pair[1]));
        let stamp = |beat: &Heartbeat| beat.stamp_time.map(|stamp| (stamp.seconds, stamp.nanos));
        if pair[1].channel() == Channel::Lease && !pair[1].baseline {
            assert!(stamp(&pair[0]) < stamp(&pair[1]), "{pair:?}");
        }
    }
    for spell in &batch.blind_spells {
        let place = |moment: Option<nodegrace_proto::prost_types::Duration>| {
            moment.map(|moment| (moment.seconds, moment.nanos))
        };
        assert!(
            place(spell.start_monotonic) <= place(spell.end_monotonic),
            "{spell:?}"
        );
    }
}

/// Whether it holds nothing that the aggregator refuses for good reason: stamps of a year that nobody lives in, endless words.
fn sound(batch: &ReportBatch) -> bool {
    let year = |stamp: Option<nodegrace_proto::prost_types::Timestamp>| {
        stamp.is_none_or(|stamp| (-9_000_000_000..9_000_000_000).contains(&stamp.seconds))
    };
    let beats = batch.heartbeats.iter();
    let changes = batch.ready_changes.iter();
    beats
        .clone()
        .all(|beat| year(beat.stamp_time) && beat.resource_version.len() <= 256)
        && changes
            .clone()
            .all(|change| change.transition_time.is_some() && year(change.transition_time))
}

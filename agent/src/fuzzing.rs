//! What the agent reads from outside, as functions of it, for the fuzz targets.

use std::{sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{AgentInstance, Channel, ReportBatch};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use crate::sources::fuzzing::{HostFiles, kubelet_metrics, kubelet_settings, runtime};
use crate::{
    config::Config,
    journal::{BatchLimits, Journal, Next},
    observe::{LeaseObserver, NodeObserver, Observer},
    rhythm::Rhythm,
    watch::{Follower, Heart, Target},
};

/// Follows the Lease or the Node called `node` for `time` of the clock; gives what there is to report then, without the
/// envelope.
///
/// # Errors
/// When the journal cannot be read.
pub async fn follow(
    client: kube::Client,
    channel: Channel,
    node: &str,
    clock: &Clock,
    time: Duration,
) -> anyhow::Result<ReportBatch> {
    match channel {
        Channel::NodeStatus => {
            let following = (Target::node(node), NodeObserver::default());
            follow_object(client, following, clock, time).await
        }
        Channel::Lease | Channel::Unspecified => {
            let following = (Target::lease(node), LeaseObserver::default());
            follow_object(client, following, clock, time).await
        }
    }
}

async fn follow_object<O: Observer>(
    client: kube::Client,
    (target, observer): (Target, O),
    clock: &Clock,
    time: Duration,
) -> anyhow::Result<ReportBatch> {
    let config = Config::new(&*target.name);
    let limits = BatchLimits {
        // Whatever there is.
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let journal = Journal::in_memory(config.spool_bytes, &AgentInstance::default(), clock.clone())?;
    let journal = Arc::new(journal);
    let (client, clock) = (client, clock.clone());
    let heart = Heart::new(&clock);
    let follower = Follower::new(
        client,
        target,
        observer,
        heart.pulse(),
        Arc::clone(&journal),
        config.timeouts,
        watch::Sender::new(Rhythm::default()),
    );
    let stop = CancellationToken::new();
    tokio::join!(
        follower.follow(stop.clone()),
        heart.beat(stop.clone()),
        async {
            clock.sleep(time).await;
            stop.cancel();
        }
    );
    let mut reader = journal.connect("any")?;
    match journal.next(&mut reader, limits)? {
        Next::Batch(contents) => Ok(contents.batch),
        Next::LaterRun => anyhow::bail!("a journal in memory has one run"),
    }
}

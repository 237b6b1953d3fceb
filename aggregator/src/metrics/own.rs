//! What the aggregator says of itself.

use nodegrace_exposition::{Exposition, Kind};

use crate::{aggregator::Parts, refused::Refused, serve::Handled};

/// Writes how ingest and store fare.
pub(super) fn write(out: &mut Exposition, parts: &Parts) {
    let (register, store) = (&parts.register, &parts.store);
    let status = store.status();
    let mut family = out.family(
        "nodegrace_build_info",
        Kind::Gauge,
        "1; the label says which version runs.",
    );
    family.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    for (name, help, times) in [
        (
            "nodegrace_rejected_records",
            "Records refused because they make no sense.",
            register.rejected_records(),
        ),
        (
            "nodegrace_rejected_streams",
            "Agents' streams refused.",
            register.rejected_streams(),
        ),
        (
            "nodegrace_store_shed_samples",
            "Samples not kept because the disk did not follow.",
            status.shed_samples(),
        ),
        (
            "nodegrace_store_failures",
            "Times writing to disk failed.",
            status.failures(),
        ),
    ] {
        out.single(name, Kind::Counter, help, Some(times as f64));
    }
    refused(out, &parts.refused);
    handled(out, &parts.handled);
    let flag = |flag: bool| Some(f64::from(u8::from(flag)));
    out.single(
        "nodegrace_store_durable",
        Kind::Gauge,
        "1 when history survives a restart, 0 when it is in memory only.",
        flag(store.is_durable()),
    );
    out.single(
        "nodegrace_store_failing",
        Kind::Gauge,
        "1 while nothing can be written, so that nothing is acknowledged; else 0.",
        flag(!status.error().is_empty()),
    );
    out.single(
        "nodegrace_store_queue_batches",
        Kind::Gauge,
        "Batches in the queue of the disk. Those that are being written are not, nor those of streams that wait for a place in it.",
        store.waiting().map(|batches| batches as f64),
    );
    let mut family = out.family(
        "nodegrace_store_commit_duration_seconds",
        Kind::Histogram,
        "How long commits took, each of all batches that waited.",
    );
    if store.is_durable() {
        let commits = status.commits();
        family.histogram(&[], commits.buckets(), commits.sum_seconds());
    }
}

/// Writes what was refused, besides records and streams.
fn refused(out: &mut Exposition, refused: &Refused) {
    let mut family = out.family(
        "nodegrace_refused",
        Kind::Counter,
        "What was refused: questions of those who may not ask, connections and batches of nodes beyond the most, batches that came too fast, answers that were read too slowly.",
    );
    for (kind, tally) in [
        ("query", &refused.queries),
        ("connection", &refused.connections),
        ("node_batch", &refused.nodes),
        ("hasty_batch", &refused.hasty_batches),
        ("slow_reader", &refused.slow_readers),
    ] {
        family.sample(&[("kind", kind)], tally.total() as f64);
    }
}

/// Writes what calls ended with, under the name and labels that gRPC's libraries of other languages give it.
fn handled(out: &mut Exposition, handled: &Handled) {
    let mut family = out.family(
        "grpc_server_handled",
        Kind::Counter,
        "Calls of this API that ended, by what they ended with.",
    );
    for method in handled.methods() {
        for (code, calls) in method.codes() {
            let labels = [
                ("grpc_type", method.kind),
                ("grpc_service", &method.service),
                ("grpc_method", &method.name),
                ("grpc_code", code),
            ];
            family.sample(&labels, calls as f64);
        }
    }
}

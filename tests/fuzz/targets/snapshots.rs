//! What a database kept of a node: it is refused, or the node that comes of it can be asked about, goes on and is kept again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nodegrace_aggregator::fuzzing::Unserved;
use nodegrace_fuzz::{clock, figures, stream, virtual_time};
use nodegrace_proto::v1::{GetNodeRequest, query_server::Query as _};
use prost::Message as _;
use tonic::Request;

/// A node's name.
const NODE: &str = "a";

/// A report about it that follows.
static REPORT: LazyLock<Vec<u8>> = LazyLock::new(|| stream::report(NODE).encode_to_vec());

fuzz_target!(|input: &[u8]| {
    virtual_time().block_on(async {
        let mut aggregator = Unserved::new(clock()).expect("sound settings");
        if aggregator.restore(NODE, input).is_err() {
            return;
        }
        check(&aggregator).await;
        let kept = aggregator.snapshot(NODE).expect("a node that is known");
        aggregator.restore(NODE, &kept).expect("its own snapshot");
        let again = aggregator.snapshot(NODE).expect("a node that is known");
        assert_eq!(kept, again, "a restart changes it");
        aggregator.take(&REPORT, true).expect("a sound report");
        check(&aggregator).await;
    });
});

async fn check(aggregator: &Unserved) {
    let request = GetNodeRequest {
        name: NODE.to_owned(),
    };
    let node = aggregator.queries().get_node(Request::new(request)).await;
    figures::check_node(&node.expect("a node that is known").into_inner());
    figures::check_fleet(aggregator.queries()).await;
}

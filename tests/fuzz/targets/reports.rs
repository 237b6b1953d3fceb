//! What an agent's stream may carry: messages, one after the other, each with its length before it.
//!
//! Whatever they are, nothing panics, no acknowledgement goes back, a message sent again adds nothing, and every figure that is
//! answered is a number.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nodegrace_fuzz::{clock, figures, stream::Replayed, virtual_time};

/// Messages of one input that are taken.
const MOST: usize = 32;

fuzz_target!(|input: &[u8]| {
    virtual_time().block_on(async {
        let mut aggregator = Replayed::new(clock());
        let mut rest = input;
        for _ in 0..MOST {
            let Some(message) = length_delimited(&mut rest) else {
                break;
            };
            aggregator.take(message).await;
        }
        aggregator.check_nodes().await;
        figures::check_fleet(aggregator.queries()).await;
    });
});

/// The next message, as protobuf's delimited streams have it. What is cut short ends with the input.
fn length_delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let length = prost::decode_length_delimiter(&mut *rest).ok()?;
    let (message, after) = rest.split_at(length.min(rest.len()));
    *rest = after;
    Some(message)
}

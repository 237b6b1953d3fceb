//! How messages become bytes: as prost has it, in buffers that fit what is usually said.
//!
//! tonic sets 8 KiB apart for each direction of every call, for as long as it is open. An aggregator has a call open to each of
//! its agents all the time, and each says some hundred bytes every few seconds: those buffers would be the largest part of what
//! an agent costs it.

use std::{any::TypeId, marker::PhantomData};

use prost::{Message, bytes::Buf as _};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstCodec;

use crate::v1::ReportBatch;

/// What is set apart for what is said or heard in a call, in bytes: many acknowledgements. What is larger makes the buffer grow.
const SMALL: usize = 1024;
/// What is set apart to hear batches, in bytes. A buffer that has grown stays as long as the call, and an agent's lasts for
/// months: one that is too small for what comes now and then makes memory creep up for hours, agent by agent. So it is never too
/// small: thrice a batch fits. tonic makes room for a message behind what has come of it, which may be all, and bytes moves that to
/// the front only if it is no longer than what was read before it (`decode_chunk` of tonic 0.14, `reserve_inner` of bytes 1).
pub const BATCHES_HEARD: usize = 6144;
/// What is set apart to say batches, in bytes: the largest with its header.
const BATCHES_SAID: usize = BATCHES_HEARD / 3;
/// Most bytes of the records in a batch of an agent: half of what its buffers are made for, so that there is place for what it
/// tells of itself and of its node. A usual sample is no larger.
pub const BATCH_RECORDS: usize = BATCHES_SAID / 2;
/// How much of a stream of messages is gathered before it is handed on, in bytes: nothing, each goes as it is. Batches that are
/// ready at once, as after an outage, would come in one frame, and be held all together.
const HAND_ON: usize = 1;

/// The codec of every service here: encodes `T`, decodes `U`.
#[derive(Debug)]
pub struct SmallBuffers<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallBuffers<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallBuffers<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = InOnePiece<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(set_apart::<T>(BATCHES_SAID), HAND_ON))
    }

    fn decoder(&mut self) -> Self::Decoder {
        InOnePiece(PhantomData)
    }
}

/// Decodes messages as slices: prost asks a buffer for its next piece byte by byte, and tonic's is one piece.
#[derive(Debug)]
pub struct InOnePiece<U>(PhantomData<U>);

impl<U: Message + Default + 'static> Decoder for InOnePiece<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let (whole, piece) = (bytes.remaining(), bytes.chunk());
        let decoded = if piece.len() == whole {
            U::decode(piece).inspect(|_| bytes.advance(whole))
        } else {
            U::decode(bytes)
        };
        // As tonic has it.
        let malformed = |error: prost::DecodeError| Status::internal(error.to_string());
        decoded.map(Some).map_err(malformed)
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(set_apart::<U>(BATCHES_HEARD), HAND_ON)
    }
}

/// What is set apart for messages of a type, in bytes, where this is what batches take.
fn set_apart<M: 'static>(batches: usize) -> usize {
    if TypeId::of::<M>() == TypeId::of::<ReportBatch>() {
        batches
    } else {
        SMALL
    }
}

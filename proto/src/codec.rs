//! How messages become bytes: as prost has it, in buffers that fit what is usually said.
//!
//! tonic sets 8 KiB apart for each direction of every call, for as long as it is open. An aggregator has a call open to each of
//! its agents all the time, and each says some hundred bytes every few seconds: those buffers would be the largest part of what
//! an agent costs it.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// What is set apart for what is said in a call, in bytes: many acknowledgements, or most of a usual batch. What is larger makes
/// the buffer grow.
const SAID: usize = 1024;
/// What is set apart for what is heard, in bytes: a usual batch with all of a node's figures. A buffer that has grown stays as
/// long as the call, so that one which is too small for what comes now and then makes memory creep up for hours, agent by
/// agent; of one that is too large the rest is never touched.
const HEARD: usize = 4096;
/// How much of a stream of messages is gathered before it is handed on, in bytes: tonic's own default.
const HAND_ON: usize = 32 << 10;

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
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(SAID, HAND_ON))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(HEARD, HAND_ON))
    }
}

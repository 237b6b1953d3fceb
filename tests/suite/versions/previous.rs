//! The previous minor version, as far as its descriptors tell: what it knows of a message, and a place between an agent and an
//! aggregator where nothing else gets through.

use std::net::SocketAddr;

use nodegrace_proto::v1::{
    ReportAck, ReportBatch,
    ingest_client::IngestClient,
    ingest_server::{Ingest, IngestServer},
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use prost_types::FileDescriptorSet;
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _, wrappers::TcpListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Channel, Server},
};

/// The wire as it was released: see `check_buf` in `.ci/run`.
const RELEASED: &[u8] = include_bytes!("../baseline/0.1.binpb");

/// What a version knows of the wire.
#[derive(Clone)]
pub(super) struct Previous(DescriptorPool);

impl Previous {
    /// The version before.
    pub(super) fn released() -> Self {
        Self(DescriptorPool::decode(RELEASED).expect("the baseline is a descriptor set"))
    }

    /// That version, had it not known this field of a message.
    pub(super) fn without(message: &str, field: &str) -> Self {
        let mut files = FileDescriptorSet::decode(RELEASED).expect("it is a descriptor set");
        for file in &mut files.file {
            for known in &mut file.message_type {
                if known.name() == message {
                    known.field.retain(|known| known.name() != field);
                }
            }
        }
        Self(DescriptorPool::from_file_descriptor_set(files).expect("what is left makes sense"))
    }

    /// What it makes of a message: the fields that it does not know are gone.
    pub(super) fn known<M: Message + Default>(&self, name: &str, message: &M) -> M {
        let descriptor = self.0.get_message_by_name(name);
        let descriptor = descriptor.unwrap_or_else(|| panic!("no message {name} was released"));
        let mut dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
            .expect("the previous version reads it");
        forget_unknown(&mut dynamic);
        M::decode(dynamic.encode_to_vec().as_slice()).expect("what it writes is read")
    }
}

fn forget_unknown(message: &mut DynamicMessage) {
    message.take_unknown_fields().for_each(drop);
    for (_, value) in message.fields_mut() {
        match value {
            Value::Message(message) => forget_unknown(message),
            Value::List(items) => items.iter_mut().for_each(forget_in),
            Value::Map(entries) => entries.values_mut().for_each(forget_in),
            _ => {}
        }
    }
}

fn forget_in(value: &mut Value) {
    if let Value::Message(message) = value {
        forget_unknown(message);
    }
}

/// Passes on what the previous version knows, both ways.
pub(super) struct Between {
    previous: Previous,
    aggregator: Channel,
}

impl Between {
    /// Listens for an agent, and returns where.
    pub(super) async fn start(previous: Previous, aggregator: Channel) -> SocketAddr {
        let listener = TcpListener::bind(SocketAddr::from(super::LOOPBACK)).await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let between = Self {
            previous,
            aggregator,
        };
        tokio::spawn(
            Server::builder()
                .add_service(IngestServer::new(between))
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        address
    }
}

#[tonic::async_trait]
impl Ingest for Between {
    type ReportStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<ReportAck, Status>> + Send + 'static>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let (upwards, downwards) = (self.previous.clone(), self.previous.clone());
        let batches = request
            .into_inner()
            .map_while(Result::ok)
            .map(move |batch| upwards.known("nodegrace.v1.ReportBatch", &batch));
        let mut client = IngestClient::new(self.aggregator.clone());
        let answer = client.report(batches).await?;
        Ok(answer.map(|acks| -> Self::ReportStream {
            Box::pin(
                acks.map(move |ack| ack.map(|ack| downwards.known("nodegrace.v1.ReportAck", &ack))),
            )
        }))
    }
}

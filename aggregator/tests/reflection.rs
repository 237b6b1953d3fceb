//! Reflection in both of its versions, so that no tool needs a proto file.

use tokio_stream::StreamExt as _;
use tonic_reflection::pb::{v1, v1alpha};

use crate::kit::World;

/// What must be listed, whatever the version.
const SERVICES: [&str; 3] = [
    "grpc.health.v1.Health",
    "nodegrace.v1.Ingest",
    "nodegrace.v1.Query",
];

macro_rules! lists_services {
    ($test:ident, $version:ident) => {
        #[tokio::test(start_paused = true)]
        async fn $test() {
            use $version::{
                server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
            };
            let world = World::new();
            let mut client = ServerReflectionClient::new(world.channel());
            let request = $version::ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let answer = client
                .server_reflection_info(tokio_stream::once(request))
                .await;
            let mut answers = answer.expect("an answer").into_inner();
            let answer = answers.next().await.expect("one").expect("no error");
            let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
                panic!("{answer:?} is no list");
            };
            for service in SERVICES {
                let listed = list.service.iter().any(|listed| listed.name == service);
                assert!(listed, "{service} in {list:?}");
            }
        }
    };
}

lists_services!(version_1_lists_every_service, v1);
lists_services!(version_1_alpha_lists_every_service, v1alpha);

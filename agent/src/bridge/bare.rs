//! What is left of the runtime's answers: as many entries as there are, each with its state and nothing else.
//!
//! They are put in order, so that not even the runtime's order comes through.

use nodegrace_proto::cri::{
    Container, Image, ListContainersResponse, ListImagesResponse, ListPodSandboxResponse,
    PodSandbox, VersionResponse,
};
use tonic::Status;

/// Most entries of one answer: a node has some hundred containers, and thousands where nobody removes dead ones. With
/// more it is memory that runs out.
pub(super) const MOST_ENTRIES: usize = 1 << 16;

/// Longest name or version of a runtime.
const LONGEST_NAME: usize = 64;

/// The runtime's name and version, which the Node object tells everybody who may read nodes.
pub(super) fn version(told: &VersionResponse) -> VersionResponse {
    VersionResponse {
        version: String::new(),
        runtime_name: name(&told.runtime_name),
        runtime_version: name(&told.runtime_version),
        runtime_api_version: String::new(),
    }
}

/// The pod sandboxes, the ready ones first.
pub(super) fn sandboxes(told: &ListPodSandboxResponse) -> Result<ListPodSandboxResponse, Status> {
    let mut items = few(&told.items)?
        .map(|sandbox| PodSandbox {
            state: sandbox.state().into(),
            ..PodSandbox::default()
        })
        .collect::<Vec<_>>();
    items.sort_unstable_by_key(|sandbox| sandbox.state);
    Ok(ListPodSandboxResponse { items })
}

/// The containers by their states.
pub(super) fn containers(told: &ListContainersResponse) -> Result<ListContainersResponse, Status> {
    let mut containers = few(&told.containers)?
        .map(|container| Container {
            state: container.state().into(),
            ..Container::default()
        })
        .collect::<Vec<_>>();
    containers.sort_unstable_by_key(|container| container.state);
    Ok(ListContainersResponse { containers })
}

/// The images, of which the first has the bytes of all: a single one is known by its size.
pub(super) fn images(told: &ListImagesResponse) -> Result<ListImagesResponse, Status> {
    let bytes = told.images.iter().map(|image| image.size);
    let bytes = bytes.fold(0, u64::saturating_add);
    let mut images = few(&told.images)?
        .map(|_| Image::default())
        .collect::<Vec<_>>();
    if let Some(first) = images.first_mut() {
        first.size = bytes;
    }
    Ok(ListImagesResponse { images })
}

/// The entries, unless there are too many.
fn few<T>(entries: &[T]) -> Result<std::slice::Iter<'_, T>, Status> {
    if entries.len() > MOST_ENTRIES {
        return Err(Status::out_of_range(""));
    }
    Ok(entries.iter())
}

/// A name as runtimes have them, such as `containerd` or `1.7.2-rc.1~ds1+build`: whatever else is said is left out.
fn name(told: &str) -> String {
    let usual = |one: &char| one.is_ascii_alphanumeric() || ".-_~+".contains(*one);
    told.chars().filter(usual).take(LONGEST_NAME).collect()
}

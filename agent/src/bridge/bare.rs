//! What is left of the runtime's answers: how many entries there are in which state. What is told of that are as many
//! entries, each with its state and nothing else.
//!
//! They are put in order, so that not even the runtime's order comes through.

use nodegrace_proto::cri::{
    Container, ContainerState, Image, ListContainersResponse, ListImagesResponse,
    ListPodSandboxResponse, PodSandbox, PodSandboxState, VersionResponse,
};
use tonic::Status;

/// Most entries of an answer that are told: a node has some hundred containers, and thousands where nobody removes dead
/// ones. It bounds what is made anew for each who asks. What the runtime itself sends is bounded by its bytes alone
/// (`LARGEST_ANSWER`), and is read whole before it is counted.
pub(super) const MOST_ENTRIES: usize = 1 << 14;

/// What the bytes of all images are rounded up to. Without it the size of a single image, by which it is known, is the
/// difference between two answers.
pub(super) const IMAGES_GRAIN: u64 = 256 << 20;

/// Longest name or version of a runtime.
const LONGEST_NAME: usize = 64;

/// States of containers, in the order in which they are told.
const STATES: [ContainerState; 4] = [
    ContainerState::Created,
    ContainerState::Running,
    ContainerState::Exited,
    ContainerState::Unknown,
];

/// How many pod sandboxes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sandboxes {
    ready: usize,
    others: usize,
}

/// How many containers there are in each of [`STATES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Containers([usize; STATES.len()]);

/// How many images there are, and about how large all of them are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Images {
    count: usize,
    /// Bytes, in whole [`IMAGES_GRAIN`].
    bytes: u64,
}

/// The runtime's name and version, which the Node object tells everybody who may read nodes.
pub(super) fn version(told: &VersionResponse) -> VersionResponse {
    VersionResponse {
        version: String::new(),
        runtime_name: name(&told.runtime_name),
        runtime_version: name(&told.runtime_version),
        runtime_api_version: String::new(),
    }
}

/// The pod sandboxes.
pub(super) fn sandboxes(told: &ListPodSandboxResponse) -> Result<Sandboxes, Status> {
    let all = few(told.items.len())?;
    let ready = told
        .items
        .iter()
        .filter(|sandbox| sandbox.state() == PodSandboxState::Ready)
        .count();
    Ok(Sandboxes {
        ready,
        others: all - ready,
    })
}

/// The containers by their states.
pub(super) fn containers(told: &ListContainersResponse) -> Result<Containers, Status> {
    few(told.containers.len())?;
    let in_state = |state| {
        let containers = told.containers.iter();
        containers.filter(|one| one.state() == state).count()
    };
    Ok(Containers(STATES.map(in_state)))
}

/// The images, and about the bytes of all. None are never those of some, nor some those of none.
pub(super) fn images(told: &ListImagesResponse) -> Result<Images, Status> {
    let bytes = told.images.iter().map(|image| image.size);
    let bytes = bytes.fold(0, u64::saturating_add);
    Ok(Images {
        count: few(told.images.len())?,
        bytes: bytes.div_ceil(IMAGES_GRAIN).saturating_mul(IMAGES_GRAIN),
    })
}

impl From<Sandboxes> for ListPodSandboxResponse {
    /// The ready ones first.
    fn from(counted: Sandboxes) -> Self {
        let of = |state: PodSandboxState, count| {
            let sandbox = PodSandbox {
                state: state.into(),
                ..PodSandbox::default()
            };
            std::iter::repeat_n(sandbox, count)
        };
        let ready = of(PodSandboxState::Ready, counted.ready);
        let others = of(PodSandboxState::Notready, counted.others);
        Self {
            items: ready.chain(others).collect(),
        }
    }
}

impl From<Containers> for ListContainersResponse {
    fn from(counted: Containers) -> Self {
        let each = STATES.into_iter().zip(counted.0);
        let containers = each.flat_map(|(state, count)| {
            let container = Container {
                state: state.into(),
                ..Container::default()
            };
            std::iter::repeat_n(container, count)
        });
        Self {
            containers: containers.collect(),
        }
    }
}

impl From<Images> for ListImagesResponse {
    /// The first has the bytes of all.
    fn from(counted: Images) -> Self {
        let mut images = vec![Image::default(); counted.count];
        if let Some(first) = images.first_mut() {
            first.size = counted.bytes;
        }
        Self { images }
    }
}

/// So many entries, unless they are too many.
fn few(entries: usize) -> Result<usize, Status> {
    if entries > MOST_ENTRIES {
        return Err(Status::out_of_range(""));
    }
    Ok(entries)
}

/// A name as runtimes have them, such as `containerd` or `1.7.2-rc.1~ds1+build`: whatever else is said is left out.
fn name(told: &str) -> String {
    let usual = |one: &char| one.is_ascii_alphanumeric() || ".-_~+".contains(*one);
    told.chars().filter(usual).take(LONGEST_NAME).collect()
}

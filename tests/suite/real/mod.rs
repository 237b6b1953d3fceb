//! Tests against real parts instead of simulated ones: containerd, grpcurl and this machine's own kernel. They need root and
//! the programs that `.ci/run` installs, so they are behind the feature `real`; where a part is missing they fail and name
//! it, they never skip.

mod browser;
mod causes;
mod cgroup;
mod containerd;
mod cri;
mod daemons;
mod forms;
mod grpcurl;
mod helm;
mod host;
mod image;
mod kubectl;
mod manifests;
mod monitoring;
#[cfg(feature = "image")]
mod pods;
mod programs;
mod relay;
#[cfg(feature = "image")]
mod rights;
mod runtime_counts;

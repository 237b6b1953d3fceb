//! Tests against real parts instead of simulated ones: containerd, grpcurl and this machine's own kernel. They need root and
//! the programs that `.ci/run` installs, so they are behind the feature `real`; where a part is missing they fail and name
//! it, they never skip.

mod causes;
mod cgroup;
mod containerd;
mod cri;
mod daemons;
mod grpcurl;
mod host;
mod image;
mod kubectl;
mod manifests;
mod monitoring;
mod programs;
mod relay;
mod runtime_counts;

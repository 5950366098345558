//! seccomp.
//!
//! - [`oci`]: the JSON of the OCI runtime specification, as Docker, Podman and Kubernetes read it: types, reader, writer
//! - [`emit`]: a policy as such a profile
//! - [`simulate`]: what a profile answers to a call, without a kernel
//! - [`filter`]: a profile as the filter that the kernel runs, by libseccomp
//! - [`bpf`]: the same without libseccomp, and what such a filter answers
//! - [`meaning`]: what a profile allows, call by call, for comparing it
//! - `rules`, `multiplexed`: what a profile says of one ABI

pub mod bpf;
mod emit;
pub mod filter;
pub mod meaning;
mod multiplexed;
pub mod oci;
mod rules;
mod simulate;

pub use emit::emit;
pub use oci::Profile;
pub use rules::{Action, Unsupported};
pub use simulate::{Answer, simulate};

//! Containers: from a command line of docker or podman, or from a container's name, to the processes inside.
//!
//! - [`flags`]: the options of the clients that take no value, as data
//! - [`argv`]: reading a client's command line
//! - [`marker`]: a filter that the kernel shows to be ours, so that the boundary is seen and not guessed
//! - [`prepare`]: the command line that is really run: with a marked filter, and a file for the container's id
//! - [`engine`]: asking an engine about its containers
//! - [`watch`]: finding out which containers a recorder meets
//!
//! A container is told by the filter that its processes run under, never by a name or a process's name: the runtime loads
//! the marked filter in each process that it puts into the container, as the last step of its own work there.

pub mod argv;
pub mod engine;
pub mod flags;
pub mod marker;
pub mod prepare;
pub mod watch;

pub use argv::{Client, Invocation, Verb};
pub use engine::{Container, Engine};
pub use marker::Marker;
pub use prepare::{Filter, PrepareError, Prepared, prepare};
pub use watch::{Watch, Watched};

//! Observes programs and containers, and never judges: what runs in, a [`recording::Recording`] out.
//!
//! - [`recording`]: facts, evidence, and the file format
//! - [`abi`]: knowledge of the kernel's interface, as data
//! - `course`: where in its course a recording is: which unit, which phase
//! - [`decode`]: a system call and its result → facts
//! - [`container`]: docker and podman, from a command line to the processes inside
//! - [`ebpf`]: the privileged backend
//! - [`ptrace`]: the unprivileged backend
//! - [`host`]: what can be recorded here
//! - [`marks`]: a test harness tells that a unit or a phase begins
//! - [`memory`]: reading a waiting thread's memory
//! - [`notify`]: calls that a filter notifies of
//! - [`spawn`]: starting the command
//! - [`part`]: what a recorder leaves behind when it is killed
//! - `procfs`: what procfs says of a task
//! - [`run`]: describing a run
//! - [`session`]: what a recorder is asked, and what it answers
//! - `tick`: waking up now and then
//! - [`whole`]: files that appear whole or not at all

pub mod abi;
pub mod container;
mod course;
pub mod decode;
pub mod ebpf;
pub mod host;
pub mod marks;
pub mod memory;
pub mod notify;
pub mod part;
mod procfs;
pub mod ptrace;
pub mod recording;
pub mod run;
pub mod session;
pub mod spawn;
mod tally;
mod tick;
pub mod whole;

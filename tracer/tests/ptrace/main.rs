//! The ptrace backend on real programs: what it must record, what it must not, and that the programs don't notice.
//!
//! - [`support`]: running and asking; programs in C are compiled by the compiler that links Rust programs
//! - [`life`]: exit codes, signals, job control, threads, descendants
//! - [`facts`]: calls, files, edges, sockets
//! - [`free`]: known calls run free, and nothing is missed for it
//! - [`known`]: the same of calls on known files
//! - [`repeats`]: the same of calls in loops
//! - [`oracle`]: strace sees no call that is missing
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod facts;
mod free;
mod known;
mod life;
mod oracle;
mod repeats;
mod support;

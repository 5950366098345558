//! What this machine's kernel can't show, shown in Debian's stock kernels (`scripts/vm`): that the recorder works on the
//! oldest that it promises and on others, and that a kernel with AppArmor enforces what was learned.
//!
//! - `machine`: payloads in, results out
//! - `recorder`: both backends tell the same, on each kernel
//! - `files`: each way to use files is told, allowed where it was learned, and refused elsewhere
//! - `io_uring`: what no call tells is seen
//! - `apparmor`: profiles are enforced, and what was not learned is refused
#![cfg(test)]

mod apparmor;
#[path = "../common/behaviours.rs"]
mod behaviours;
mod files;
mod io_uring;
mod machine;
#[path = "../common/needed.rs"]
mod needed;
mod recorder;
#[path = "../common/seen.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod seen;

/// The list of guest tests of a kernel: the recorder's own on each, everything on 6.1.
fn tests_of(kernel: &str) -> &'static [&'static str] {
    match kernel {
        "6.1" => &[
            "record static",
            "record threads",
            "record double-fork",
            "record i386",
            "record python-subprocess",
            "record nginx",
            "record redis",
            "capabilities",
            "io-uring",
            "files",
            "processes",
            "domains",
            "verify static",
            "confine static",
            "confine threads",
            "confine tar",
            "confine python-subprocess",
            "confine nginx",
            "confine redis",
        ],
        _ => &[
            "record static",
            "record threads",
            "record double-fork",
            "record i386",
            "record python-subprocess",
            "record nginx",
            "io-uring",
        ],
    }
}

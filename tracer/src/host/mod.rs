//! What this host can record, and what is missing for the rest.
//!
//! - [`Check`]: an answer
//! - [`checks`]: all that concern recording
//! - `engines`: container engines

mod engines;

use std::path::Path;

use nix::sys::statfs::{BPF_FS_MAGIC, FsType, TRACEFS_MAGIC, statfs};
use serde::Serialize;

use crate::session::RecordError;
use crate::{ebpf, ptrace};

/// Whether the host has something, and what to do when it has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked for.
    pub name: &'static str,
    /// What it is good for.
    pub purpose: &'static str,
    /// It is there.
    pub ok: bool,
    /// What was found, or why it is not there.
    pub found: String,
    /// What installs or enables it; absent when it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    /// Something that is there.
    pub fn there(name: &'static str, purpose: &'static str, found: impl Into<String>) -> Self {
        Self { name, purpose, ok: true, found: found.into(), remedy: None }
    }

    /// Something that is missing.
    pub fn missing(
        name: &'static str,
        purpose: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { name, purpose, ok: false, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// The first two numbers of the kernel's version.
pub fn kernel_version() -> Option<(u32, u32)> {
    let (release, _) = kernel();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The kernel's release and the machine's architecture, as uname(2) has them.
pub fn kernel() -> (String, String) {
    nix::sys::utsname::uname().map_or_else(
        |_never_fails| Default::default(),
        |names| {
            let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
            (text(names.release()), text(names.machine()))
        },
    )
}

/// Looks at everything that concerns recording. Loads and unloads the eBPF programs, traces a child for a moment, and asks
/// the container engines for their version.
pub fn checks() -> Vec<Check> {
    let mut checks = vec![
        backend("ptrace", "recording without privileges", ptrace::usable()),
        backend("ebpf", "recording with little overhead, and containers", ebpf::usable()),
        btf(),
        mounted(
            "tracefs",
            "/sys/kernel/tracing",
            TRACEFS_MAGIC,
            "listing the kernel's tracepoints",
            "mount -t tracefs tracefs /sys/kernel/tracing",
        ),
        mounted(
            "bpffs",
            "/sys/fs/bpf",
            BPF_FS_MAGIC,
            "sharing eBPF maps between processes",
            "mount -t bpf bpf /sys/fs/bpf",
        ),
    ];
    checks.extend(engines::checks());
    checks
}

fn backend(name: &'static str, purpose: &'static str, usable: Result<(), RecordError>) -> Check {
    match usable {
        Ok(()) => Check::there(name, purpose, "usable"),
        Err(RecordError::Unavailable { why, remedy, .. }) => {
            Check::missing(name, purpose, why, remedy)
        }
        Err(error) => Check::missing(name, purpose, error.to_string(), "see this error"),
    }
}

fn btf() -> Check {
    let purpose = "eBPF programs that fit this kernel";
    let path = Path::new("/sys/kernel/btf/vmlinux");
    if path.exists() {
        Check::there("btf", purpose, path.display().to_string())
    } else {
        Check::missing(
            "btf",
            purpose,
            "the kernel does not describe its types",
            "boot a kernel that was built with CONFIG_DEBUG_INFO_BTF=y",
        )
    }
}

fn mounted(
    name: &'static str,
    place: &str,
    wanted: FsType,
    purpose: &'static str,
    remedy: &str,
) -> Check {
    match statfs(place) {
        Ok(found) if found.filesystem_type() == wanted => Check::there(name, purpose, place),
        Ok(_) => Check::missing(name, purpose, format!("not mounted at {place}"), remedy),
        Err(error) => Check::missing(name, purpose, format!("{place}: {}", error.desc()), remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_comes_with_what_is_missing_only() {
        for check in checks() {
            assert_eq!(check.ok, check.remedy.is_none(), "{check:?}");
            assert!(!check.found.is_empty() && !check.purpose.is_empty(), "{check:?}");
        }
    }

    #[test]
    fn what_is_mounted_is_known_by_its_kind() {
        let proc = FsType(libc::PROC_SUPER_MAGIC);
        assert!(mounted("proc", "/proc", proc, "a test", "mount it").ok);
        assert!(!mounted("bpffs", "/proc", BPF_FS_MAGIC, "a test", "mount it").ok);
        assert!(!mounted("bpffs", "/no/such/place", BPF_FS_MAGIC, "a test", "mount it").ok);
    }
}

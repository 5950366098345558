//! The seccomp profile as a program of BPF that notifies of what it refuses.

use std::io::{Read, Seek};

use profile_emit::seccomp::filter::{Default, compile};
use profile_emit::seccomp::oci::{ALLOW, ENOSYS, ERRNO, Entry, Profile};

use crate::VerifyError;
use crate::error::system;
use crate::profiles::Profiles;

/// `SCMP_ACT_LOG`: the call is made, and the kernel notes it.
const LOG: &str = "SCMP_ACT_LOG";

/// Calls that always reach the supervisor: it judges programs. The child also waits in its first `execve` until there is a
/// supervisor, whatever the profile says of the call.
pub(crate) const EXECS: [&str; 2] = ["execve", "execveat"];

/// The entry answers its calls with `ENOSYS`, so that libc does something else: not a refusal.
fn falls_back(entry: &Entry) -> bool {
    entry.action == ERRNO && entry.errno_ret == Some(ENOSYS)
}

/// A rule answers the call with `ENOSYS`.
pub(crate) fn has_fallback(profile: &Profile, call: &str) -> bool {
    profile.syscalls.iter().any(|entry| falls_back(entry) && entry.calls().any(|name| name == call))
}

/// The instructions. What the profile's default refuses is notified, and what rules refuse too, but for fallbacks.
pub(crate) fn program(profiles: &Profiles) -> Result<Vec<libc::sock_filter>, VerifyError> {
    let profile = &profiles.seccomp;
    let refused_by_rule = profile
        .syscalls
        .iter()
        .filter(|entry| entry.action != ALLOW && entry.action != LOG && !falls_back(entry))
        .flat_map(Entry::calls);
    let notified: Vec<&str> = EXECS.into_iter().chain(refused_by_rule).collect();
    let filter = compile(profile, Default::Notify, &notified)
        .map_err(|source| VerifyError::Filter { path: profiles.seccomp_path.clone(), source })?;
    // libseccomp before 2.6 writes to descriptors only.
    let failed = |e: nix::Error| system("make a file in memory")(e.into());
    let memory = nix::sys::memfd::memfd_create("filter", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)
        .map_err(failed)?;
    filter.export_bpf(&memory).map_err(|e| system("write the filter")(std::io::Error::other(e)))?;
    let mut file = std::fs::File::from(memory);
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(system("read the filter"))?;
    Ok(bytes.chunks_exact(size_of::<libc::sock_filter>()).map(instruction).collect())
}

/// `struct sock_filter` (linux/filter.h) in this machine's byte order.
fn instruction(bytes: &[u8]) -> libc::sock_filter {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    libc::sock_filter {
        code: u16::from_ne_bytes([byte(0), byte(1)]),
        jt: byte(2),
        jf: byte(3),
        k: u32::from_ne_bytes([byte(4), byte(5), byte(6), byte(7)]),
    }
}

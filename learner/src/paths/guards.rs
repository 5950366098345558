//! Places over which no rule is ever widened by a guess.
//!
//! Numbers that the kernel gives (process ids below /proc) are no guess: a rule for `/proc/123/mem` would allow nothing in
//! the next run, and who may read it is decided by the kernel's ptrace checks besides.

use std::collections::BTreeSet;

use tracer::recording::{Access, ByteString};

use super::classes;
use crate::policy::{Part, Pattern};

/// A place, and why a rule that reaches it must be read by a person as it is.
struct Guard {
    /// A path, or a tree when it ends in `/`. `*` stands for one segment.
    place: &'static str,
    why: &'static str,
}

const fn guard(place: &'static str, why: &'static str) -> Guard {
    Guard { place, why }
}

/// The table. Reasons are those of hier(7), proc(5), credentials(7) and the named programs' manuals.
const TABLE: [Guard; 23] = [
    guard("/dev/mem", "the machine's memory"),
    guard("/dev/kmem", "the kernel's memory"),
    guard("/dev/mapper/", "raw disks"),
    guard("/dev/disk/", "raw disks"),
    guard("/etc/shadow", "password hashes"),
    guard("/etc/gshadow", "password hashes"),
    guard("/etc/ssh/", "host keys"),
    guard("/etc/ssl/private/", "private keys"),
    guard("/home/*/.ssh/", "private keys"),
    guard("/proc/*/environ", "secrets in the environment"),
    guard("/proc/*/mem", "another process's memory"),
    guard("/proc/kcore", "the kernel's memory"),
    guard("/proc/sys/", "the kernel's settings"),
    guard("/root/", "the administrator's files"),
    guard("/run/containerd/", "an engine's socket is root on the host"),
    guard("/run/crio/", "an engine's socket is root on the host"),
    guard("/run/docker.sock", "an engine's socket is root on the host"),
    guard("/run/podman/", "an engine's socket is root on the host"),
    guard("/run/secrets/", "secrets that an orchestrator mounts"),
    guard("/run/systemd/", "the service manager's sockets, and credentials"),
    guard("/sys/kernel/", "the kernel's settings and secrets"),
    guard("/var/run/docker.sock", "an engine's socket is root on the host"),
    guard("/var/run/secrets/", "secrets that an orchestrator mounts"),
];

/// A path in each place of the table, and why that is one.
pub(crate) fn examples() -> impl Iterator<Item = (String, &'static str)> {
    TABLE.iter().map(|Guard { place, why }| {
        let below = if place.ends_with('/') { "x" } else { "" };
        (format!("{}{below}", place.replace('*', "1")), *why)
    })
}

/// What a project says of its places, beside the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Trees whose names are made up, and where names may be written that were not seen.
    pub volatile: BTreeSet<ByteString>,
    /// Places over which nothing is widened: paths, or trees when they end in `/`. `*` stands for one segment.
    pub sensitive: BTreeSet<ByteString>,
}

impl Settings {
    /// Names in this directory are made up.
    pub(super) fn is_volatile(&self, directory: &[u8]) -> bool {
        let below = |tree: &ByteString| {
            let rest = directory.strip_prefix(tree.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        classes::is_volatile(directory) || self.volatile.iter().any(below)
    }

    /// What a wildcard in this directory risks, in bits of the description that it must save.
    pub(super) fn risk(&self, directory: &[u8]) -> u64 {
        if self.is_volatile(directory) {
            return 8;
        }
        let below = |(tree, _, _): &&(&str, u64, &str)| {
            let rest = directory.strip_prefix(tree.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        RISKS.iter().find(below).map_or(48, |(_, bits, _)| *bits)
    }
}

/// What reading names that were not seen risks, by tree (hier(7)); 48 bits elsewhere, which are six letters.
const RISKS: [(&str, u64, &str); 8] = [
    ("/etc", 96, "configuration, with secrets among it"),
    ("/home", 96, "people's files"),
    ("/lib", 24, "the distribution's, for everybody to read"),
    ("/proc", 192, "processes and the kernel"),
    ("/sys", 192, "the kernel"),
    ("/usr/lib", 24, "the distribution's, for everybody to read"),
    ("/usr/share", 16, "the distribution's, for everybody to read"),
    ("/var/cache", 24, "what can be made again"),
];

/// Such an access changes something.
pub(crate) fn changes(access: Access) -> bool {
    use Access::{Chdir, Exec, Getattr, Lock, MmapExec, Read};
    !matches!(access, Read | Getattr | Lock | Chdir | Exec | MmapExec)
}

/// A path of the pattern is in a place that is guarded; gives the reason.
pub(crate) fn why(pattern: &Pattern, settings: &Settings) -> Option<&'static str> {
    let segments = segments(pattern);
    let table = TABLE
        .iter()
        .find(|guard| reaches(guard.place.as_bytes(), &segments))
        .map(|guard| guard.why);
    let own = || settings.sensitive.iter().any(|place| reaches(place.as_bytes(), &segments));
    table.or_else(|| own().then_some("the project says that it is sensitive"))
}

/// The pattern's segments, each a pattern; no class crosses a `/`.
pub(super) fn segments(pattern: &Pattern) -> Vec<Pattern> {
    let mut segments = vec![Pattern::default()];
    for part in &pattern.0 {
        match part {
            Part::Class { .. } => {
                segments.last_mut().into_iter().for_each(|s| s.0.push(part.clone()))
            }
            Part::Literal(bytes) => {
                for (at, piece) in bytes.as_bytes().split(|b| *b == b'/').enumerate() {
                    if at > 0 {
                        segments.push(Pattern::default());
                    }
                    if let Some(segment) = segments.last_mut().filter(|_| !piece.is_empty()) {
                        segment.0.push(Part::Literal(piece.into()));
                    }
                }
            }
        }
    }
    segments
}

fn reaches(place: &[u8], segments: &[Pattern]) -> bool {
    let (tree, place) = match place.strip_suffix(b"/") {
        Some(place) => (true, place),
        None => (false, place),
    };
    let mut segments = segments.iter();
    place.split(|b| *b == b'/').all(|p| segments.next().is_some_and(|s| p == b"*" || s.matches(p)))
        && (tree || segments.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Class;

    #[test]
    fn sensitive_places_are_known_and_others_not() {
        let why = |path: &str| why(&Pattern::literal(path.as_bytes()), &Settings::default());
        for path in [
            "/etc/shadow",
            "/proc/12/mem",
            "/run/secrets",
            "/run/secrets/a/b",
            "/root/.ssh/id_ed25519",
            "/run/docker.sock",
        ] {
            assert!(why(path).is_some(), "{path}");
        }
        for path in [
            "/etc/shadow2",
            "/proc/12/maps",
            "/run/secret",
            "/tmp/x",
            "/run/docker.sock/x",
            "/",
            "",
        ] {
            assert!(why(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_pattern_that_could_reach_one_is_found() {
        let pattern = |before: &str, after: &str| {
            Pattern(vec![
                Part::Literal(before.into()),
                Part::Class { class: Class::Mktemp },
                Part::Literal(after.into()),
            ])
        };
        let why = |pattern: &Pattern| why(pattern, &Settings::default());
        assert!(why(&pattern("/run/", "/x")).is_some(), "/run/secrets/x");
        assert!(why(&pattern("/run/sec", "/x")).is_none(), "nothing guarded is named so");
        assert!(why(&pattern("/tmp/", "/x")).is_none());
    }

    #[test]
    fn rows_are_paths_with_reasons() {
        for guard in TABLE {
            assert!(guard.place.starts_with('/') && !guard.why.is_empty(), "{}", guard.place);
        }
    }
}

//! Facts: what was seen, each with its evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use ecow::EcoString;
use enumset::{EnumSet, EnumSetType};
use serde::{Deserialize, Serialize};

use super::{ByteString, FewMap, Units};
use crate::abi::Abi;

/// One thing seen: who did it, how that process was started, and what it was.
///
/// The order of facts in a file is the byte order of their JSON, see [`super::key`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// The executable of the process, as a path resolved in the container's root.
    pub domain: ByteString,
    /// Who started the process.
    pub origin: Origin,
    /// What it did.
    pub what: What,
}

/// Who started a process.
#[derive(Debug, Hash, PartialOrd, Ord, Serialize, Deserialize, EnumSetType)]
#[serde(rename_all = "lowercase")]
#[enumset(serialize_repr = "list")]
pub enum Origin {
    /// The recorded command, or a container's entry point.
    Entry,
    /// A session that was started in a running container (`docker exec`).
    Exec,
    /// A container engine's health check.
    Healthcheck,
    /// What starts the program, after the boundary: a container runtime, or `learn` itself. The filter that will be
    /// enforced is asked about these calls too.
    Runtime,
}

/// The kinds of fact. Names that may be missing are boxed: they would make every other fact larger, of which there may be a million.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum What {
    /// A system call. Failed calls count too: a filter acts before success is known.
    Call {
        /// The calling convention, which decides what the number means.
        abi: Abi,
        /// The number, as the ABI counts (x32 numbers with their bit 30).
        nr: u32,
        /// The name, or `None` for a number that the tables don't know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Box<str>>,
        /// The arguments that mean something, or `None` for a call that has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Args>,
    },
    /// A file access, by the path that the kernel mediates.
    File {
        /// Absolute, symlinks resolved, in the process's root.
        path: ByteString,
        /// What was done.
        access: Access,
        /// The second path of `link` (the existing file) and `rename` (the new name).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<ByteString>,
    },
    /// The domain ran a program.
    Exec {
        /// The file that was executed, which may be a script.
        path: ByteString,
        /// The interpreter that the kernel ran instead, when `path` is a script.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interpreter: Option<ByteString>,
        /// The ELF loader that the program (or its interpreter) asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        loader: Option<ByteString>,
    },
    /// A capability that a check asked for.
    Capability {
        /// `CAP_…`, or `CAP_<number>` for one that the tables don't know.
        name: EcoString,
        /// The user namespace that it was asked in: `true` for the initial one.
        initial_namespace: bool,
        /// The call that the check served; `None` outside of a call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<Box<str>>,
        /// `true` for a check that the kernel makes without need; it makes no rule.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        probe: bool,
    },
    /// A socket was made.
    Socket {
        /// `AF_…` number.
        family: u32,
        /// `SOCK_…` number without its flag bits.
        #[serde(rename = "type")]
        kind: u32,
        /// The protocol number.
        protocol: u32,
    },
    /// A socket was given an address, or a peer.
    Address {
        /// bind, listen, connect or send.
        action: SocketAction,
        /// `AF_…` number.
        family: u32,
        /// Port for IP families.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// The address's class, never the address: `loopback`, `any`, `private`, `multicast`, `public`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<Box<str>>,
        /// A unix socket's path, or `@name` for an abstract one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<ByteString>,
    },
    /// A signal was sent to another process.
    Signal {
        /// The signal's number.
        signal: u32,
        /// The receiver is in the recorded process tree.
        inside: bool,
    },
    /// A call ended that never began: another filter denied it. Training under it hides needs.
    Denied {
        /// The calling convention.
        abi: Abi,
        /// The number.
        nr: u32,
        /// The name, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Box<str>>,
        /// The arguments that mean something, or `None` for a call that has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Args>,
    },
}

/// The argument values of a call, by index; only those that the table `abi::arguments` names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Args {
    /// The values of one call; most facts are about something else, and have no room for them.
    Values(Box<BTreeMap<u8, u64>>),
    /// More different values than the recorder keeps.
    Many,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is named after the operation that it is")]
pub enum Access {
    Read,
    Write,
    Append,
    Create,
    Delete,
    Rename,
    Link,
    Symlink,
    Mkdir,
    Rmdir,
    Mknod,
    Chmod,
    Chown,
    Truncate,
    Setattr,
    Getattr,
    Lock,
    LockExclusive,
    MmapExec,
    Exec,
    /// A directory became the current or root directory.
    Chdir,
}

/// What was done to a socket's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is named after the operation that it is")]
pub enum SocketAction {
    Bind,
    Listen,
    Connect,
    Send,
}

/// What one run saw of a fact. Joining is a least upper bound, so merging a run with itself changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// How often it was seen.
    pub count: u64,
    /// How it ended: `ok` or the errno's name. What is missing to `count` never returned.
    #[serde(default, skip_serializing_if = "FewMap::is_empty")]
    pub outcomes: FewMap<EcoString, u64>,
    /// The recorder stopped counting once it knew: `count` is a lower bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// For a file: an access was made by a process that does not own the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_owner: bool,
    /// The named parts of the run that it was seen in, by their places in [`super::Run::units`].
    #[serde(default, skip_serializing_if = "Units::is_empty")]
    pub units: Units,
    /// The phases it was seen in.
    #[serde(default, skip_serializing_if = "EnumSet::is_empty")]
    pub phases: EnumSet<Phase>,
    /// The process that did it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Witness>,
}

/// A part of a service's life.
#[derive(Debug, Hash, PartialOrd, Ord, Serialize, Deserialize, EnumSetType)]
#[serde(rename_all = "lowercase")]
#[enumset(serialize_repr = "list")]
#[expect(missing_docs, reason = "each is named after the phase that it is")]
pub enum Phase {
    Startup,
    Serving,
    Shutdown,
}

/// Who did something first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Milliseconds since the run's start; in four bytes, as there may be a million witnesses. What comes later than 49 days has the
    /// highest number.
    pub ms: u32,
    /// Process id in the recorder's pid namespace.
    pub pid: u32,
}

impl Witness {
    /// A process that did something so long after the run's start.
    pub fn new(after: Duration, pid: u32) -> Self {
        Self { ms: after.as_millis().try_into().unwrap_or(u32::MAX), pid }
    }
}

impl Seen {
    /// The outcome's name of an access or call that succeeded.
    pub const OK: &str = "ok";

    /// Seen `count` times, each ending in `outcome`.
    pub fn ending(outcome: &str, count: u64) -> Self {
        let outcomes = std::iter::once((EcoString::from(outcome), count)).collect();
        Self { count, outcomes, ..Self::default() }
    }

    /// It succeeded at least once.
    pub fn succeeded(&self) -> bool {
        self.outcomes.contains_key(Self::OK)
    }

    /// Adds a later observation of the same run.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        for (outcome, count) in &other.outcomes {
            let mine = self.outcomes.entry(outcome.clone()).or_default();
            *mine = mine.saturating_add(*count);
        }
        self.union(other);
    }

    /// Joins what two files say of the same run.
    pub fn join(&mut self, other: &Self) {
        self.count = self.count.max(other.count);
        for (outcome, count) in &other.outcomes {
            let mine = self.outcomes.entry(outcome.clone()).or_default();
            *mine = (*mine).max(*count);
        }
        self.union(other);
    }

    fn union(&mut self, other: &Self) {
        self.at_least |= other.at_least;
        self.not_owner |= other.not_owner;
        self.units.union(&other.units);
        self.phases |= other.phases;
        self.first = match (self.first, other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the count of those that share it and malloc's own word these are 160 bytes; one more, and glibc takes a block of 176.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_line_fits_into_its_block() {
        assert!(
            size_of::<crate::recording::Line>() + size_of::<usize>() <= 160 - size_of::<usize>()
        );
    }

    #[test]
    fn a_witness_of_very_late_has_the_highest_number() {
        assert_eq!(Witness::new(Duration::from_micros(2999), 1).ms, 2);
        assert_eq!(Witness::new(Duration::from_secs(60 * 86_400), 1).ms, u32::MAX);
    }
}

//! Putting a recording together, when nothing changes any more: what arrived, and what the kernel has counted.

use std::collections::{BTreeMap, HashMap, HashSet};

use ecow::EcoString;

use crate::abi::{arguments, calls, capabilities};
use crate::course::Stamp;
use crate::decode::{self, Call, sockets};
use crate::recording::{
    Access, Args, ByteString, Completion, Fact, Origin, Recording, Seen, What, Witness,
};
use crate::session::RecordError;

use super::facts::{self, Told};
use super::programs::Programs;
use super::timeline::Timeline;
use super::wire::{self, CallKey, Count, is, origin, outcome};

/// Facts of a record that arrived, until it is known how often it was seen.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) domain: u64,
    pub(super) by: By,
    pub(super) told: Told,
    pub(super) first: Witness,
    /// The kernel forgot it and sent it again: it was seen at least so often.
    pub(super) arrived: u64,
}

impl Kept {
    /// The files that are open after it.
    fn open(&self) -> impl Iterator<Item = Open<'_>> {
        self.told.open().map(|(path, access)| (self.by.container, path, access))
    }
}

/// A file of a container that is open to read or to write.
type Open<'a> = (u32, &'a ByteString, Access);

/// The files that programs began with and that somebody who is recorded has opened.
fn given_by_recorded(kept: &HashMap<u64, Vec<Kept>>) -> HashSet<Open<'_>> {
    let all = |inherited| {
        kept.values()
            .flatten()
            .filter(move |kept| kept.told.inherited == inherited)
            .flat_map(Kept::open)
    };
    let given: HashSet<_> = all(true).collect();
    if given.is_empty() { given } else { all(false).filter(|file| given.contains(file)).collect() }
}

/// Whose doing something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct By {
    /// The container's number, 0 for a command.
    pub(super) container: u32,
    pub(super) origin: Origin,
}

impl By {
    /// Reads what the kernel says of a task.
    pub(super) fn of(session: u16, phase: u8) -> Self {
        let container = u32::from(session >> wire::ORIGIN_BITS);
        let origin = match session & ((1 << wire::ORIGIN_BITS) - 1) {
            _ if phase == wire::STARTING => Origin::Runtime,
            origin::SESSION => Origin::Exec,
            origin::HEALTHCHECK => Origin::Healthcheck,
            _ => Origin::Entry,
        };
        Self { container, origin }
    }

    /// The same container's, by the program itself or by who started it.
    pub(super) fn with(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }
}

/// A recording being put together.
pub(super) struct Assembly<'a> {
    pub(super) recording: Recording,
    pub(super) completion: &'a mut Completion,
    /// The programs by what the kernel calls them.
    pub(super) domains: &'a HashMap<u64, ByteString>,
    /// The run of each container that is asked for.
    pub(super) runs: &'a BTreeMap<u32, String>,
    /// What every fact has: the unit.
    pub(super) stamp: &'a Stamp,
    /// Which units saw what, once there was a mark.
    pub(super) timeline: &'a Timeline,
    /// What io_uring does to files is seen.
    pub(super) sees_operations: bool,
    pub(super) started_ns: u64,
}

/// A time of the kernel's, and who, as evidence has it.
pub(super) fn witness(started_ns: u64, at_ns: u64, pid: u32) -> Witness {
    Witness { ms: at_ns.saturating_sub(started_ns) / 1_000_000, pid }
}

impl<'a> Assembly<'a> {
    /// Everything that arrived, with the numbers that the kernel has counted (none while it counts on), and all the calls.
    pub(super) fn fill(
        &mut self,
        kept: &HashMap<u64, Vec<Kept>>,
        counts: &HashMap<u64, u64>,
        programs: &Programs,
    ) -> Result<(), RecordError> {
        let given = given_by_recorded(kept);
        #[expect(clippy::iter_over_hash_type, reason = "adding does not depend on the order")]
        for (hash, all) in kept {
            for kept in all {
                if kept.told.inherited && !kept.open().any(|file| given.contains(&file)) {
                    continue;
                }
                self.kept(
                    kept,
                    counts.get(hash).copied(),
                    self.when(self.timeline.of_record(*hash)),
                );
            }
        }
        for (key, count) in programs.calls()? {
            if key.outcome != outcome::KNOWN {
                self.call(&key, &count);
            }
        }
        for (key, count) in programs.capabilities()? {
            let call = facts::call_name(key.abi, key.nr);
            let name = capabilities::name(u32::from(key.capability));
            let probe = capabilities::is_probe(
                &name,
                call.as_deref(),
                key.needless != 0,
                key.unaudited != 0,
            );
            let what = What::Capability {
                name: name.into(),
                initial_namespace: key.initial_namespace != 0,
                call: call.map(EcoString::from),
                probe,
            };
            let outcome = if key.granted != 0 { Seen::OK } else { "EPERM" };
            let mut seen = self.counted(&count, Some(outcome.to_owned()));
            self.when(self.timeline.of_capability(&key)).put_on(&mut seen);
            self.add(key.domain, By::of(key.session, key.phase), what, &seen);
        }
        for (key, count) in programs.signals()? {
            let what = What::Signal { signal: key.signal, inside: key.inside != 0 };
            let mut seen = self.counted(&count, Some(Seen::OK.to_owned()));
            self.when(self.timeline.of_signal(&key)).put_on(&mut seen);
            self.add(key.domain, By::of(key.session, key.phase), what, &seen);
        }
        Ok(())
    }

    /// `count` is absent when the kernel has forgotten it.
    fn kept(&mut self, kept: &Kept, count: Option<u64>, stamp: &Stamp) {
        let mut seen = kept.told.seen(count.unwrap_or(1).max(kept.arrived));
        seen.at_least = kept.arrived > 1 || count.is_none();
        seen.first = Some(kept.first);
        stamp.put_on(&mut seen);
        for what in &kept.told.facts {
            self.add(kept.domain, kept.by, what.clone(), &seen);
        }
    }

    fn call(&mut self, key: &CallKey, count: &Count) {
        let abi = facts::abi(key.abi);
        let name = calls::name(abi, key.nr);
        let by = By::of(key.session, key.phase);
        let wanted = name.into_iter().flat_map(|name| arguments::recorded(abi, name));
        let values: BTreeMap<u8, u64> =
            wanted.zip(key.args).map(|(a, value)| (a.index, u64::from(value))).collect();
        let args = if values.is_empty() {
            None
        } else if key.is & is::MANY != 0 {
            Some(Args::Many)
        } else {
            Some(Args::Values(values))
        };
        let mut seen = self.counted(count, facts::outcome_name(key.outcome));
        self.when(self.timeline.of_call(key)).put_on(&mut seen);
        if key.is & is::DENIED != 0 {
            self.completion.notes.insert(DENIED.to_owned());
            let what = What::Denied { abi, nr: key.nr, name: name.map(EcoString::from), args };
            self.add(key.domain, by, what, &seen);
            return;
        }
        if name.is_some_and(|name| decode::IO_URING.contains(&name)) {
            let note = if self.sees_operations { OPERATIONS_SEEN } else { decode::IO_URING_NOTE };
            self.completion.notes.insert(note.to_owned());
        }
        let what = What::Call { abi, nr: key.nr, name: name.map(EcoString::from), args };
        self.add(key.domain, by, what, &seen);
        if matches!(name, Some("socket" | "socketpair")) && key.is & is::MANY == 0 {
            let mut args = [0; 6];
            for (arg, value) in args.iter_mut().zip(key.args) {
                *arg = u64::from(value);
            }
            let made = sockets::made(&Call { abi, nr: key.nr, args, result: None });
            self.add(key.domain, by, made, &seen);
        }
    }

    /// A call that was under way when the recording ended.
    pub(super) fn unfinished(&mut self, task: &wire::Task, call: &Call, tid: u32, now_ns: u64) {
        let mut seen = Seen {
            count: 1,
            first: Some(witness(self.started_ns, now_ns, tid)),
            ..Seen::default()
        };
        self.stamp.put_on(&mut seen);
        self.add(task.domain, By::of(task.session, task.phase), call.fact(), &seen);
    }

    /// When something was seen: as it was read at the marks, or the one unit where there was none.
    fn when(&self, marked: Option<&'a Stamp>) -> &'a Stamp {
        if self.timeline.is_read() { marked.unwrap_or(self.stamp) } else { self.stamp }
    }

    fn counted(&self, count: &Count, outcome: Option<String>) -> Seen {
        let mut seen = outcome.map_or_else(Seen::default, |o| Seen::ending(&o, count.count));
        seen.count = count.count;
        seen.first = Some(witness(self.started_ns, count.first_ns, count.first_pid));
        seen
    }

    fn add(&mut self, domain: u64, by: By, what: What, seen: &Seen) {
        let Some(run) = self.runs.get(&by.container) else { return };
        let Some(path) = self.domains.get(&domain) else {
            self.completion.lose("facts of programs whose name was lost", 1);
            return;
        };
        self.recording.add(run, Fact { domain: path.clone(), origin: by.origin, what }, seen);
    }
}

const OPERATIONS_SEEN: &str =
    "io_uring was used: what it did to files is seen, what it did with sockets is not";

const DENIED: &str =
    "a filter that was there already refused calls: what they were needed for is not seen";

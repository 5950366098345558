//! Adds to what arrived what the kernel has counted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::abi::{arguments, calls, capabilities};
use crate::course::Stamp;
use crate::decode::{self, Call, sockets};
use crate::recording::{Args, Completion, Fact, Recording, Seen, What, Witness};
use crate::session::RecordError;

use super::facts;
use super::gathered::{By, Gathered, NAMELESS};
use super::programs::Programs;
use super::timeline::Timeline;
use super::wire::{self, CallKey, Count, is, outcome};

/// A recording being put together.
pub(super) struct Assembly<'a> {
    pub(super) recording: Recording,
    pub(super) completion: &'a mut Completion,
    /// What arrived, for the names of programs.
    pub(super) gathered: &'a Gathered,
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
    Witness::new(Duration::from_nanos(at_ns.saturating_sub(started_ns)), pid)
}

impl<'a> Assembly<'a> {
    /// All that the kernel has counted.
    pub(super) fn fill(&mut self, programs: &Programs) -> Result<(), RecordError> {
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
                call: call.map(Box::from),
                probe,
            };
            let outcome = if key.granted != 0 { Seen::OK } else { "EPERM" };
            let mut seen = self.counted(&count, Some(outcome.to_owned()));
            self.timeline.when(self.timeline.of_capability(&key), self.stamp).put_on(&mut seen);
            self.add(key.domain, By::of(key.session, key.phase), what, &seen);
        }
        for (key, count) in programs.signals()? {
            let what = What::Signal { signal: key.signal, inside: key.inside != 0 };
            let mut seen = self.counted(&count, Some(Seen::OK.to_owned()));
            self.timeline.when(self.timeline.of_signal(&key), self.stamp).put_on(&mut seen);
            self.add(key.domain, By::of(key.session, key.phase), what, &seen);
        }
        Ok(())
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
            Some(Args::Values(Box::new(values)))
        };
        let mut seen = self.counted(count, facts::outcome_name(key.outcome));
        self.timeline.when(self.timeline.of_call(key), self.stamp).put_on(&mut seen);
        if key.is & is::DENIED != 0 {
            self.completion.notes.insert(DENIED.to_owned());
            let what = What::Denied { abi, nr: key.nr, name: name.map(Box::from), args };
            self.add(key.domain, by, what, &seen);
            return;
        }
        if name.is_some_and(|name| decode::IO_URING.contains(&name)) {
            let note = if self.sees_operations { OPERATIONS_SEEN } else { decode::IO_URING_NOTE };
            self.completion.notes.insert(note.to_owned());
        }
        let what = What::Call { abi, nr: key.nr, name: name.map(Box::from), args };
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
    pub(super) fn under_way(&mut self, task: &wire::Task, call: &Call, tid: u32, now_ns: u64) {
        let mut seen = Seen {
            count: 1,
            first: Some(witness(self.started_ns, now_ns, tid)),
            ..Seen::default()
        };
        self.stamp.put_on(&mut seen);
        self.add(task.domain, By::of(task.session, task.phase), call.fact(), &seen);
    }

    fn counted(&self, count: &Count, outcome: Option<String>) -> Seen {
        let mut seen = outcome.map_or_else(Seen::default, |o| Seen::ending(&o, count.count));
        seen.count = count.count;
        seen.first = Some(witness(self.started_ns, count.first_ns, count.first_pid));
        seen
    }

    fn add(&mut self, domain: u64, by: By, what: What, seen: &Seen) {
        let Some(run) = self.runs.get(&by.container) else { return };
        let Some(path) = self.gathered.name_of(domain) else {
            self.completion.lose(NAMELESS, 1);
            return;
        };
        self.recording.add(run, Fact { domain: path.clone(), origin: by.origin, what }, seen);
    }
}

const OPERATIONS_SEEN: &str =
    "io_uring was used: what it did to files is seen, what it did with sockets is not";

const DENIED: &str =
    "a filter that was there already refused calls: what they were needed for is not seen";

//! What arrived: facts, put into the recording at once, and what is needed to tell of them at the end how often they were seen.
//!
//! There may be a million of them, so nothing is kept twice: a record is here no more than the lines that it led to.

use std::collections::{BTreeMap, HashMap, HashSet};

use smallvec::SmallVec;
use triomphe::Arc;

use crate::course::Stamp;
use crate::decode::files;
use crate::recording::{
    Access, ByteString, Completion, Fact, Line, Origin, Recording, Seen, What, Witness,
};
use crate::run;

use super::facts::{Told, outcome_name};
use super::wire::{self, origin};

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

/// What a record told, when it came: of a program by the number that the kernel gives it.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) domain: u64,
    pub(super) by: By,
    pub(super) told: Told,
    pub(super) first: Witness,
}

/// A record that has arrived: what it led to, and how that ended.
#[derive(Clone, Debug, Default)]
struct Record {
    lines: SmallVec<[Arc<Line>; 2]>,
    container: u32,
    /// In the kernel's numbers.
    outcome: u16,
    /// The kernel forgot it and sent it again: it was seen at least so often. Two bytes, as there may be a million records.
    arrived: u16,
}

/// A file that is open in a run, and what for.
type Open = (String, ByteString, Access);

/// Everything that has arrived.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    recording: Recording,
    /// The run of each container by its number.
    runs: BTreeMap<u32, String>,
    /// The programs by what the kernel calls them.
    domains: HashMap<u64, ByteString>,
    records: HashMap<u64, Record>,
    /// Of programs whose name has not come, by their records.
    nameless: Vec<(u64, Came)>,
    /// The files that programs began with: they matter when somebody who is recorded has opened them.
    inherited: Vec<(u64, Came)>,
}

impl Gathered {
    /// Whether this record has arrived before; then it is counted.
    pub(super) fn again(&mut self, hash: u64) -> bool {
        let known = self.records.get_mut(&hash);
        known.map(|record| record.arrived = record.arrived.saturating_add(1)).is_some()
    }

    pub(super) fn has(&self, hash: u64) -> bool {
        self.records.contains_key(&hash)
    }

    /// How many facts are known.
    pub(super) fn len(&self) -> usize {
        self.recording.len()
    }

    /// A program's name.
    pub(super) fn name(&mut self, domain: u64, path: ByteString) {
        self.domains.insert(domain, path);
    }

    pub(super) fn name_of(&self, domain: u64) -> Option<&ByteString> {
        self.domains.get(&domain)
    }

    /// The run of a container, which is new when it is met.
    pub(super) fn run(&mut self, container: u32) -> &str {
        self.runs.entry(container).or_insert_with(run::new_id)
    }

    /// A record has arrived for the first time, and told all this.
    pub(super) fn take(&mut self, hash: u64, all: Vec<Came>) {
        self.records.insert(hash, Record { arrived: 1, ..Record::default() });
        for came in all {
            if came.told.inherited {
                self.inherited.push((hash, came));
            } else if let Some(came) = self.place(hash, came) {
                self.nameless.push((hash, came));
            }
        }
    }

    /// Puts it into the recording; gives it back when nobody knows the program.
    fn place(&mut self, hash: u64, came: Came) -> Option<Came> {
        let Some(domain) = self.domains.get(&came.domain).cloned() else { return Some(came) };
        let Came { by, told, first, .. } = came;
        let seen = Seen { first: Some(first), ..told.seen(1) };
        let run = self.run(by.container).to_owned();
        let record = self.records.entry(hash).or_default();
        (record.container, record.outcome) = (by.container, told.outcome);
        for what in told.facts {
            let fact = Fact { domain: domain.clone(), origin: by.origin, what };
            record.lines.push(self.recording.put(&run, fact, &seen));
        }
        None
    }

    /// The runs of the containers that something is known of.
    pub(super) fn runs(&self) -> BTreeMap<u32, String> {
        self.runs.clone()
    }

    /// The recording as it is now. How often things were seen only the kernel knows: it has them once.
    pub(super) fn so_far<'a>(&self, when: impl Fn(u64) -> &'a Stamp) -> Recording {
        let mut recording = self.recording.clone();
        let records = self.records.iter().map(|(hash, record)| (*hash, record.clone()));
        self.tell(&mut recording, records, |_| Some(1), &when);
        self.tell_inherited(&mut recording, |_| None, when);
        recording
    }

    /// The recording of the containers that have these runs, with how often each record was seen (`None` when the kernel has forgotten
    /// it) and when.
    pub(super) fn finish<'a>(
        &mut self,
        runs: &BTreeMap<u32, String>,
        completion: &mut Completion,
        count: impl Fn(u64) -> Option<u64>,
        when: impl Fn(u64) -> &'a Stamp,
    ) -> Recording {
        for (hash, came) in std::mem::take(&mut self.nameless) {
            if let Some(came) = self.place(hash, came)
                && runs.contains_key(&came.by.container)
            {
                completion.lose(NAMELESS, came.told.facts.len() as u64);
            }
        }
        let mut recording = std::mem::take(&mut self.recording);
        let records = std::mem::take(&mut self.records);
        self.tell(&mut recording, records, &count, &when);
        self.tell_inherited(&mut recording, count, when);
        self.keep(&mut recording, runs);
        recording
    }

    /// Leaves the containers out that have no run here. Several may have the same one.
    fn keep(&self, recording: &mut Recording, runs: &BTreeMap<u32, String>) {
        let kept = self.runs.iter().filter_map(|(number, id)| Some((&**id, &**runs.get(number)?)));
        let kept: BTreeMap<&str, &str> = kept.collect();
        if kept.len() < self.runs.len() || kept.iter().any(|(own, run)| own != run) {
            recording.regroup(&kept);
        }
    }

    /// Adds to the lines that each record led to how often and when it was seen.
    fn tell<'a>(
        &self,
        recording: &mut Recording,
        records: impl IntoIterator<Item = (u64, Record)>,
        count: impl Fn(u64) -> Option<u64>,
        when: impl Fn(u64) -> &'a Stamp,
    ) {
        for (hash, Record { lines, container, outcome, arrived }) in records {
            let Some(run) = self.runs.get(&container) else { continue };
            let (count, arrived) = (count(hash), u64::from(arrived));
            // Each line has it once.
            let more = count.unwrap_or(1).max(arrived).saturating_sub(1);
            let outcome = outcome_name(outcome).unwrap_or_default();
            let mut seen = if more > 0 { Seen::ending(&outcome, more) } else { Seen::default() };
            seen.at_least = arrived > 1 || count.is_none();
            when(hash).put_on(&mut seen);
            if seen != Seen::default() {
                lines.into_iter().for_each(|line| recording.put_again(run, line, &seen));
            }
        }
    }

    /// Of the files that programs began with, tells of those that somebody who is recorded opened.
    fn tell_inherited<'a>(
        &self,
        recording: &mut Recording,
        count: impl Fn(u64) -> Option<u64>,
        when: impl Fn(u64) -> &'a Stamp,
    ) {
        let all = || {
            let run = |came: &Came| self.runs.get(&came.by.container);
            self.inherited.iter().filter_map(move |(hash, came)| Some((*hash, came, run(came)?)))
        };
        let open = |came: &Came, run: &str| -> Vec<Open> {
            let files = came.told.open();
            files.map(|(path, access)| (run.to_owned(), path.clone(), access)).collect()
        };
        let wanted: HashSet<Open> = all().flat_map(|(_, came, run)| open(came, run)).collect();
        if wanted.is_empty() {
            return;
        }
        let mut given = HashSet::new();
        for (fact, runs) in recording.iter() {
            let What::File { path, access, .. } = &fact.what else { continue };
            let Some(access) = files::opened_for(*access) else { continue };
            let by = runs.iter().filter(|(_, seen)| seen.succeeded());
            let files = by.map(|(run, _)| (run.to_string(), path.clone(), access));
            given.extend(files.filter(|file| wanted.contains(file)));
        }
        for (hash, came, run) in all() {
            let Some(domain) = self.domains.get(&came.domain) else { continue };
            if !open(came, run).iter().any(|file| given.contains(file)) {
                continue;
            }
            let count = count(hash);
            let mut seen = Seen { first: Some(came.first), ..came.told.seen(count.unwrap_or(1)) };
            seen.at_least = count.is_none();
            when(hash).put_on(&mut seen);
            for what in came.told.facts.clone() {
                let fact = Fact { domain: domain.clone(), origin: came.by.origin, what };
                recording.add(run, fact, &seen);
            }
        }
    }
}

/// What is lost with a program's name.
pub(super) const NAMELESS: &str = "facts of programs whose name was lost";

//! What a recording says, summed up for a person: `learn show`. docs/show.md describes the JSON.

use std::collections::{BTreeMap, BTreeSet};

use ecow::EcoString;
use serde::Serialize;

use super::{
    Access, Args, ByteString, Completion, Degree, Fact, FactKind, Origin, Recording, Run, Runs,
    SocketAction, What, succeeded,
};
use crate::abi::Abi;

/// The value of `format`.
pub const FORMAT: &str = "learn-summary";
/// The version that is written.
pub const VERSION: u32 = 1;

/// What a recording says.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: &'static str,
    /// [`VERSION`].
    pub version: u32,
    /// Every run is complete.
    pub complete: bool,
    /// How many facts there are.
    pub facts: u64,
    /// The runs, by identifier.
    pub runs: BTreeMap<String, RunSummary>,
    /// The programs.
    pub domains: Vec<Row<Domain>>,
    /// The calls, of all programs.
    pub calls: Vec<Row<Call>>,
    /// The files.
    pub files: Vec<Row<File>>,
    /// Which program ran which.
    pub execs: Vec<Row<Exec>>,
    /// The sockets.
    pub sockets: Vec<Row<Socket>>,
    /// Their addresses.
    pub addresses: Vec<Row<Address>>,
    /// The capabilities that were asked for.
    pub capabilities: Vec<Row<Capability>>,
    /// The signals sent.
    pub signals: Vec<Row<Signal>>,
    /// The calls that another filter denied.
    pub denied: Vec<Row<Denied>>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "as in the recording's header and footer")]
pub struct RunSummary {
    pub command: Vec<ByteString>,
    pub backend: String,
    pub kernel: String,
    pub machine: String,
    pub labels: BTreeMap<String, String>,
    pub fidelity: BTreeMap<FactKind, Degree>,
    /// How many facts it saw.
    pub facts: u64,
    /// The names of its units, in the order in which they were marked.
    pub units: Vec<String>,
    #[serde(flatten)]
    pub completion: Completion,
}

/// Something, and what all runs saw of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row<T> {
    /// What.
    #[serde(flatten)]
    pub what: T,
    /// How often, by whom.
    pub seen: Total,
}

impl<T> Row<T> {
    fn new(what: T) -> Self {
        Self { what, seen: Total::default() }
    }
}

/// What all runs saw of something.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Total {
    /// How often, over all runs.
    pub count: u64,
    /// `count` is a lower bound.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// How it ended: `ok` or the errno's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, u64>,
    /// The programs that did it.
    pub domains: BTreeSet<ByteString>,
    /// The runs that saw it.
    pub runs: BTreeSet<String>,
}

/// A program.
#[derive(Clone, Debug, Serialize)]
pub struct Domain {
    /// Its file.
    pub path: ByteString,
    /// How its processes were started.
    pub origins: BTreeSet<Origin>,
    /// How many facts are about it.
    pub facts: u64,
}

/// A call.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// The calling convention.
    pub abi: Abi,
    /// The number.
    pub nr: u32,
    /// The name, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The combinations of arguments, where arguments mean something.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub args: BTreeSet<Args>,
}

/// A file.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    /// Its path.
    pub path: ByteString,
    /// What was done to it.
    pub access: BTreeSet<Access>,
    /// What was tried only.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub failed: BTreeSet<Access>,
    /// The existing files of `link`, the new names of `rename`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<ByteString>,
}

/// One program ran another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "as in the recording's facts")]
pub struct Exec {
    /// Who ran it.
    pub from: ByteString,
    pub origin: Origin,
    pub path: ByteString,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<ByteString>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<ByteString>,
}

/// A kind of socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "as in the recording's facts")]
pub struct Socket {
    pub family: u32,
    #[serde(rename = "type")]
    pub kind: u32,
    pub protocol: u32,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "as in the recording's facts")]
pub struct Address {
    pub action: SocketAction,
    pub family: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<ByteString>,
}

/// A capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "as in the recording's facts")]
pub struct Capability {
    pub name: EcoString,
    pub initial_namespace: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
}

/// A signal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "as in the recording's facts")]
pub struct Signal {
    pub signal: u32,
    pub inside: bool,
}

/// A call that another filter denied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "as in the recording's facts")]
pub struct Denied {
    pub abi: Abi,
    pub nr: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
}

impl Summary {
    /// Sums up a recording.
    pub fn of(recording: &Recording) -> Self {
        let mut builder = Builder::default();
        for (fact, runs) in recording.sorted() {
            builder.add(fact.clone(), runs);
        }
        builder.finish(recording.runs.clone(), recording.completions.clone())
    }
}

type Table<K> = BTreeMap<K, Total>;

/// A summary in the making.
#[derive(Default)]
struct Builder {
    facts: u64,
    of_run: BTreeMap<String, u64>,
    domains: BTreeMap<ByteString, Row<Domain>>,
    calls: BTreeMap<(Abi, u32), Row<Call>>,
    files: BTreeMap<ByteString, Accesses>,
    execs: Table<Exec>,
    sockets: Table<Socket>,
    addresses: Table<Address>,
    capabilities: Table<Capability>,
    signals: Table<Signal>,
    denied: Table<Denied>,
}

#[derive(Default)]
struct Accesses {
    granted: BTreeSet<Access>,
    tried: BTreeSet<Access>,
    targets: BTreeSet<ByteString>,
    total: Total,
}

impl Total {
    fn add(&mut self, domain: &ByteString, runs: &Runs) {
        self.domains.insert(domain.clone());
        for (id, seen) in runs {
            self.runs.insert(id.to_string());
            self.count = self.count.saturating_add(seen.count);
            self.at_least |= seen.at_least;
            for (outcome, count) in &seen.outcomes {
                let mine = self.outcomes.entry(outcome.to_string()).or_default();
                *mine = mine.saturating_add(*count);
            }
        }
    }
}

impl Builder {
    fn add(&mut self, fact: Fact, runs: &Runs) {
        self.facts += 1;
        for id in runs.keys() {
            *self.of_run.entry(id.to_string()).or_default() += 1;
        }
        let Fact { domain, origin, what } = fact;
        let program = self.domains.entry(domain.clone()).or_insert_with(|| {
            let path = domain.clone();
            Row::new(Domain { path, origins: BTreeSet::new(), facts: 0 })
        });
        program.what.origins.insert(origin);
        program.what.facts += 1;
        program.seen.add(&domain, runs);
        let total = match what {
            What::Call { abi, nr, name, args } => {
                let row = self
                    .calls
                    .entry((abi, nr))
                    .or_insert_with(|| Row::new(Call { abi, nr, name, args: BTreeSet::new() }));
                row.what.args.extend(args);
                &mut row.seen
            }
            What::File { path, access, target } => {
                let file = self.files.entry(path).or_default();
                file.tried.insert(access);
                if succeeded(runs) {
                    file.granted.insert(access);
                    file.targets.extend(target);
                }
                &mut file.total
            }
            What::Exec { path, interpreter, loader } => {
                let from = domain.clone();
                self.execs.entry(Exec { from, origin, path, interpreter, loader }).or_default()
            }
            What::Capability { name, initial_namespace, call, probe } => self
                .capabilities
                .entry(Capability { name, initial_namespace, call, probe })
                .or_default(),
            What::Socket { family, kind, protocol } => {
                self.sockets.entry(Socket { family, kind, protocol }).or_default()
            }
            What::Address { action, family, port, class, path } => {
                self.addresses.entry(Address { action, family, port, class, path }).or_default()
            }
            What::Signal { signal, inside } => {
                self.signals.entry(Signal { signal, inside }).or_default()
            }
            What::Denied { abi, nr, name, .. } => {
                self.denied.entry(Denied { abi, nr, name }).or_default()
            }
        };
        total.add(&domain, runs);
    }

    fn finish(
        mut self,
        runs: BTreeMap<String, Run>,
        mut ends: BTreeMap<String, Completion>,
    ) -> Summary {
        let runs: BTreeMap<String, RunSummary> = runs
            .into_iter()
            .map(|(id, run)| {
                let facts = self.of_run.remove(&id).unwrap_or_default();
                let completion = ends.remove(&id).unwrap_or_default();
                let fidelity = run.fidelity.into_iter().map(|(kind, f)| (kind, f.degree)).collect();
                let Run { command, backend, kernel, machine, labels, units, .. } = run;
                let run = RunSummary {
                    command,
                    backend,
                    kernel,
                    machine,
                    labels,
                    fidelity,
                    facts,
                    units,
                    completion,
                };
                (id, run)
            })
            .collect();
        let files = self.files.into_iter().map(|(path, of)| {
            let failed = of.tried.difference(&of.granted).copied().collect();
            let what = File { path, access: of.granted, failed, targets: of.targets };
            Row { what, seen: of.total }
        });
        Summary {
            format: FORMAT,
            version: VERSION,
            complete: runs.values().all(|run| run.completion.complete),
            facts: self.facts,
            runs,
            domains: self.domains.into_values().collect(),
            calls: self.calls.into_values().collect(),
            files: files.collect(),
            execs: rows(self.execs),
            sockets: rows(self.sockets),
            addresses: rows(self.addresses),
            capabilities: rows(self.capabilities),
            signals: rows(self.signals),
            denied: rows(self.denied),
        }
    }
}

fn rows<K>(table: Table<K>) -> Vec<Row<K>> {
    table.into_iter().map(|(what, seen)| Row { what, seen }).collect()
}

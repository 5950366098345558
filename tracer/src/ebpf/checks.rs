//! Watching which capability checks the kernel makes for a command, and nothing else of what it does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::unistd::Pid;

use crate::abi::capabilities;
use crate::recording::ByteString;
use crate::session::{Options, RecordError};

use super::facts;
use super::programs::Programs;
use super::record::{Arrived, Part};
use super::recorder::Recorder;
use super::wire::{CapabilityKey, Count, RUNNING, kind};
use super::{Check, Checks};

/// So often the ring is emptied: it only tells of programs that begin to run.
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// The programs in the kernel, at work for a command.
pub(super) struct Watching {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Programs, Executed, u64)>,
}

impl Watching {
    /// Begins, before the command is released.
    pub(super) fn begin(command: Pid) -> Result<Self, RecordError> {
        let settings = Recorder::new(&Options::default(), None).settings(Some(command))?;
        let mut programs = Programs::load_checks(&settings)?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let work = move || {
            let mut executed = Executed::default();
            loop {
                let last = asked.load(Ordering::Acquire);
                let skipped = if last { programs.detach() } else { 0 };
                programs.drain(|bytes| executed.learn(bytes));
                if last {
                    return (programs, executed, skipped);
                }
                std::thread::sleep(LOOKS_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("checks".to_owned()).spawn(work);
        let thread = thread
            .map_err(|source| RecordError::System { what: "start a thread".to_owned(), source })?;
        Ok(Self { stop, thread })
    }

    /// Ends, and tells the checks that were made.
    pub(super) fn finish(self) -> Result<Checks, RecordError> {
        self.stop.store(true, Ordering::Release);
        let (programs, executed, skipped) =
            self.thread.join().map_err(|_panic| RecordError::System {
                what: "watch capability checks".to_owned(),
                source: std::io::Error::other("the thread ended"),
            })?;
        let lost = skipped + programs.losses()?.iter().map(|(_, count)| count).sum::<u64>();
        let checks = programs.capabilities()?;
        let checks = checks.iter().filter(|(key, _)| key.phase == RUNNING);
        Ok(Checks {
            checks: checks
                .map(|(key, count)| {
                    check(key, count, executed.name(key.domain), executed.ancestors(key.domain))
                })
                .collect(),
            lost,
        })
    }
}

/// The programs that were executed, by what the kernel calls them.
#[derive(Default)]
struct Executed {
    names: HashMap<u64, ByteString>,
    /// Who executed it first.
    by: HashMap<u64, u64>,
}

impl Executed {
    fn learn(&mut self, bytes: &[u8]) {
        if let Some(arrived) = Arrived::read(bytes).filter(|a| a.head.kind == kind::EXEC) {
            let program = arrived.head.other_domain;
            self.names.insert(program, arrived.path(Part::Base));
            self.by.entry(program).or_insert(arrived.head.domain);
        }
    }

    fn name(&self, program: u64) -> ByteString {
        self.names.get(&program).cloned().unwrap_or_default()
    }

    /// Those that led to a program. Programs execute each other in circles.
    fn ancestors(&self, program: u64) -> Vec<ByteString> {
        let mut met = vec![program];
        while let Some(by) = met.last().and_then(|last| self.by.get(last))
            && !met.contains(by)
            && self.names.contains_key(by)
        {
            met.push(*by);
        }
        met.iter().skip(1).map(|program| self.name(*program)).collect()
    }
}

/// A check of a program's, as it was counted.
pub(super) fn check(
    key: &CapabilityKey,
    count: &Count,
    program: ByteString,
    ancestors: Vec<ByteString>,
) -> Check {
    let call = facts::call_name(key.abi, key.nr);
    let capability = capabilities::name(u32::from(key.capability));
    Check {
        program,
        abi: facts::abi(key.abi),
        probe: capabilities::is_probe(
            &capability,
            call.as_deref(),
            key.needless != 0,
            key.unaudited != 0,
        ),
        call,
        capability,
        granted: key.granted != 0,
        bounded: key.bounded != 0,
        counts: key.initial_namespace != 0,
        count: count.count,
        ancestors,
    }
}

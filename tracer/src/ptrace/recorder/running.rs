//! Letting known calls run free: when, which, and what is no longer heard of.

use std::collections::BTreeSet;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::decode::credentials::Credentials;
use crate::recording::{Fact, Origin, Seen};

use super::Recorder;
use crate::ptrace::filter::{self, Free};
use crate::ptrace::free;
use crate::ptrace::inject::{self, Installed};
use crate::ptrace::pending::Pending;
use crate::ptrace::process::Process;
use crate::ptrace::stops::{Resumed, Stopped, Wait};
use crate::ptrace::task;

const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYS_ADMIN: u32 = 21;

impl Recorder {
    /// The thread is at the entry of a call before which its process may be given a filter.
    pub(super) fn may_run_free(&mut self, tid: Pid) -> bool {
        let Some(task) = self.tasks.get(&tid) else { return false };
        let process = task.process;
        let quiet = self.processes.get(&process).is_some_and(Process::is_quiet);
        let call = task.pending.as_ref().map(|pending| &pending.call);
        let may = !self.every_call
            && task.launched
            && quiet
            && call.is_some_and(|call| free::teaches_nothing(call, true));
        // What may stay when the recorder goes must not have a filter that needs it.
        if may && !self.is_below_command(process) {
            self.processes.get_mut(&process).map(Process::observe_to_the_end);
            return false;
        }
        may
    }

    /// The command waits for the process, or for one that does: no daemon.
    fn is_below_command(&self, process: Pid) -> bool {
        let mut process = process;
        while Some(process) != self.command {
            let [_, parent] = task::group_and_parent(process);
            match parent.filter(|parent| self.processes.contains_key(parent)) {
                Some(parent) => process = parent,
                None => return false,
            }
        }
        true
    }

    /// Ends what can not run on without the recorder.
    pub(super) fn end_what_needs_recorder(&mut self) {
        let needs = |pid: &Pid| self.processes.get(pid).is_some_and(Process::needs_recorder);
        let made =
            self.expected.iter().filter(|(_, task)| needs(&task.process)).map(|(pid, _)| pid);
        let all: Vec<Pid> =
            self.processes.keys().filter(|pid| needs(pid)).chain(made).copied().collect();
        let mut ended = 0;
        for process in all.into_iter().filter(|pid| Some(*pid) != self.command) {
            // One that is gone needs nothing.
            ended += u32::from(signal::kill(process, Signal::SIGKILL).is_ok());
        }
        if ended > 0 {
            self.completion.notes.insert(format!(
                "{ended} processes that outlived the command were ended: their known calls ran free, by a filter that needs the recorder; \
                 --every-call leaves such processes alone"
            ));
        }
    }

    /// Gives the thread's process a filter that stops at all that is not known.
    pub(super) fn let_run_free(&mut self, stop: Stopped) -> nix::Result<Installed> {
        let tid = stop.tid();
        let Some(task) = self.tasks.get_mut(&tid) else { return Ok(Installed::No(stop)) };
        let (process, domain) = (task.process, task.domain);
        let Some(who) = task.credentials(tid).cloned() else { return Ok(Installed::No(stop)) };
        let privileged = who.effective | who.permitted != 0;
        let all = self.tally.succeeded(domain, &self.course);
        let known: Vec<_> = all
            .filter(|(_, call, _)| free::teaches_nothing(call, privileged))
            .map(|(key, call, values)| (key.clone(), Free { nr: call.nr, values }))
            .collect();
        let free: BTreeSet<Free> = known.iter().map(|(_, free)| free.clone()).collect();
        let program = filter::program(&free).unwrap_or_else(|error| {
            self.completion.notes.insert(format!("no calls were let run free: {error}"));
            None
        });
        let done = match (program, gives_up_privileges(&who)) {
            (Some(program), Some(gives_up)) => inject::install(stop, &program, gives_up)?,
            _ => Installed::No(stop),
        };
        let Some(process) = self.processes.get_mut(&process) else { return Ok(done) };
        match &done {
            Installed::Yes(_) => {
                process.filtered(task::number(tid));
                self.filters = true;
                known.iter().for_each(|(key, _)| _ = self.tally.stop_counting(key));
            }
            Installed::No(_) => _ = process.observe_to_the_end(),
            Installed::Instead(_) => {}
        }
        Ok(done)
    }

    /// A filter has stopped the thread at a call. When its end can teach nothing it is not waited for.
    pub(super) fn leave_known(&mut self, tid: Pid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let Some(pending) = task.pending.take() else { return };
        if !self.is_known(tid, &pending)
            && let Some(task) = self.tasks.get_mut(&tid)
        {
            task.pending = Some(pending);
        }
    }

    fn is_known(&mut self, tid: Pid, pending: &Pending) -> bool {
        let plain = pending.unread.is_none()
            && pending.capabilities.is_empty()
            && pending.address.is_none()
            && free::ends_plainly(&pending.call);
        let Some(key) = pending.key.as_ref().filter(|_| plain) else { return false };
        self.knows_file(tid, pending) && self.tally.stop_counting(key)
    }

    /// All that the call does to a file, if it succeeds, is known. What an open opens is only known from its descriptor.
    fn knows_file(&mut self, tid: Pid, pending: &Pending) -> bool {
        let Some(file) = &pending.file else { return true };
        let Some(task) = self.tasks.get(&tid).filter(|_| file.flags.is_none()) else {
            return false;
        };
        let domain = self.domains.path(task.domain);
        let phase = self.course.phase();
        for what in file.expected(&pending.call) {
            let fact = Fact { domain: domain.clone(), origin: Origin::Entry, what };
            let seen = self.recording.get(&fact).and_then(|runs| runs.get(self.run.as_str()));
            let known = seen.filter(|seen| {
                seen.succeeded()
                    && (file.owned || seen.not_owner)
                    && phase.iter().all(|phase| seen.phases.contains(phase))
            });
            match known {
                Some(seen) if seen.at_least => {}
                Some(_) => {
                    let more = Seen { at_least: true, ..Seen::default() };
                    self.recording.add(&self.run, fact, &more);
                }
                None => return false,
            }
        }
        true
    }

    /// What a thread did instead of coming back from being given a filter.
    pub(super) fn instead(&mut self, wait: Wait) -> nix::Result<Resumed> {
        match wait {
            Wait::Stop(stop) => self.handle(stop),
            Wait::Gone(tid, status) => {
                self.gone(tid, status);
                Ok(Resumed::nobody())
            }
            Wait::Nothing | Wait::NoChildren => Ok(Resumed::nobody()),
        }
    }
}

/// Whether the process must give up the gaining of privileges to take a filter; `None` when it should not. A program that an unprivileged
/// recorder traces gains none anyway (execve(2)).
fn gives_up_privileges(who: &Credentials) -> Option<bool> {
    if who.has(CAP_SYS_ADMIN) || who.no_new_privileges {
        return Some(false);
    }
    let recorder = Credentials::of(std::process::id())?;
    (!recorder.has(CAP_SYS_PTRACE)).then_some(true)
}

//! Letting known calls run free: when, which, and what is no longer heard of.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::ptrace;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::abi::Abi;
use crate::decode::Call;
use crate::decode::credentials::Credentials;
use crate::notify::{Listener, descriptor_of};
use crate::recording::{Fact, Origin, Seen};
use crate::session::RecordError;
use crate::spawn;
use crate::{host, procfs};

use super::Recorder;
use crate::ptrace::filter::{self, AtFiles, Free};
use crate::ptrace::free;
use crate::ptrace::inject::{self, Installed};
use crate::ptrace::known_files::{self, Target, Use};
use crate::ptrace::notified::Notified;
use crate::ptrace::pending::Pending;
use crate::ptrace::process::Process;
use crate::ptrace::stops::{self, Resumed, Stopped, Until, Wait};
use crate::ptrace::task;

/// `O_EXCL`, and what `O_TMPFILE` has besides `O_DIRECTORY` (asm-generic/fcntl.h).
const O_EXCL: u32 = 0o200;
const O_TMPFILE: u32 = 0o20_000_000;
/// Results by which the kernel restarts a call: unless a handler without `SA_RESTART` runs, and always (linux/errno.h).
const ERESTARTSYS: i32 = 512;
const ERESTARTNOINTR: i32 = 513;
/// The code segment of 64-bit programs (`__USER_CS`, arch/x86/include/asm/segment.h).
const NATIVE_CODE: u64 = 0x33;
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
            && call.is_some_and(|call| {
                free::teaches_nothing(call, true)
                    || call.abi == Abi::NATIVE && known_files::is_one(call.nr)
            });
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
        // What stands in the program's own text stays what it is.
        let empty_name = self
            .processes
            .get(&process)
            .and_then(|known| known.empty_name)
            .filter(|at| procfs::is_constant(task::number(tid), *at));
        let looks = |call: &Call| empty_name.is_some() && call.name() == Some(known_files::LOOKS);
        let known: Vec<_> = self
            .tally
            .succeeded(domain, &self.course)
            .filter(|(_, call, _)| free::teaches_nothing(call, privileged) || looks(call))
            .map(|(key, call, values)| (key.clone(), Free { nr: call.nr, values }))
            .collect();
        let (looks, free): (BTreeSet<Free>, BTreeSet<Free>) = known
            .iter()
            .map(|(_, free)| free.clone())
            .partition(|free| known_files::is_one(free.nr));
        let empty_name = empty_name.filter(|_| !looks.is_empty());
        let asks = self.descriptor_to_notify(tid, process);
        let at_files = match &asks {
            Some(_) => AtFiles::Notify,
            None if self.processes.get(&process).is_some_and(Process::notifies) => {
                AtFiles::LeaveToEarlier
            }
            None => AtFiles::Stop,
        };
        let program = filter::program(&free, at_files, empty_name).unwrap_or_else(|error| {
            self.completion.notes.insert(format!("no calls were let run free: {error}"));
            None
        });
        let done = match (program, gives_up_privileges(&who)) {
            (Some(program), Some(gives_up)) => {
                inject::install(stop, &program, gives_up, asks.as_ref())?
            }
            _ => Installed::No(stop),
        };
        Ok(match done {
            Installed::Yes(stop, listener) => {
                known.iter().for_each(|(key, _)| _ = self.tally.stop_counting(key));
                self.filtered(tid, process, listener);
                Installed::Yes(stop, None)
            }
            Installed::No(stop) => {
                self.processes.get_mut(&process).map(Process::observe_to_the_end);
                Installed::No(stop)
            }
            instead @ Installed::Instead(_) => instead,
        })
    }

    /// A descriptor of the process, if its filter is to notify: it names the same files again and again, sees them as the recorder does,
    /// and has no filter that does so already.
    fn descriptor_to_notify(&mut self, tid: Pid, process: Pid) -> Option<OwnedFd> {
        let known = self.processes.get(&process)?;
        let pays = known.names_known_files() && !known.notifies();
        let sees_the_same = self.tasks.get_mut(&tid)?.view(tid).is_our_own();
        if !pays || !sees_the_same || !wakes_on_same_processor() {
            return None;
        }
        let descriptor = spawn::pidfd(process).ok()?;
        // None of one whose first thread has ended, or that may not be looked into, or where the call is not allowed.
        let some = procfs::descriptors(task::number(process)).into_iter().next();
        some.and_then(|(fd, _)| descriptor_of(descriptor.as_fd(), fd).ok())?;
        if self.notified.is_none() {
            match Notified::start() {
                Ok(notified) => self.notified = Some(notified),
                Err(error) => {
                    let note =
                        format!("known files were stopped at, and not only asked about: {error}");
                    self.completion.notes.insert(note);
                    return None;
                }
            }
        }
        Some(descriptor)
    }

    /// A process has been given a filter.
    fn filtered(&mut self, tid: Pid, process: Pid, listener: Option<Listener>) {
        self.filters = true;
        let Some(known) = self.processes.get_mut(&process) else { return };
        known.filtered(task::number(tid), listener.is_some());
        let Some(notified) = &self.notified else { return };
        if known.is_free() {
            notified.runs_free(process);
        }
        for (thread, task) in self.tasks.iter().filter(|(_, task)| task.process == process) {
            notified.joined(*thread, process);
            if task.pending.is_some() {
                notified.entered(*thread);
            }
        }
        if let Some(listener) = listener {
            notified.listen(listener);
        }
    }

    /// Has the calls that the filters notified of, and that are not known, begin anew where they are seen.
    pub(super) fn call_back(&mut self) -> Result<(), RecordError> {
        let Some(notified) = &self.notified else { return Ok(()) };
        let threads = notified.called_back().map_err(|source| RecordError::System {
            what: "answer the filter's notifications".to_owned(),
            source,
        })?;
        for tid in threads {
            if let Some(task) = self.tasks.get_mut(&tid) {
                task.called_back = true;
            }
            // One that is gone needs none.
            let _stops_or_is_gone = stops::interrupt(tid);
        }
        Ok(())
    }

    /// A thread that stopped at a call goes on; the end of the call is seen if it is at its entry and `until` says so.
    pub(super) fn goes_on(&mut self, tid: Pid, at_entry: bool, until: Until) {
        let Some(notified) = &self.notified else { return };
        if at_entry && until == Until::Call {
            notified.entered(tid);
        } else {
            notified.left(tid);
        }
    }

    /// A call has ended: it need not be called back again, and the next that finds the file as it is now may run on.
    pub(super) fn was_seen(&mut self, tid: Pid, pending: &Pending) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.called_back = false;
        let process = task.process;
        let Some(notified) = &self.notified else { return };
        let name = pending.call.name().unwrap_or_default();
        let plain = pending.names_plain_file();
        if pending.call.succeeded() && known_files::unsettles(name, plain) {
            notified.forget_files();
        }
        let free = self.processes.get(&process).is_some_and(Process::is_free);
        if !free || !pending.call.succeeded() {
            return;
        }
        let Some((how, target)) = Use::read(tid, &pending.call) else { return };
        if self.ends_as_expected(tid, pending, &how, target)
            && self.is_known(tid, pending)
            && let Some(notified) = &self.notified
        {
            notified.remember(process, how, target);
        }
    }

    /// The file is the one that the call's name leads to, and will lead to again.
    fn ends_as_expected(&mut self, tid: Pid, pending: &Pending, how: &Use, target: Target) -> bool {
        let (Some(file), Target::File(identity)) = (&pending.file, target) else {
            return pending.file.is_none() && target == Target::Descriptor;
        };
        let Some(task) = self.tasks.get_mut(&tid) else { return false };
        let again = file.flags.is_none_or(|flags| flags & (O_EXCL | O_TMPFILE) == 0);
        again
            && file.existed
            && identity.is_plain()
            && identity.is_of(&file.object)
            && file.opened(&pending.call, tid, task).is_none_or(|path| path == file.object)
            && how.leads_to(&pending.call, &file.object, &task.view(tid))
    }

    /// A signal interrupts a thread, and perhaps a call that it was about to make, and would make anew but for this signal: such a call
    /// begins anew in any case, as one that runs free is not interrupted there.
    pub(super) fn let_begin_anew(&self, tid: Pid) -> nix::Result<()> {
        let Some(notified) = &self.notified else { return Ok(()) };
        let task = self.tasks.get(&tid);
        let process = task.and_then(|task| self.processes.get(&task.process));
        if !process.is_some_and(Process::notifies) || notified.was_answered(tid) {
            return Ok(());
        }
        let mut registers = ptrace::getregs(tid)?;
        let notifies = u32::try_from(registers.orig_rax).is_ok_and(known_files::is_one);
        if registers.cs == NATIVE_CODE
            && notifies
            && registers.rax.cast_signed() == -i64::from(ERESTARTSYS)
        {
            registers.rax = (-i64::from(ERESTARTNOINTR)).cast_unsigned();
            ptrace::setregs(tid, registers)?;
        }
        Ok(())
    }

    /// A call has ended, and perhaps the thread makes it again and again, which teaches nothing: then it runs on.
    pub(super) fn let_run_on(&mut self, tid: Pid, ended: &Pending, behind: u64) -> nix::Result<()> {
        let Some(task) = self.tasks.get(&tid) else { return Ok(()) };
        let may = !self.every_call
            && task.launched
            && self.repeats.again(tid, &ended.call, behind)
            && ended.call.abi == Abi::NATIVE
            && free::teaches_nothing(&ended.call, true);
        if let Some(key) = ended.key.as_ref().filter(|_| may)
            && self.repeats.let_run_on(tid, &ended.call, key)?
        {
            self.tally.loops(key);
        }
        Ok(())
    }

    /// A filter has stopped the thread at a call. When its end can teach nothing it is not waited for.
    pub(super) fn leave_known(&mut self, tid: Pid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let Some(pending) = task.pending.take() else { return };
        // What an open opens is only known from its descriptor.
        let opens = pending.file.as_ref().is_some_and(|file| file.flags.is_some());
        let native = pending.call.abi == Abi::NATIVE;
        let name = pending.call.name().unwrap_or_default();
        let unsettles = known_files::unsettles(name, pending.names_plain_file());
        if (opens || unsettles || !native || !self.is_known(tid, &pending))
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

    /// All that the call does to a file, if it succeeds, is known.
    fn knows_file(&mut self, tid: Pid, pending: &Pending) -> bool {
        let Some(file) = &pending.file else { return true };
        let Some(task) = self.tasks.get(&tid) else { return false };
        let domain = self.domains.path(task.domain);
        let phase = self.course.phase();
        for what in file.expected(&pending.call) {
            let fact = Fact { domain: domain.clone(), origin: Origin::Entry, what };
            let seen = self.recording.get(&fact).and_then(|runs| runs.get(self.run.as_str()));
            let known = seen.filter(|seen| {
                seen.succeeded()
                    && (file.owned || seen.not_owner)
                    && phase.iter().all(|phase| seen.phases.contains(*phase))
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

/// Answers to notifications wake the asker at once (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`); where they do not, a stop costs no more.
fn wakes_on_same_processor() -> bool {
    host::kernel_version().is_some_and(|version| version >= (6, 6))
}

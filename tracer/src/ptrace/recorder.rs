//! From stops to facts.

mod running;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::course::Course;
use crate::decode::resolve::View;
use crate::decode::{self, Call, exec, files, sockets};
use crate::marks::Marks;
use crate::part::PartFile;
use crate::recording::{
    ByteString, Completion, Degree, Fact, FactKind, Fidelity, Origin, Phase, Recording, Seen, What,
    Witness, succeeded,
};
use crate::session::{CommandEnd, OnStatus, Options, Outcome, RecordError, Status};
use crate::spawn::{self, Signals};
use crate::tally::{Domains, Tally};
use crate::tick::Tick;
use crate::{procfs, run, session};

use super::free;
use super::inject::Installed;
use super::known_files;
use super::notified::Notified;
use super::pending::{self, Pending};
use super::process::Process;
use super::programs::Programs;
use super::repeats::{Ended, Repeats};
use super::stops::{self, CallInfo, Resumed, Stop, Stopped, Until, Wait};
use super::task::{self, Task};

/// So long the recorder waits for descendants after the command has ended.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// So often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(200);
/// Results that the kernel uses inside to restart a call: `ERESTARTSYS` to `ERESTART_RESTARTBLOCK` (linux/errno.h).
const RESTARTS: std::ops::RangeInclusive<i64> = -516..=-512;

/// A recording being made.
pub(super) struct Recorder {
    recording: Recording,
    /// What programs began with open. It matters when somebody who is recorded opened it.
    inherited: Recording,
    completion: Completion,
    run: String,
    course: Course,
    marks: Option<Marks>,
    started: Instant,
    domains: Domains,
    tally: Tally,
    tasks: HashMap<Pid, Task>,
    processes: HashMap<Pid, Process>,
    programs: Programs,
    repeats: Repeats,
    /// Some process has been given a filter.
    filters: bool,
    /// Answers filters that notify, once there is one.
    notified: Option<Notified>,
    /// No call runs free any more: somebody asks for each, or wants to know when it was made, or it might use a capability.
    every_call: bool,
    /// New threads that their maker told of, before their first stop.
    expected: HashMap<Pid, Task>,
    end: Option<CommandEnd>,
    command: Option<Pid>,
}

impl Recorder {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            recording: Recording::new(),
            inherited: Recording::new(),
            completion: Completion::complete(),
            run: run::new_id(),
            course: Course::new(options.unit.as_ref()),
            marks: None,
            started: Instant::now(),
            domains: Domains::default(),
            tally: Tally::default(),
            tasks: HashMap::new(),
            processes: HashMap::new(),
            programs: Programs::default(),
            repeats: Repeats::default(),
            filters: false,
            notified: None,
            every_call: options.every_call,
            expected: HashMap::new(),
            end: None,
            command: None,
        }
    }

    /// Runs the command and records it until it and its descendants have ended.
    pub(super) fn run(
        mut self,
        options: &Options,
        on_status: OnStatus<'_>,
    ) -> Result<Outcome, RecordError> {
        self.marks = session::listen(options, &mut self.completion)?;
        let waiting = spawn::spawn_marked(&options.command, self.marks.as_ref())?;
        let command = waiting.pid();
        stops::seize(command).map_err(refused)?;
        self.command = Some(command);
        self.tasks.insert(command, Task::new(command, 0, false));
        self.processes.insert(command, Process::command(task::number(command)));
        let _signals = Signals::leave_to(command)?;
        let started = waiting.release()?;
        self.follow(options, on_status)?;
        if let Some(failure) = started.failure() {
            return Err(failure);
        }
        let end = self.end.ok_or_else(|| system("learn how the command ended", Errno::ECHILD))?;
        Ok(self.finish(options, end))
    }

    /// Handles stops until the command has ended and everything else has ended too, or been given its time.
    fn follow(&mut self, options: &Options, on_status: OnStatus<'_>) -> Result<(), RecordError> {
        let mut part = PartFile::new(options.part.as_ref());
        let _tick = Tick::start(SHOWN_EVERY).map_err(|e| system("start a timer", e))?;
        if let Some(marks) = &self.marks {
            marks.wake_this_thread();
        }
        let mut shown = Instant::now();
        let mut ended_at: Option<Instant> = None;
        loop {
            self.take_marks();
            self.call_back()?;
            match stops::next(true).map_err(|e| system("wait for the command", e))? {
                Wait::NoChildren => return Ok(()),
                Wait::Gone(tid, status) => self.gone(tid, status),
                Wait::Stop(stop) => {
                    let _resumed = self.handle(stop).map_err(|e| system("trace the command", e))?;
                }
                Wait::Nothing => {}
            }
            if shown.elapsed() >= SHOWN_EVERY {
                shown = Instant::now();
                on_status(&self.status());
                if part.is_due(&mut self.completion) {
                    part.write(self.so_far(options));
                }
            }
            if self.end.is_some() {
                let since = *ended_at.get_or_insert_with(Instant::now);
                if self.tasks.is_empty() && self.expected.is_empty() {
                    return Ok(());
                }
                if since.elapsed() >= AFTERWARDS {
                    return self.leave_behind().map_err(|e| system("leave processes behind", e));
                }
            }
        }
    }

    /// Puts into effect what a harness says.
    fn take_marks(&mut self) {
        while let Some(waiting) = self.marks.as_ref().and_then(Marks::next) {
            self.see_every_call();
            let first = self.course.mark(&waiting.mark);
            self.started_before(first);
            waiting.done();
        }
    }

    /// A phase begins by what the command does, unless a harness has marked one.
    fn phase(&mut self, phase: Phase) {
        let first = self.course.begin(phase);
        self.started_before(first);
        for call in self.repeats.calls() {
            self.tally.stop_counting(call);
        }
        self.tally.runs_on_in(phase);
        // Files are seen again, in this phase.
        if let Some(notified) = &self.notified {
            notified.forget_files();
        }
    }

    fn started_before(&mut self, first_phase: bool) {
        if first_phase {
            self.recording.begin_with(Phase::Startup);
            self.inherited.begin_with(Phase::Startup);
            self.tally.begin_with(Phase::Startup);
        }
    }

    fn status(&self) -> Status {
        Status {
            facts: (self.recording.len() + self.tally.len()) as u64,
            lost: self.completion.lost.values().sum(),
        }
    }

    fn finish(mut self, options: &Options, end: CommandEnd) -> Outcome {
        let recording = std::mem::take(&mut self.recording);
        Outcome { recording: self.complete(recording, options), end, checks: Vec::new() }
    }

    /// The recording with what is known by now.
    fn so_far(&self, options: &Options) -> Recording {
        self.complete(self.recording.clone(), options)
    }

    /// With what is kept beside the recording while it is made.
    fn complete(&self, mut recording: Recording, options: &Options) -> Recording {
        self.add_inherited(&mut recording);
        self.tally.add_to(&mut recording, &self.run, &self.domains);
        let run = run::describe(options, "ptrace", fidelity(), [], self.course.names());
        recording.runs.insert(self.run.clone(), run);
        recording.completions.insert(self.run.clone(), self.completion.clone());
        recording
    }

    fn add_inherited(&self, recording: &mut Recording) {
        if self.inherited.is_empty() {
            return;
        }
        let opened = |fact: &Fact| match &fact.what {
            What::File { path, access, .. } => Some((path.clone(), files::opened_for(*access)?)),
            _ => None,
        };
        let granted = recording.iter().filter(|(_, runs)| succeeded(runs));
        let open: HashSet<_> = granted.filter_map(|(fact, _)| opened(fact)).collect();
        for (fact, runs) in self.inherited.iter() {
            if opened(fact).is_some_and(|file| open.contains(&file)) {
                runs.iter().for_each(|(run, seen)| recording.add(run, fact.clone(), seen));
            }
        }
    }

    /// What runs on after the command is not recorded, and not harmed.
    fn leave_behind(&mut self) -> nix::Result<()> {
        self.completion.notes.insert(format!(
            "{} threads outlived the command by {} s; what they did from then on is not in the recording",
            self.tasks.len(),
            AFTERWARDS.as_secs()
        ));
        self.end_what_needs_recorder();
        let mut left: HashSet<Pid> = self.tasks.drain().map(|(tid, _)| tid).collect();
        left.extend(self.expected.drain().map(|(tid, _)| tid));
        #[expect(clippy::iter_over_hash_type, reason = "the order of interrupts does not matter")]
        for tid in &left {
            stops::interrupt(*tid)?;
        }
        let began = Instant::now();
        while !left.is_empty() {
            match stops::next(true)? {
                Wait::NoChildren => break,
                Wait::Gone(tid, _) => _ = left.remove(&tid),
                Wait::Stop(stop) => {
                    if let Stop::Clone(maker) = &stop
                        && let Ok(new) = maker.message()
                    {
                        // It is attached too, and will stop before it does anything.
                        left.insert(new);
                    }
                    left.remove(&stop.tid());
                    let stop = match self.repeats.end(stop)? {
                        Ended::Stop(stop) => stop,
                        Ended::OtherCall(stopped) => Stop::Call(stopped),
                    };
                    let _detached = stop.detach()?;
                }
                Wait::Nothing if began.elapsed() > AFTERWARDS => {
                    // A thread that sleeps in the kernel without interruption can't be detached.
                    self.completion.because(format!(
                        "{} threads could not be detached, and end with the recorder",
                        left.len()
                    ));
                    break;
                }
                Wait::Nothing => {}
            }
        }
        Ok(())
    }

    fn gone(&mut self, tid: Pid, status: i32) {
        let task = self.tasks.remove(&tid);
        self.expected.remove(&tid);
        self.repeats.gone(tid);
        // A process's first thread is told of last.
        if let (Some(process), Some(task)) = (self.processes.remove(&tid), task) {
            self.programs.ended(task.domain, process.taught());
        }
        if let Some(notified) = &self.notified {
            notified.gone(tid);
        }
        if Some(tid) == self.command {
            self.end = Some(spawn::end_of(status));
        }
    }

    fn handle(&mut self, stop: Stop) -> nix::Result<Resumed> {
        let stop = match self.repeats.end(stop)? {
            Ended::Stop(stop) => stop,
            Ended::OtherCall(stopped) => {
                let until = self.until(stopped.tid());
                return stopped.resume(until);
            }
        };
        match stop {
            Stop::Call(stop) => self.call(stop, false),
            Stop::Seccomp(stop) => self.call(stop, true),
            Stop::Clone(stop) => self.cloned(stop),
            Stop::Exec(stop) => self.executed(stop),
            Stop::Signal(stop) => {
                let to_the_command = self.command == Some(stop.tid());
                if to_the_command
                    && self.course.phase() == Some(Phase::Serving)
                    && spawn::STOPS.contains(&stop.signal())
                {
                    self.phase(Phase::Shutdown);
                }
                match self.let_begin_anew(stop.tid()) {
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(error) => return Err(error),
                }
                let until = self.until(stop.tid());
                stop.deliver(until)
            }
            Stop::Group(stop) => {
                if !self.tasks.contains_key(&stop.tid()) {
                    self.adopt(stop.tid());
                }
                let until = self.until(stop.tid());
                stop.respect(until)
            }
        }
    }

    /// A new thread's first stop. It may come before its maker's, and the maker may never tell: then procfs does.
    fn adopt(&mut self, tid: Pid) {
        let makers = task::group_and_parent(tid);
        let [process, _] = makers;
        let process = process.unwrap_or(tid);
        let mut task = match self.expected.remove(&tid) {
            Some(task) => task,
            None => {
                let maker = makers.into_iter().flatten().find_map(|pid| self.tasks.get(&pid));
                match maker {
                    Some(maker) => maker.child(),
                    None => {
                        let program = task::program(tid).unwrap_or_default();
                        Task::new(process, self.domains.id(program), true)
                    }
                }
            }
        };
        let number = task::number(tid);
        if let Some(known) = self.processes.get_mut(&process) {
            known.joined_by(number);
        } else {
            let made = match self.processes.get_mut(&task.process) {
                Some(maker) => {
                    maker.launches();
                    self.programs.launches(task.domain);
                    maker.child(number)
                }
                None => Process::orphan(number, self.filters),
            };
            self.processes.insert(process, made);
        }
        task.process = process;
        self.tasks.insert(tid, task);
        if let Some(notified) = &self.notified {
            notified.joined(tid, process);
            match self.processes.get(&process) {
                Some(known) if !known.is_free() => notified.is_observed(process),
                Some(_) if process == tid => notified.runs_free(process),
                _ => {}
            }
        }
    }

    /// Where a thread should stop next.
    fn until(&self, tid: Pid) -> Until {
        match self.tasks.get(&tid) {
            _ if self.repeats.runs_on(tid) => Until::Event,
            Some(task) if task.called_back => Until::Call,
            Some(task) if task.launched => {
                let free = self.processes.get(&task.process).is_some_and(Process::is_free);
                if free && task.pending.is_none() { Until::Event } else { Until::Call }
            }
            _ => Until::Event,
        }
    }

    /// At a call; `asked` when a filter asks about it, of which nothing was heard before if the thread runs free.
    fn call(&mut self, mut stop: Stopped, asked: bool) -> nix::Result<Resumed> {
        let tid = stop.tid();
        let mut at_entry = false;
        match stop.info() {
            Ok(CallInfo::Entry(_)) if asked && self.is_in_call(tid) => at_entry = true,
            Ok(CallInfo::Entry(call)) => {
                at_entry = true;
                self.enter(tid, call);
                if asked {
                    self.leave_known(tid);
                } else if self.may_run_free(tid) {
                    stop = match self.let_run_free(stop)? {
                        Installed::Yes(stop, _) | Installed::No(stop) => stop,
                        Installed::Instead(wait) => return self.instead(wait),
                    };
                }
            }
            // It begins anew, and what is known of it stays true.
            Ok(CallInfo::Exit(result, _)) if RESTARTS.contains(&result) => {
                if let Some(task) = self.tasks.get_mut(&tid) {
                    task.pending = None;
                }
                let until = self.until(tid);
                if let (Some(notified), Until::Event) = (&self.notified, until) {
                    notified.left(tid);
                }
                return stop.resume(until);
            }
            Ok(CallInfo::Exit(result, behind)) => {
                if let Some(ended) = self.leave(tid, result) {
                    self.let_run_on(tid, &ended, behind)?;
                }
            }
            Ok(CallInfo::Unknown) => self.completion.lose("calls of an unknown architecture", 1),
            Err(Errno::ESRCH) => {}
            Err(error) => return Err(error),
        }
        let until = self.until(tid);
        self.goes_on(tid, at_entry, until);
        stop.resume(until)
    }

    fn is_in_call(&self, tid: Pid) -> bool {
        self.tasks.get(&tid).is_some_and(|task| task.pending.is_some())
    }

    fn witness(&self, tid: Pid) -> Witness {
        Witness::new(self.started.elapsed(), task::number(tid))
    }

    fn enter(&mut self, tid: Pid, call: Call) {
        let first = self.witness(tid);
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let word = call.word(|at, length| crate::memory::bytes(tid, at, length));
        let (key, new) =
            self.tally.enter(task.domain, Origin::Entry, &call, word, first, &self.course);
        if let Some(process) = self.processes.get_mut(&task.process) {
            process.stopped(new);
            if let Some(name) = known_files::empty_name(tid, &call) {
                process.empty_name = Some(name);
            }
            if free::is_filter(&call) {
                process.observe_to_the_end();
                if let Some(notified) = &self.notified {
                    notified.is_observed(task.process);
                }
            }
        }
        let mut pending = pending::read(
            tid,
            task,
            decode::demultiplexed(call, |at, n| crate::memory::bytes(tid, at, n)),
        );
        pending.key = Some(key);
        let sets_id = pending.file.as_ref().is_some_and(|file| file.sets_id);
        task.pending = Some(pending);
        if sets_id {
            self.see_every_call();
        }
    }

    /// Nothing is to run free any more, and what does is called back.
    fn see_every_call(&mut self) {
        self.every_call = true;
        if let Some(notified) = &self.notified {
            notified.all_are_observed();
        }
        for tid in self.repeats.all() {
            let _stops_or_is_gone = stops::interrupt(tid);
        }
        #[expect(clippy::iter_over_hash_type, reason = "the order of interrupts does not matter")]
        for (process, known) in &mut self.processes {
            if !known.observe_to_the_end() {
                continue;
            }
            for tid in self.tasks.iter().filter(|(_, task)| task.process == *process) {
                // One that is gone, or stands still, needs none.
                let _stops_or_is_gone = stops::interrupt(*tid.0);
            }
        }
    }

    /// A call has ended; gives it back.
    fn leave(&mut self, tid: Pid, result: i64) -> Option<Pending> {
        let task = self.tasks.get_mut(&tid)?;
        // A new thread leaves the call that made it without having entered one.
        let mut pending = task.pending.take()?;
        pending.call.result = Some(result);
        let outcome = decode::outcome(result);
        if let Some(key) = &pending.key {
            self.tally.leave(key, outcome.clone());
        }
        if let Some(what) = pending.unread.filter(|_| pending.call.succeeded()) {
            self.completion.lose(what, 1);
        }
        self.file_facts(tid, &pending, &outcome);
        self.other_facts(tid, &pending, &outcome);
        self.was_seen(tid, &pending);
        Some(pending)
    }

    fn file_facts(&mut self, tid: Pid, pending: &Pending, outcome: &str) {
        let (Some(file), Some(task)) = (&pending.file, self.tasks.get_mut(&tid)) else { return };
        let facts = file.facts(&pending.call, tid, task);
        let process = task.process;
        let seen = Seen { not_owner: !file.owned, ..Seen::ending(outcome, 1) };
        let before = self.recording.len();
        for what in facts {
            self.add(tid, what, &seen);
        }
        let known = self.recording.len() == before
            && pending.call.succeeded()
            && pending.capabilities.is_empty();
        if let Some(process) = self.processes.get_mut(&process) {
            process.named_file(known);
        }
    }

    fn other_facts(&mut self, tid: Pid, pending: &Pending, outcome: &str) {
        let name = pending.call.name().unwrap_or_default();
        let seen = Seen::ending(outcome, 1);
        if matches!(name, "socket" | "socketpair") {
            self.add(tid, sockets::made(&pending.call), &seen);
        }
        if let Some(address) = &pending.address {
            self.add(tid, address.clone(), &Seen::ending(sockets::outcome(outcome), 1));
        }
        if !pending.call.succeeded() {
            return;
        }
        if self.course.phase().is_none() && sockets::ACCEPTS.contains(&name) {
            self.phase(Phase::Serving);
        }
        for capability in &pending.capabilities {
            let what = What::Capability {
                name: (*capability).into(),
                initial_namespace: true,
                call: Some(name.into()),
                probe: false,
            };
            self.add(tid, what, &seen);
        }
        // A child may be sent one before it has first stopped.
        let is_recorded = |pid| self.tasks.contains_key(&pid) || self.expected.contains_key(&pid);
        if let Some(what) = decode::signal(&pending.call, |pid| is_recorded(Pid::from_raw(pid))) {
            self.add(tid, what, &seen);
        }
        let forgets = decode::changes_view(name);
        if decode::IO_URING.contains(&name) {
            self.completion.notes.insert(decode::IO_URING_NOTE.to_owned());
        }
        if forgets {
            // Threads may share what was changed.
            #[expect(
                clippy::iter_over_hash_type,
                reason = "forgetting does not depend on the order"
            )]
            for task in self.tasks.values_mut() {
                task.forget();
            }
        }
    }

    fn add(&mut self, tid: Pid, what: What, seen: &Seen) {
        let Some((fact, seen)) = self.evidence(tid, what, seen) else { return };
        self.recording.add(&self.run, fact, &seen);
    }

    /// What a thread did just now, with its evidence.
    fn evidence(&self, tid: Pid, what: What, seen: &Seen) -> Option<(Fact, Seen)> {
        let task = self.tasks.get(&tid)?;
        let fact = Fact { domain: self.domains.path(task.domain), origin: Origin::Entry, what };
        let mut seen = Seen { first: Some(self.witness(tid)), ..seen.clone() };
        self.course.stamp().put_on(&mut seen);
        Some((fact, seen))
    }

    fn cloned(&mut self, stop: Stopped) -> nix::Result<Resumed> {
        let maker = stop.tid();
        if let (Ok(new), Some(task)) = (stop.message(), self.tasks.get(&maker))
            && !self.tasks.contains_key(&new)
        {
            let child = task.child();
            self.expected.insert(new, child);
        }
        let until = self.until(maker);
        stop.resume(until)
    }

    /// A thread runs a new program. Its id is the process's now, whichever thread executed.
    fn executed(&mut self, stop: Stopped) -> nix::Result<Resumed> {
        let tid = stop.tid();
        if let Ok(former) = stop.message()
            && former != tid
            && let Some(task) = self.tasks.remove(&former)
        {
            self.tasks.insert(tid, task);
        }
        if let Some(task) = self.tasks.get(&tid)
            && let Some(process) = self.processes.get_mut(&task.process)
        {
            self.programs.ended(task.domain, process.taught());
            process.executes();
        }
        if let (Some(notified), Some(task)) = (&self.notified, self.tasks.get(&tid)) {
            notified.is_observed(task.process);
            notified.joined(tid, task.process);
        }
        self.program_started(tid);
        if let Some(task) = self.tasks.get(&tid)
            && let Some(process) = self.processes.get_mut(&task.process)
            && self.programs.is_known(task.domain)
        {
            process.runs_known_program();
        }
        let until = self.until(tid);
        stop.resume(until)
    }

    fn program_started(&mut self, tid: Pid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        task.forget();
        let pending = task.pending.take();
        let view = task.view(tid);
        let Ok(executable) = view.program() else {
            self.completion.lose("programs whose file could not be found out", 1);
            return;
        };
        let from = task.domain;
        let launched = std::mem::replace(&mut task.launched, true);
        task.domain = self.domains.id(executable.clone());
        let (from, origin) =
            if launched { (from, Origin::Entry) } else { (task.domain, Origin::Runtime) };
        let named = if launched {
            pending.as_ref().and_then(|p| p.file.as_ref()).map(|file| file.object.clone())
        } else {
            task::executed_name(tid, &view)
        };
        if let Some(key) = pending.and_then(|pending| pending.key) {
            self.tally.leave(&key, Seen::OK.to_owned());
        }
        let first = self.witness(tid);
        if !launched {
            // The launcher's own exec: a filter that is loaded before it is asked about it.
            let call = decode::launch_call();
            let (key, _new) = self.tally.enter(from, origin, &call, None, first, &self.course);
            self.tally.leave(&key, Seen::OK.to_owned());
        }
        let program = exec::program(&view, named.as_ref(), &executable);
        let mut seen = Seen { first: Some(first), ..Seen::ending(Seen::OK, 1) };
        self.course.stamp().put_on(&mut seen);
        let from = self.domains.path(from);
        let mut add = |domain: &ByteString, origin, what| {
            let fact = Fact { domain: domain.clone(), origin, what };
            self.recording.add(&self.run, fact, &seen);
        };
        for (by_caller, what) in program.facts() {
            if by_caller {
                add(&from, origin, what);
            } else {
                add(&executable, Origin::Entry, what);
            }
        }
        self.inherited(tid, &view);
    }

    /// The files that a program finds open when it begins.
    fn inherited(&mut self, tid: Pid, view: &View) {
        for (fd, flags) in procfs::descriptors(task::number(tid)) {
            let Ok(path) = view.descriptor(fd) else { continue };
            if !files::is_file(path.as_bytes()) {
                continue;
            }
            let Some(task) = self.tasks.get_mut(&tid) else { return };
            let owned = task::descriptor_metadata(tid, fd)
                .is_none_or(|file| task::owns(task.credentials(tid), &file));
            let seen = Seen { not_owner: !owned, ..Seen::ending(Seen::OK, 1) };
            for what in files::done(files::of_inherited(flags), &path, None, false) {
                let Some((fact, seen)) = self.evidence(tid, what, &seen) else { return };
                self.inherited.add(&self.run, fact, &seen);
            }
        }
    }
}

/// Why a child can't be traced.
pub(super) fn refused(error: Errno) -> RecordError {
    RecordError::Unavailable {
        backend: "ptrace",
        why: format!("the kernel refuses to trace a child: {error}"),
        remedy: "allow ptrace (kernel.yama.ptrace_scope below 3, a container's seccomp profile that permits it), and trace \
                 learn by nothing else: a process has one tracer"
            .to_owned(),
    }
}

/// What this backend's facts are worth.
fn fidelity() -> BTreeMap<FactKind, Fidelity> {
    let row = |kind, degree, how: &str| (kind, Fidelity { degree, how: how.to_owned() });
    BTreeMap::from([
        row(FactKind::Call, Degree::Observed, "at the entry of each call, before any filter"),
        row(
            FactKind::Argument,
            Degree::Observed,
            "the registers at the entry of each call, and the flags that some calls keep in memory (clone3, openat2, …)",
        ),
        row(
            FactKind::File,
            Degree::Resolved,
            "opened files by their descriptor; other paths by a walk through the file system at the entry of the call; \
             a symbolic link that changes meanwhile is seen as it was then",
        ),
        row(FactKind::Exec, Degree::Observed, "the file that the kernel executed"),
        row(
            FactKind::Capability,
            Degree::Inferred,
            "from the call, its arguments, the credentials and the result",
        ),
        row(
            FactKind::Socket,
            Degree::Resolved,
            "calls and the addresses they give; not those of sendmsg",
        ),
        row(FactKind::Signal, Degree::Observed, "calls that send one to another process"),
        row(FactKind::IoUring, Degree::None, "its operations are no calls"),
    ])
}

fn system(what: &str, error: Errno) -> RecordError {
    session::RecordError::System { what: what.to_owned(), source: error.into() }
}

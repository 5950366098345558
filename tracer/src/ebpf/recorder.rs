//! One recording: starts the command, takes what arrives until the end, and has it put together.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::unistd::Pid;

use crate::container::Watch;
use crate::course::{Course, Stamp};
use crate::decode;
use crate::marks::{Mark, Marks};
use crate::part::PartFile;
use crate::recording::{ByteString, Completion, Origin, Phase, Recording};
use crate::run;
use crate::session::{self, CommandEnd, OnStatus, Options, Outcome, RecordError, Status};
use crate::spawn::{self, Signals, Started};

use super::assemble::{Assembly, witness};
use super::checks;
use super::facts::{Reader, Told};
use super::fidelity;
use super::gathered::{By, Came, Gathered};
use super::programs::{Hook, Programs};
use super::record::{Arrived, Part};
use super::timeline::Timeline;
use super::unfinished;
use super::wire::{self, Settings, kind, says, scope};

/// So often the ring is looked into: names are resolved soon after they were used.
const LOOKS_EVERY: Duration = Duration::from_millis(3);
/// So often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(200);
/// So few records between two looks at the progress leave time for other work.
const CALM: u64 = 2000;
/// So long the recorder waits for descendants after the command has ended.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// So long it waits for records that were sent and have not arrived.
const IN_FLIGHT: Duration = Duration::from_secs(1);

/// A recording being made.
pub(super) struct Recorder {
    started_ns: u64,
    reader: Reader,
    completion: Completion,
    /// What went wrong in one container alone, by its number: others have not lost it.
    of_container: BTreeMap<u32, Completion>,
    gathered: Gathered,
    received: u64,
    course: Course,
    timeline: Timeline,
    marks: Option<Marks>,
    /// A phase has begun by what a program did, and the counters are to be read for what was before.
    before: Option<Stamp>,
    /// The containers that are recorded instead of the command.
    watch: Option<Watch>,
}

/// The command, while it runs.
struct Running {
    pid: Pid,
    started: Started,
    ended: OwnedFd,
    _signals: Signals,
}

/// A recording that has only to be begun.
pub(super) struct Ready {
    recorder: Recorder,
    programs: Programs,
    waiting: Option<spawn::Waiting>,
}

impl Ready {
    /// Records.
    pub(super) fn record(
        self,
        options: &Options,
        on_status: OnStatus<'_>,
    ) -> Result<Outcome, RecordError> {
        self.recorder.run(self.programs, self.waiting, options, on_status)
    }
}

impl Recorder {
    pub(super) fn new(options: &Options, watch: Option<Watch>) -> Self {
        Self {
            started_ns: now_ns(),
            reader: Reader::new(),
            completion: Completion::complete(),
            of_container: BTreeMap::new(),
            gathered: Gathered::default(),
            received: 0,
            course: Course::new(options.unit.as_ref()),
            timeline: Timeline::default(),
            marks: None,
            before: None,
            watch,
        }
    }

    /// Loads the programs for `command`, which waits from then on to be released; without one, for the containers that are
    /// watched.
    pub(super) fn ready(
        mut self,
        options: &Options,
        command: &[std::ffi::OsString],
    ) -> Result<Ready, RecordError> {
        self.marks = session::listen(options, &mut self.completion)?;
        let waiting = match command {
            [] => None,
            _ => Some(spawn::spawn_marked(command, self.marks.as_ref())?),
        };
        let pid = waiting.as_ref().map(spawn::Waiting::pid);
        let programs = self.settings(pid).and_then(|settings| Programs::load(&settings));
        match programs {
            Ok(programs) => Ok(Ready { recorder: self, programs, waiting }),
            Err(error) => {
                drop(waiting);
                // Another backend may follow, which takes each child that ends for its own.
                pid.map(reap).transpose()?;
                Err(error)
            }
        }
    }

    /// Releases the command and records it until it and its descendants have ended; or records the containers that are watched
    /// until the command, and a container that it started, has ended.
    fn run(
        mut self,
        mut programs: Programs,
        waiting: Option<spawn::Waiting>,
        options: &Options,
        on_status: OnStatus<'_>,
    ) -> Result<Outcome, RecordError> {
        self.adopt_running(&mut programs)?;
        let running = match waiting {
            Some(waiting) => {
                let pid = waiting.pid();
                let signals = Signals::leave_to(pid)?;
                let ended = spawn::pidfd(pid).map_err(|source| RecordError::System {
                    what: "watch the command".to_owned(),
                    source,
                })?;
                Some(Running { pid, started: waiting.release()?, ended, _signals: signals })
            }
            None => None,
        };
        hurry();
        let end = self.follow(&mut programs, running, options, on_status)?;
        let left = programs.tasks()?;
        let unfinished = unfinished::calls(&left, &mut self.completion);
        self.note_left(left.len());
        self.flush(&mut programs)?;
        self.finish(options, &programs, &left, &unfinished, end)
    }

    /// What the programs need to know of this recording.
    pub(super) fn settings(&self, launch: Option<Pid>) -> Result<Settings, RecordError> {
        use std::hash::{BuildHasher, RandomState};
        let namespace = |of: &str| {
            std::fs::metadata(of)
                .map_err(|source| RecordError::System { what: format!("look at {of}"), source })
        };
        let pids = namespace("/proc/self/ns/pid")?;
        // The standard library seeds these from the system's random numbers.
        let word = |salt: u8| RandomState::new().hash_one((salt, std::process::id()));
        let marker = self.watch.as_ref().map(Watch::marker);
        Ok(Settings {
            seed: [word(0), word(1)],
            pid_namespace_device: pids.dev(),
            pid_namespace_inode: pids.ino(),
            mount_namespace: namespace("/proc/self/ns/mnt")?.ino(),
            scope: match marker {
                None => scope::TREE,
                Some(Some(_)) => scope::MARKED,
                Some(None) => scope::NAMED,
            },
            launch: launch.map(|pid| pid.as_raw().unsigned_abs()).unwrap_or_default(),
            mark: marker.flatten().map(|mark| [mark.high, mark.low]).unwrap_or_default(),
            copies: wire::copies(aya::util::nr_cpus().unwrap_or(1)),
            ..Settings::default()
        })
    }

    /// Takes containers into the recording that run already.
    fn adopt_running(&mut self, programs: &mut Programs) -> Result<(), RecordError> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        for (found, number) in watch.running().iter().zip(1..) {
            let adopted = super::adopt::container(programs, &found.container, number)?;
            adopted.into_iter().for_each(|(domain, path)| self.gathered.name(domain, path));
            watch.met(number, Some(found.container.id.clone()));
            self.completion.notes.insert(format!(
                "the container {} ran already: its start is not in the recording",
                found.container.name
            ));
        }
        Ok(())
    }

    /// Takes what arrives until the end.
    fn follow(
        &mut self,
        programs: &mut Programs,
        mut running: Option<Running>,
        options: &Options,
        on_status: OnStatus<'_>,
    ) -> Result<CommandEnd, RecordError> {
        let mut part = PartFile::new(options.part.as_ref());
        // Without a command the user's interrupt ends the recording, and so it does after the command.
        let mut stop = running.is_none().then(stop_flag).transpose()?;
        let mut shown = Instant::now();
        let mut end = CommandEnd::Code(0);
        let mut since: Option<Instant> = None;
        let (mut received, mut copied) = (0, 0);
        loop {
            self.wait(programs, running.as_ref())?;
            self.take(programs);
            self.take_marks(programs)?;
            self.learn_of_containers(programs)?;
            if let Some(command) =
                running.take_if(|command| spawn::has_ended(&command.ended).unwrap_or(false))
            {
                end = reap(command.pid)?;
                if let Some(failure) = command.started.failure() {
                    return Err(failure);
                }
                since = Some(Instant::now());
                drop(command);
                stop = Some(stop_flag()?);
            }
            if shown.elapsed() >= SHOWN_EVERY {
                shown = Instant::now();
                let status = self.status(programs)?;
                on_status(&status);
                let calm = std::mem::replace(&mut received, self.received);
                // Nothing is lost for the sake of a copy: while very much arrives, the ring comes first; and while nothing has, a
                // container that is about to start is not made to wait.
                let due = part.is_due(&mut self.completion) && status.facts != copied;
                if due && self.received - calm < CALM {
                    copied = status.facts;
                    let so_far = self.so_far(options, programs)?;
                    part.write(so_far);
                }
            }
            let stopped = stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
            let done = match (&since, self.watch.as_ref().map(Watch::marker)) {
                (None, _) => false,
                (Some(since), None) => since.elapsed() >= AFTERWARDS || !programs.any_task()?,
                // A container that was started detached goes on without its client.
                (Some(_), Some(Some(_))) => !programs.any_task()?,
                (Some(_), Some(None)) => true,
            };
            if done || stopped {
                return Ok(end);
            }
        }
    }

    /// Waits for the ring, or the command's end, or not very long.
    fn wait(&self, programs: &Programs, running: Option<&Running>) -> Result<(), RecordError> {
        let mut ready = vec![PollFd::new(programs.ready(), PollFlags::POLLIN)];
        ready.extend(running.map(|command| PollFd::new(command.ended.as_fd(), PollFlags::POLLIN)));
        let wait = PollTimeout::try_from(LOOKS_EVERY).unwrap_or(PollTimeout::ZERO);
        match nix::poll::poll(&mut ready, wait) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(system("wait for the command", error)),
        }
    }

    /// Puts into effect what a harness says, and what the programs did that begins a phase.
    fn take_marks(&mut self, programs: &mut Programs) -> Result<(), RecordError> {
        if let Some(before) = self.before.take() {
            self.timeline.advance(programs, &before, |hash| self.gathered.has(hash))?;
        }
        while let Some(waiting) = self.marks.as_ref().and_then(Marks::next) {
            self.mark(programs, &waiting.mark)?;
            waiting.done();
        }
        Ok(())
    }

    /// All that was sent has arrived, and what was counted is read: then the next unit or phase begins.
    fn mark(&mut self, programs: &mut Programs, mark: &Mark) -> Result<(), RecordError> {
        self.take(programs);
        let stamp = self.course.stamp();
        self.timeline.advance(programs, &stamp, |hash| self.gathered.has(hash))?;
        if self.course.mark(mark) {
            self.timeline.begin_with(Phase::Startup);
        }
        Ok(())
    }

    fn status(&self, programs: &Programs) -> Result<Status, RecordError> {
        let [_, counted] = programs.totals()?;
        let in_kernel: u64 = programs.losses()?.iter().map(|(_, count)| count).sum();
        let completions = self.of_container.values().chain([&self.completion]);
        let lost = completions.flat_map(|c| c.lost.values()).sum::<u64>() + in_kernel;
        Ok(Status { facts: self.gathered.len() as u64 + counted, lost })
    }

    fn take(&mut self, programs: &mut Programs) {
        let arrived = programs.drain(|bytes| self.record(bytes));
        self.received += arrived;
    }

    /// Passes on what the engines have answered.
    fn learn_of_containers(&mut self, programs: &mut Programs) -> Result<(), RecordError> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        for (container, words) in watch.healthchecks() {
            programs.add_healthcheck(container, &wire::Words::of(&words))?;
        }
        Ok(())
    }

    /// Stops the programs, and waits for what they had sent.
    fn flush(&mut self, programs: &mut Programs) -> Result<(), RecordError> {
        let skipped = programs.detach();
        self.completion.lose("events that came while the kernel was in the same program", skipped);
        let since = Instant::now();
        loop {
            self.take(programs);
            let [sent, _] = programs.totals()?;
            if self.received >= sent {
                break;
            }
            if since.elapsed() >= IN_FLIGHT {
                self.completion
                    .lose("records that were sent and did not arrive", sent - self.received);
                break;
            }
            std::thread::yield_now();
        }
        for (what, count) in programs.losses()? {
            self.completion.lose(what, count);
        }
        Ok(())
    }

    /// A record that has arrived.
    fn record(&mut self, bytes: &[u8]) {
        let Some(arrived) = Arrived::read(bytes) else {
            self.completion.lose("records that could not be read", 1);
            return;
        };
        let head = arrived.head;
        if !self.course.is_plain() {
            self.timeline.arrived(head.hash, &self.course.stamp());
        }
        if self.gathered.again(head.hash) {
            return;
        }
        let by = By::of(head.session, head.phase);
        let came = match head.kind {
            kind::EXEC => self.program_started(&arrived, by),
            kind::FILE => {
                let told = self.reader.file(&arrived, of(&mut self.of_container, by));
                vec![self.came(&arrived, head.domain, by, told)]
            }
            kind::ADDRESS => {
                let told = self.reader.address(&arrived, of(&mut self.of_container, by));
                vec![self.came(&arrived, head.domain, by, told)]
            }
            kind::HOOKED => {
                let told = self.reader.hooked(&arrived, of(&mut self.of_container, by));
                vec![self.came(&arrived, head.domain, by, told)]
            }
            kind::SOCKET => {
                vec![self.came(&arrived, head.domain, by, Reader::socket(&arrived))]
            }
            kind::SERVING => {
                self.boundary(Phase::Serving, None);
                Vec::new()
            }
            kind::STOPPING => {
                self.boundary(Phase::Shutdown, Some(Phase::Serving));
                Vec::new()
            }
            kind::CONTAINER => {
                self.container_entered(&arrived, by.container);
                Vec::new()
            }
            _ => {
                self.completion.lose("records of an unknown kind", 1);
                return;
            }
        };
        self.gathered.take(head.hash, came);
    }

    /// A phase begins by what a program did, when it follows on this one. Records that arrive from now on are of the new one.
    fn boundary(&mut self, phase: Phase, follows: Option<Phase>) {
        if self.course.phase() != follows {
            return;
        }
        let mut before = self.course.stamp();
        if self.course.begin(phase) {
            before.phases.insert(Phase::Startup);
            self.timeline.begin_with(Phase::Startup);
        }
        self.before.get_or_insert(before);
    }

    fn came(&self, arrived: &Arrived<'_>, domain: u64, by: By, told: Told) -> Came {
        let first = witness(self.started_ns, arrived.head.at_ns, arrived.head.tid);
        Came { domain, by, told, first }
    }

    /// A task has come into a container. Its root is taken hold of at once, and its engine asked.
    fn container_entered(&mut self, arrived: &Arrived<'_>, number: u32) {
        // Runtimes like to run from a copy of themselves that has no name.
        let runtime = match arrived.text(Part::Base) {
            [] => ByteString::from("(container runtime)"),
            _ => arrived.path(Part::Base),
        };
        if self.gathered.name_of(arrived.head.other_domain).is_none() {
            self.gathered.name(arrived.head.other_domain, runtime);
        }
        self.reader.remember(arrived);
        if let Some(watch) = &mut self.watch {
            let id = Some(arrived.text(Part::Name)).filter(|id| !id.is_empty());
            watch.met(number, id.map(|id| String::from_utf8_lossy(id).into_owned()));
        }
    }

    fn program_started(&mut self, arrived: &Arrived<'_>, by: By) -> Vec<Came> {
        let head = &arrived.head;
        let executable = arrived.path(Part::Base);
        let completion = of(&mut self.of_container, by);
        let program = self.reader.program(arrived, &executable, completion);
        self.gathered.name(head.other_domain, executable);
        let Some(program) = program else { return Vec::new() };
        // What starts the command is learn itself: a filter that is loaded before it is asked about it.
        let launch = arrived.says(says::LAUNCH);
        let (caller, by_caller) =
            if launch { (head.other_domain, by.with(Origin::Runtime)) } else { (head.domain, by) };
        let own = By::of(head.session, wire::RUNNING);
        let of = |whose: bool| {
            let facts = program.facts().into_iter().filter(|(by_caller, _)| *by_caller == whose);
            Told::ok(facts.map(|(_, what)| what).collect())
        };
        let mut came = vec![
            self.came(arrived, caller, by_caller, of(true)),
            self.came(arrived, head.other_domain, own, of(false)),
        ];
        if launch {
            let call = Told::ok(vec![decode::launch_call().fact()]);
            came.push(self.came(arrived, caller, by_caller, call));
        }
        came
    }

    fn note_left(&mut self, threads: usize) {
        if threads > 0 {
            self.completion.notes.insert(match &self.watch {
                None => format!(
                    "{threads} threads outlived the command by {} s; what they did from then on is not in the recording",
                    AFTERWARDS.as_secs()
                ),
                Some(_) => format!(
                    "{threads} threads ran on when the recording ended; what they did from then on is not in it"
                ),
            });
        }
    }

    fn finish(
        mut self,
        options: &Options,
        programs: &Programs,
        left: &[(u32, wire::Task)],
        unfinished: &[(usize, decode::Call)],
        end: CommandEnd,
    ) -> Result<Outcome, RecordError> {
        let labels = match self.watch.take().map(Watch::finish) {
            None => BTreeMap::from([(0, BTreeMap::new())]),
            Some(watched) => {
                for why in watched.missing {
                    self.completion.because(why);
                }
                watched.wanted
            }
        };
        self.read_counters(programs)?;
        let runs = self.runs_by(labels);
        let stamp = self.course.stamp();
        let timeline = &self.timeline;
        let when = |hash| timeline.when(timeline.of_record(hash), &stamp);
        let count = programs.count_of()?;
        let recording = self.gathered.finish(&runs.by_container, &mut self.completion, count, when);
        let under_way: Vec<_> = unfinished
            .iter()
            .filter_map(|(place, call)| left.get(*place).map(|(tid, task)| (*tid, task, call)))
            .collect();
        let recording = self.assemble(options, programs, &runs, recording, &under_way)?;
        let name = |program| self.gathered.name_of(program).cloned().unwrap_or_default();
        let checks = programs.capabilities()?;
        let checks = checks.iter().filter(|(key, _)| key.phase == wire::RUNNING);
        let checks =
            checks.map(|(key, count)| checks::check(key, count, name(key.domain), Vec::new()));
        Ok(Outcome { recording, end, checks: checks.collect() })
    }

    /// Whatever was counted since the last mark belongs to what is marked now.
    fn read_counters(&mut self, programs: &Programs) -> Result<(), RecordError> {
        if self.timeline.is_read() {
            let stamp = self.course.stamp();
            self.timeline.advance(programs, &stamp, |hash| self.gathered.has(hash))?;
        }
        Ok(())
    }

    /// The runs of containers with these labels, by their numbers. The same container, started again, is the same run; what happened
    /// to none still has to be told of one.
    fn runs_by(&mut self, labels: BTreeMap<u32, BTreeMap<String, String>>) -> Runs {
        let mut runs = Runs::default();
        let mut known: BTreeMap<BTreeMap<String, String>, String> = BTreeMap::new();
        for (number, labels) in labels {
            let own = self.gathered.run(number).to_owned();
            let id = known.entry(labels.clone()).or_insert(own);
            runs.by_container.insert(number, id.clone());
            runs.labels.insert(id.clone(), labels);
        }
        if runs.labels.is_empty() {
            runs.labels.insert(run::new_id(), BTreeMap::new());
        }
        runs
    }

    /// The recording with what is known by now, of every container that was met. What goes wrong in it is the copy's alone: it may lack
    /// a program whose record is still on its way.
    fn so_far(&mut self, options: &Options, programs: &Programs) -> Result<Recording, RecordError> {
        self.read_counters(programs)?;
        // The kernel may have counted for one of which no record has come.
        for number in self.watch.iter().flat_map(Watch::numbers) {
            self.gathered.run(number);
        }
        let by_container = self.gathered.runs();
        let labels = by_container.values().map(|id| (id.clone(), BTreeMap::new())).collect();
        let runs = Runs { by_container, labels };
        let stamp = self.course.stamp();
        let timeline = &self.timeline;
        let when = |hash| timeline.when(timeline.of_record(hash), &stamp);
        let recording = self.gathered.so_far(when);
        self.assemble(options, programs, &runs, recording, &[])
    }

    /// Adds what the kernel has counted, and describes the runs.
    fn assemble(
        &self,
        options: &Options,
        programs: &Programs,
        runs: &Runs,
        recording: Recording,
        under_way: &[(u32, &wire::Task, &decode::Call)],
    ) -> Result<Recording, RecordError> {
        let mut of_all = self.completion.clone();
        let mut assembly = Assembly {
            recording,
            completion: &mut of_all,
            gathered: &self.gathered,
            runs: &runs.by_container,
            stamp: &self.course.stamp(),
            timeline: &self.timeline,
            sees_operations: fidelity::sees_operations(&programs.hooks),
            started_ns: self.started_ns,
        };
        assembly.fill(programs)?;
        for (tid, task, call) in under_way {
            assembly.under_way(task, call, *tid, now_ns());
        }
        let mut recording = assembly.recording;
        let hooks = || programs.hooks.iter().map(Hook::to_string);
        let mut completions: BTreeMap<&String, Completion> = BTreeMap::new();
        for (number, id) in &runs.by_container {
            let completion = completions.entry(id).or_insert_with(|| of_all.clone());
            if let Some(own) = self.of_container.get(number) {
                completion.add(own);
            }
        }
        for (id, labels) in &runs.labels {
            let fidelity = fidelity::of(&programs.hooks);
            let mut run = run::describe(options, "ebpf", fidelity, hooks(), self.course.names());
            run.labels.extend(labels.clone());
            let completion = completions.remove(id).unwrap_or_else(|| of_all.clone());
            recording.runs.insert(id.clone(), run);
            recording.completions.insert(id.clone(), completion);
        }
        Ok(recording)
    }
}

/// The runs of a recording.
#[derive(Default)]
struct Runs {
    by_container: BTreeMap<u32, String>,
    labels: BTreeMap<String, BTreeMap<String, String>>,
}

/// What went wrong in a container.
fn of(all: &mut BTreeMap<u32, Completion>, by: By) -> &mut Completion {
    all.entry(by.container).or_insert_with(Completion::complete)
}

/// Becomes true when the user or the system asks to end.
fn stop_flag() -> Result<Arc<AtomicBool>, RecordError> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag))
            .map_err(|source| RecordError::System { what: "handle signals".to_owned(), source })?;
    }
    Ok(flag)
}

/// The kernel's monotonic clock, as its programs read it.
fn now_ns() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .ok()
        .and_then(|now| u64::try_from(Duration::from(now).as_nanos()).ok())
        .unwrap_or_default()
}

/// Names and programs are looked at while they are there: the recorder takes its turn before what it records, where it may.
fn hurry() {
    // SAFETY: plain system call; a refusal leaves things as they are.
    let _refused = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

/// How the command ended.
fn reap(command: Pid) -> Result<CommandEnd, RecordError> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a valid place for the status of our own child.
        let reaped = unsafe { libc::waitpid(command.as_raw(), &raw mut status, 0) };
        match Errno::result(reaped) {
            Ok(_) => return Ok(spawn::end_of(status)),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(system("learn how the command ended", error)),
        }
    }
}

fn system(what: &str, error: Errno) -> RecordError {
    RecordError::System { what: what.to_owned(), source: error.into() }
}

/// Whether the programs can be loaded here, as a recording loads them.
pub(super) fn usable() -> Result<(), RecordError> {
    let settings = Recorder::new(&Options::default(), None).settings(None)?;
    Programs::load(&settings).map(|_| ())
}

//! Answers what the filter notifies of, as the profile would have answered, and counts what is refused.
//!
//! The threads that wait belong to a program that may be hostile: they die, are interrupted, and change memory and links while they
//! wait. So an answer counts only once the kernel took it, what was read is used only if the thread still waited afterwards, and what
//! is let pass is let pass to the kernel's own checks, Landlock among them.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use profile_emit::bundle;
use profile_emit::seccomp::oci::ENOSYS;
use profile_emit::seccomp::{Answer, Profile, simulate};
use tracer::abi::{Abi, calls, errno};
use tracer::decode::Call;
use tracer::decode::resolve::View;
use tracer::notify::{Listener, Notification, Reply};
use tracer::recording::{ByteString, Fact, Origin, What};
use tracer::session::CommandEnd;
use tracer::spawn;

use crate::arguments;
use crate::filter::{EXECS, has_fallback};
use crate::launch::Launch;
use crate::leftovers::Leftovers;
use crate::lines::Lines;
use crate::nearest;
use crate::programs::{self, Programs, Target};
use crate::report::{Denial, Denials, Kind, Near};
use crate::task;

/// So long descendants are supervised after the command has ended.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Whoever answers.
pub(crate) struct Supervisor<'a> {
    pub(crate) profile: &'a Profile,
    /// `None` when programs are not enforced.
    pub(crate) programs: Option<Programs>,
    pub(crate) launch: &'a Launch,
    pub(crate) command: Pid,
    pub(crate) listener: Listener,
    pub(crate) denials: Denials,
    pub(crate) notes: BTreeSet<String>,
    /// Where the profile's entries stand in its file.
    pub(crate) lines: &'a Lines,
    /// What is refused is only told, and let pass.
    pub(crate) lenient: bool,
    /// So long the command may take.
    pub(crate) limit: Option<Duration>,
    /// Ends what the command leaves behind, of a command that is run again and again.
    pub(crate) leftovers: Option<&'a Leftovers>,
}

/// What becomes of a call.
enum Verdict {
    Allowed,
    /// It returns this error, and that is no refusal.
    Answered(i32),
    Refused {
        errno: i32,
        told: Told,
    },
    /// The profile kills for it.
    Fatal {
        told: Told,
        by: &'static str,
    },
}

/// What is told of a refusal.
struct Told {
    arguments: String,
    /// The program that was to be run; a call otherwise.
    program: Option<Executed>,
}

/// A program that was to be run.
struct Executed {
    /// What must be allowed for it.
    facts: Vec<What>,
    /// The file that is not.
    culprit: ByteString,
}

impl Supervisor<'_> {
    /// Supervises until the command has ended, and its descendants have ended too or been given their time.
    pub(crate) fn run(&mut self, process: &OwnedFd) -> io::Result<CommandEnd> {
        let mut ended: Option<(CommandEnd, Instant)> = None;
        let mut orphaned = false;
        let started = Instant::now();
        let mut limit = self.limit;
        loop {
            let overdue = limit.is_some_and(|limit| started.elapsed() >= limit);
            // What was refused decides already: nobody waits for the descendants of such a run.
            let decided = ended.is_some() && !self.denials.is_empty() && !self.lenient;
            if let Some(leftovers) = self.leftovers.filter(|_| overdue || decided) {
                leftovers.end(self.command);
                limit = None;
                if let (Some((end, _)), true) = (&ended, decided) {
                    return Ok(*end);
                }
            }
            let left = match &ended {
                Some((end, _)) if orphaned => return Ok(*end),
                Some((end, at)) => match AFTERWARDS.checked_sub(at.elapsed()) {
                    Some(left) => Some(left),
                    None => {
                        self.left_behind();
                        return Ok(*end);
                    }
                },
                None => limit.map(|limit| limit.saturating_sub(started.elapsed())),
            };
            let process = ended.is_none().then(|| process.as_fd());
            let listener = (!orphaned).then(|| self.listener.as_fd());
            let ready = wait(listener, process, left)?;
            if ready.process {
                ended = self.reap()?.map(|end| (end, Instant::now()));
            }
            if ready.notification {
                if let Some(notification) = self.listener.receive()? {
                    self.handle(&notification)?;
                }
            } else if ready.orphaned {
                // Nobody has the filter any more.
                orphaned = true;
            }
        }
    }

    fn left_behind(&mut self) {
        self.notes.insert(format!(
            "processes outlived the command by {} s; they are no longer supervised, and what would be refused fails with ENOSYS \
             from then on",
            AFTERWARDS.as_secs()
        ));
    }

    fn reap(&self) -> io::Result<Option<CommandEnd>> {
        let mut status = 0;
        // SAFETY: the status is ours to be written.
        let done = unsafe { libc::waitpid(self.command.as_raw(), &raw mut status, libc::WNOHANG) };
        let found = Errno::result(done)?;
        Ok((found == self.command.as_raw()).then(|| spawn::end_of(status)))
    }

    fn handle(&mut self, notification: &Notification) -> io::Result<()> {
        let Notification { id, tid, arch, nr, args } = *notification;
        if tid == self.command.as_raw().cast_unsigned() && self.launch.shared.failure().is_some() {
            // The launcher tells that it could not become the command, and exits.
            self.listener.answer(id, Reply::Continue)?;
            return Ok(());
        }
        let Some(abi) = Abi::from_audit(arch, nr.into()) else {
            self.notes.insert(format!(
                "a call of an architecture that is not known here (AUDIT_ARCH {arch:#x}) was refused"
            ));
            task::kill(tid);
            self.listener.answer(id, Reply::Errno(libc::ENOSYS))?;
            return Ok(());
        };
        let call = Call { abi, nr, args, result: None };
        let view = View::of(task::process(tid).unwrap_or(tid), tid);
        let verdict = self.judge(&call, tid, &view);
        let program = view.program().unwrap_or_default();
        if !self.listener.still_waits(id) {
            return Ok(());
        }
        let (reply, refused) = match verdict {
            Verdict::Allowed => (Reply::Continue, None),
            Verdict::Answered(errno) => (Reply::Errno(errno), None),
            Verdict::Refused { errno, told } => {
                (Reply::Errno(errno), Some((told, errno::name(errno))))
            }
            Verdict::Fatal { told, by } => {
                if !self.lenient {
                    self.fatal(tid, by);
                }
                // It gets no further: the signal comes first.
                (Reply::Errno(libc::ENOSYS), Some((told, "SIGSYS".to_owned())))
            }
        };
        let reply = if refused.is_some() && self.lenient { Reply::Continue } else { reply };
        let process = task::process(tid).unwrap_or(tid);
        let ancestors = match &refused {
            Some(_) => task::ancestors(process, self.command.as_raw().cast_unsigned()),
            None => Vec::new(),
        };
        let taken = self.listener.answer(id, reply)?;
        if let Some((told, errno)) = refused.filter(|_| taken) {
            self.deny(&call, program, ancestors, told, errno);
        }
        Ok(())
    }

    fn deny(
        &mut self,
        call: &Call,
        program: ByteString,
        ancestors: Vec<ByteString>,
        told: Told,
        errno: String,
    ) {
        let (kind, near, allow, healing) = match told.program {
            None => (
                Kind::Call,
                nearest::near(self.profile, self.lines, call),
                nearest::allowing(call),
                vec![call.fact()],
            ),
            Some(Executed { facts, culprit }) => (
                Kind::Program,
                Near {
                    file: bundle::POLICY.to_owned(),
                    line: 0,
                    why: format!("no rule of \"execs\" names {culprit}"),
                },
                serde_json::json!({ "path": culprit }).to_string(),
                facts,
            ),
        };
        let denial = Denial {
            program: program.clone(),
            abi: call.abi,
            call: call.name().map_or_else(|| call.nr.to_string(), str::to_owned),
            arguments: told.arguments,
            errno,
            kind,
            capability: None,
            ancestors,
            near: Some(near),
            allow,
            count: 1,
        };
        let fact = |what| Fact { domain: program.clone(), origin: Origin::Entry, what };
        self.denials.add(denial, healing.into_iter().map(fact).collect());
    }

    fn fatal(&mut self, tid: u32, by: &'static str) {
        match by {
            "SCMP_ACT_TRAP" => {
                task::trap(tid);
                self.notes.insert(
                    "the profile's SCMP_ACT_TRAP is imitated: a handler of SIGSYS learns no number and address of the call"
                        .to_owned(),
                );
            }
            _ if task::threads(tid) > 1 && by != "SCMP_ACT_KILL_PROCESS" => {
                task::kill(tid);
                self.notes.insert(
                    "the profile would have killed one thread; the verification killed its process"
                        .to_owned(),
                );
            }
            _ => task::kill(tid),
        }
    }

    fn judge(&mut self, call: &Call, tid: u32, view: &View) -> Verdict {
        let name = calls::name(call.abi, call.nr).unwrap_or_default();
        let told = || Told { arguments: arguments::describe(call, tid, view), program: None };
        match simulate(self.profile, call.abi, call.nr, call.args) {
            Answer::Allowed => self.judge_program(name, call, tid, view),
            Answer::Errno(ENOSYS) if has_fallback(self.profile, name) => {
                Verdict::Answered(libc::ENOSYS)
            }
            Answer::Errno(errno) => Verdict::Refused {
                errno: i32::try_from(errno).unwrap_or(libc::EPERM),
                told: told(),
            },
            Answer::Other(action) => match action.as_str() {
                "SCMP_ACT_LOG" => self.judge_program(name, call, tid, view),
                "SCMP_ACT_TRAP" => Verdict::Fatal { told: told(), by: "SCMP_ACT_TRAP" },
                "SCMP_ACT_KILL_PROCESS" => {
                    Verdict::Fatal { told: told(), by: "SCMP_ACT_KILL_PROCESS" }
                }
                _ => Verdict::Fatal { told: told(), by: "SCMP_ACT_KILL_THREAD" },
            },
        }
    }

    /// A program that the policy does not name is refused here, so that what is reported is what was refused. A call that
    /// passes is judged again by Landlock, which sees the file and not its name.
    fn judge_program(&mut self, name: &str, call: &Call, tid: u32, view: &View) -> Verdict {
        let Some(programs) = self.programs.as_ref().filter(|_| EXECS.contains(&name)) else {
            return Verdict::Allowed;
        };
        let file = match programs::target(call, tid, view) {
            Target::File(file) => file,
            Target::Nothing => return Verdict::Allowed,
            Target::Unreadable => {
                self.notes.insert(
                    "the memory of a process could not be read: Landlock judged its programs, and what it refused is not told"
                        .to_owned(),
                );
                return Verdict::Allowed;
            }
        };
        match programs.refused(view, &file) {
            None => Verdict::Allowed,
            Some(culprit) => {
                let arguments = match culprit == file {
                    true => file.to_string(),
                    false => format!("{file}, which needs {culprit}"),
                };
                let facts = programs::facts(view, &file);
                let program = Some(Executed { facts, culprit });
                Verdict::Refused { errno: libc::EACCES, told: Told { arguments, program } }
            }
        }
    }
}

struct Ready {
    notification: bool,
    orphaned: bool,
    process: bool,
}

fn wait(
    listener: Option<BorrowedFd<'_>>,
    process: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    let flags = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut all: Vec<PollFd<'_>> = listener.into_iter().chain(process).map(flags).collect();
    let timeout = timeout.map_or(PollTimeout::NONE, |left| {
        // A bit later than the time, so that it has passed then.
        u16::try_from(left.as_millis() + 1).map_or(PollTimeout::MAX, PollTimeout::from)
    });
    match poll(&mut all, timeout) {
        Err(Errno::EINTR) => {
            return Ok(Ready { notification: false, orphaned: false, process: false });
        }
        done => done?,
    };
    let mut events = all.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
    let listens = listener.and_then(|_| events.next()).unwrap_or(PollFlags::empty());
    let ends = process.and_then(|_| events.next()).unwrap_or(PollFlags::empty());
    Ok(Ready {
        notification: listens.contains(PollFlags::POLLIN),
        orphaned: listens.contains(PollFlags::POLLHUP),
        process: !ends.is_empty(),
    })
}

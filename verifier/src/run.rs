//! From a directory and a command to a report.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::unistd::Pid;
use tracer::ebpf::{CheckWatch, Checks};
use tracer::notify::Listener;
use tracer::recording::Fact;
use tracer::session::{CommandEnd, RecordError};
use tracer::spawn::{self, Signals};

use crate::error::system;
use crate::launch::{Launch, Shared, Stage};
use crate::leftovers::Leftovers;
use crate::profiles::Profiles;
use crate::programs::Programs;
use crate::report::Denials;
use crate::supervisor::Supervisor;
use crate::{Options, Report, VerifyError, apparmor, capabilities, checks, filter, ruleset};

/// The status of a command that is there and may not be executed (POSIX, Shell Command Language, "Exit Status for Commands").
const NOT_EXECUTABLE: CommandEnd = CommandEnd::Code(126);

/// What one run is to be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    /// What the profile's filter refuses is told, and let pass.
    pub(crate) lenient: bool,
    /// The command is one of many runs: it reads and writes nothing of ours, and leaves no process behind.
    pub(crate) repeated: bool,
    /// So long it may take; then it is ended.
    pub(crate) limit: Option<Duration>,
}

/// What one run showed.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) report: Report,
    /// What would have to be recorded for profiles that refuse none of it, and how often it was.
    pub(crate) healing: BTreeMap<Fact, u64>,
    /// Refused checks for capabilities were seen.
    pub(crate) sees_capabilities: bool,
}

pub(crate) fn verify(options: &Options) -> Result<Proof, VerifyError> {
    let profiles = Profiles::read(&options.profiles)?;
    let (confinement, why) = match apparmor::Loaded::of(&options.profiles) {
        Ok(loaded) => (Some(loaded), None),
        Err(why) => (None, Some(why)),
    };
    let mut proof = prove_confined(&profiles, &options.command, Manner::default(), confinement)?;
    proof.report.notes.extend(why);
    Ok(proof)
}

pub(crate) fn prove(
    profiles: &Profiles,
    command: &[OsString],
    manner: Manner,
) -> Result<Proof, VerifyError> {
    prove_confined(profiles, command, manner, None)
}

/// Runs the command once; also under the AppArmor profile that is loaded.
fn prove_confined(
    profiles: &Profiles,
    command: &[OsString],
    manner: Manner,
    confinement: Option<apparmor::Loaded>,
) -> Result<Proof, VerifyError> {
    let mut enforced = BTreeSet::from(["capabilities".to_owned(), "seccomp".to_owned()]);
    let (capabilities, notes) = capabilities::plan(profiles)?;
    let mut notes = BTreeSet::from_iter(notes);
    let programs = Programs::of(&profiles.policy);
    let rules = match ruleset::rules(&profiles.policy, &programs) {
        Ok(rules) => {
            enforced.insert("programs".to_owned());
            notes.extend(ruleset::note(&rules.open));
            Some(rules.fd)
        }
        Err(why) => {
            notes.insert(format!("programs are not enforced: {why}"));
            None
        }
    };
    if let Some(loaded) = &confinement {
        loaded.say(&mut enforced, &mut notes);
    }
    let nothing = || std::fs::File::options().read(true).write(true).open("/dev/null");
    let streams = manner.repeated.then(nothing).transpose().map_err(system("open /dev/null"))?;
    let launch = Launch {
        profile: confinement.as_ref().and_then(apparmor::Loaded::change),
        shared: Shared::new().map_err(system("share memory with the command"))?,
        capabilities,
        filter: filter::program(profiles)?,
        flags: flags(profiles, &mut notes),
        programs: rules,
        streams: streams.map(OwnedFd::from),
    };
    let mut run =
        Run { profiles, programs, launch: &launch, notes, manner, sees_capabilities: false };
    let (end, mut denials) = run.command(command)?;
    let (mut notes, sees_capabilities) = (run.notes, run.sees_capabilities);
    let healing = denials.healing();
    let (denials, note) = denials.finish();
    notes.extend(note);
    let (apparmor, lost) = confinement.map(apparmor::Loaded::finish).unwrap_or_default();
    notes.extend(lost);
    let report = Report { enforced, apparmor, notes, ..Report::new(command, end, denials) };
    Ok(Proof { report, healing, sees_capabilities })
}

/// The profile's flags that a supervised filter can have.
fn flags(profiles: &Profiles, notes: &mut BTreeSet<String>) -> libc::c_ulong {
    profiles.seccomp.flags.iter().fold(0, |flags, name| match name.as_str() {
        "SECCOMP_FILTER_FLAG_LOG" => flags | libc::SECCOMP_FILTER_FLAG_LOG,
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => flags | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // There is one thread when the filter is loaded, and signals are kept from notified calls anyway.
        "SECCOMP_FILTER_FLAG_TSYNC" | "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => flags,
        other => {
            notes.insert(format!("the profile's flag {other} is not known, and was left out"));
            flags
        }
    })
}

struct Run<'a> {
    profiles: &'a Profiles,
    programs: Programs,
    launch: &'a Launch,
    notes: BTreeSet<String>,
    manner: Manner,
    sees_capabilities: bool,
}

impl Run<'_> {
    fn command(&mut self, words: &[OsString]) -> Result<(CommandEnd, Denials), VerifyError> {
        let leftovers = self.manner.repeated.then(Leftovers::watch).transpose();
        let leftovers = leftovers.map_err(|e| system("watch for what is left")(e.into()))?;
        let waiting = spawn::spawn_with(words, self.launch)?;
        let command = waiting.pid();
        let watch = match CheckWatch::begin(command) {
            Ok(watch) => Some(watch),
            Err(why) => {
                self.notes.insert(format!(
                    "refusals of capabilities are not seen ({why}): one shows as EPERM or EACCES of the program itself, not as a denial"
                ));
                None
            }
        };
        let process = spawn::pidfd(command).map_err(system("watch the command"))?;
        let _signals = Signals::leave_to(command)?;
        let _started = waiting.release()?;
        let listener = match self.listener(&process) {
            Ok(listener) => listener,
            Err(error) => {
                end(command);
                return Err(error);
            }
        };
        let mut supervisor = Supervisor {
            profile: &self.profiles.seccomp,
            programs: self.launch.programs.is_some().then(|| self.programs.clone()),
            launch: self.launch,
            command,
            listener,
            denials: Denials::default(),
            notes: BTreeSet::new(),
            lines: &self.profiles.lines,
            lenient: self.manner.lenient,
            limit: self.manner.limit,
            leftovers: leftovers.as_ref(),
        };
        let ended = supervisor.run(&process);
        let (mut denials, notes) = (supervisor.denials, supervisor.notes);
        if let Some(leftovers) = &leftovers {
            leftovers.end(command);
        }
        if let Some(watch) = watch {
            self.checks(watch.finish()?, &mut denials);
        }
        let ended = ended.map_err(|error| {
            end(command);
            system("supervise the command")(error)
        })?;
        self.notes.extend(notes);
        match self.launch.shared.failure() {
            None => Ok((ended, denials)),
            Some(_) if !denials.is_empty() => Ok((NOT_EXECUTABLE, denials)),
            Some((_, source)) => Err(RecordError::Command {
                command: words.first().cloned().unwrap_or_default(),
                source,
            }
            .into()),
        }
    }

    /// Adds what the kernel's checks refused.
    fn checks(&mut self, seen: Checks, denials: &mut Denials) {
        self.sees_capabilities = true;
        if seen.lost > 0 {
            self.notes.insert(format!(
                "{} records of programs and capability checks were lost: refusals of capabilities may be missing",
                seen.lost
            ));
        }
        for (denial, healing) in checks::denials(&seen.checks) {
            denials.add(denial, healing);
        }
    }

    /// Waits until the child has loaded the filter, and takes the listener from it.
    fn listener(&self, process: &OwnedFd) -> Result<Listener, VerifyError> {
        let shared = &self.launch.shared;
        let mut pause = Duration::from_micros(50);
        loop {
            if let Some(number) = shared.listener() {
                return Listener::of(process.as_fd(), number).map_err(|source| {
                    VerifyError::Refused {
                        what: "to hand over the filter's notifications",
                        source,
                        remedy: "Linux 5.6 or newer is needed, and permission to trace one's own children (kernel.yama.ptrace_scope \
                                 below 2, a container's seccomp profile that permits pidfd_getfd)",
                    }
                });
            }
            let gone = spawn::has_ended(process).map_err(system("watch the command"))?;
            if let Some((stage, source)) = shared.failure() {
                return Err(refused(stage, source));
            }
            if gone {
                return Err(system("start the command")(io::Error::other(
                    "it was killed before it was executed",
                )));
            }
            // The child makes a handful of calls, none of which wakes us.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }
}

fn refused(stage: Stage, source: io::Error) -> VerifyError {
    let (what, remedy) = match (stage, source.raw_os_error()) {
        (Stage::Profile, _) => (
            "to confine the command by AppArmor",
            "run outside of a profile: one that confines learn must permit change_profile",
        ),
        (Stage::Capabilities, _) => {
            ("to drop capabilities", "run as root, or as a user without capabilities")
        }
        (Stage::Programs, _) => (
            "to restrict programs by Landlock",
            "a container's seccomp profile must permit landlock_restrict_self",
        ),
        (_, Some(libc::EBUSY)) => (
            "to load the seccomp filter",
            "there is one supervised filter at most: run outside of the one that is there already",
        ),
        (_, Some(libc::EINVAL)) => (
            "to load the seccomp filter",
            "a filter has 4096 instructions at most; and Linux 5.0 or newer is needed",
        ),
        _ => ("to load the seccomp filter", "a container's seccomp profile must permit seccomp(2)"),
    };
    VerifyError::Refused { what, source, remedy }
}

/// Ends a child that can't be supervised.
fn end(command: Pid) {
    // One that is gone already is no error.
    let _gone = nix::sys::signal::kill(command, nix::sys::signal::Signal::SIGKILL);
    let _gone = nix::sys::wait::waitpid(command, None);
}

//! The program that profiles are enforced on, and the profiles.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use profile_emit::bundle::bundle;
use profile_emit::seccomp::Profile;
use verifier::{Denial, Options, Report, VerifyError, verify};

/// A training and its profiles, in a directory of their own.
pub(crate) struct Trained {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) profiles: PathBuf,
}

/// The recorder waits for any child, so nothing else may have one meanwhile.
fn in_turn<T>(work: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// The compiled actor.
fn compiled() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/enforce/actor.c");
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (made, built) = (place.join(std::process::id().to_string()), place.join("actor"));
        let done = in_turn(|| {
            Command::new("cc").args(["-O1", "-pthread", "-o"]).arg(&made).arg(source).status()
        });
        assert!(done.unwrap().success());
        fs::rename(made, &built).unwrap();
        built
    })
}

/// Records a command and learns from it.
pub(crate) fn learned(command: &[OsString]) -> learner::Policy {
    let options = tracer::session::Options { command: command.to_vec(), ..Default::default() };
    let outcome = in_turn(|| tracer::ptrace::record(&options, &mut |_| {})).unwrap();
    assert_eq!(outcome.end, tracer::session::CommandEnd::Code(0));
    assert!(outcome.recording.complete(), "{:?}", outcome.recording.completions);
    learner::learn(&outcome.recording, &learner::Options::default())
}

pub(crate) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

impl Trained {
    /// The actor, trained; with another program that it ran.
    pub(crate) fn actor() -> Self {
        let built = compiled();
        let trained = Self::on(|directory| {
            for name in ["actor", "other", "stranger"] {
                fs::copy(built, directory.join(name)).unwrap();
            }
            let path = |name: &str| directory.join(name).into_os_string();
            vec![path("actor"), "train".into(), path("file"), path("other")]
        });
        assert!(trained.directory.path().join("file").exists());
        trained
    }

    /// Profiles learned from a command.
    pub(crate) fn on(command: impl FnOnce(&Path) -> Vec<OsString>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let policy = learned(&command(&base));
        let profiles = base.join("profiles");
        bundle(policy.clone()).write(&profiles).unwrap();
        Self { directory, profiles }
    }

    /// The path of a file beside the actor.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().canonicalize().unwrap().join(name).to_str().unwrap().to_owned()
    }

    /// Changes the seccomp profile.
    pub(crate) fn seccomp(&self, change: impl FnOnce(&mut Profile)) {
        let path = self.profiles.join("seccomp.json");
        let mut profile = Profile::from_json(&fs::read(&path).unwrap()).unwrap();
        change(&mut profile);
        fs::write(path, profile.to_json()).unwrap();
    }

    /// Takes a call out of the profile.
    pub(crate) fn forbid(&self, name: &str) {
        self.seccomp(|profile| {
            let all = profile.syscalls.iter().map(|entry| entry.names.len()).sum::<usize>();
            for entry in &mut profile.syscalls {
                entry.names.retain(|other| other != name);
            }
            profile.syscalls.retain(|entry| !entry.names.is_empty());
            let left = profile.syscalls.iter().map(|entry| entry.names.len()).sum::<usize>();
            assert!(left < all, "{name} was not allowed");
        });
    }

    /// Leaves only these capabilities.
    pub(crate) fn capabilities(&self, names: &str) {
        let text = format!(r#"{{"drop":["ALL"],"add":[{names}]}}"#);
        fs::write(self.profiles.join("capabilities.json"), text).unwrap();
    }

    /// Runs the actor under the profiles.
    pub(crate) fn run(&self, arguments: &[&str]) -> Report {
        let actor = self.path("actor");
        let mut command = vec![actor.as_str()];
        command.extend(arguments);
        self.verify(&command).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    pub(crate) fn verify(&self, command: &[&str]) -> Result<Report, VerifyError> {
        let options = Options { profiles: self.profiles.clone(), command: words(command) };
        in_turn(|| verify(&options))
    }

    /// What a denial must be.
    pub(crate) fn denial(&self, program: &str, call: &str, arguments: &str, errno: &str) -> Denial {
        Denial {
            program: self.path(program).as_str().into(),
            abi: tracer::abi::Abi::NATIVE,
            call: call.to_owned(),
            arguments: arguments.to_owned(),
            errno: errno.to_owned(),
            kind: verifier::Kind::Call,
            capability: None,
            ancestors: Vec::new(),
            near: None,
            allow: String::new(),
            count: 1,
        }
    }

    /// The socket that the actor never opened in training.
    pub(crate) fn socket(&self, program: &str) -> Denial {
        self.denial(program, "socket", "AF_INET, SOCK_STREAM, 0", "EPERM")
    }
}

/// A denial without what explains it: that is tested where it matters.
fn bare(denial: &Denial) -> Denial {
    Denial {
        kind: verifier::Kind::Call,
        ancestors: Vec::new(),
        near: None,
        allow: String::new(),
        ..denial.clone()
    }
}

/// The end, and the denials.
#[track_caller]
pub(crate) fn assert_report(report: &Report, end: &str, denials: &[Denial]) {
    let found: Vec<Denial> = report.denials.iter().map(bare).collect();
    assert_eq!((report.end.as_str(), found.as_slice()), (end, denials), "{report:#?}");
}

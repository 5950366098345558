//! Running engines, and `learn` with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracer::recording::{Fact, Origin, Recording, Seen, What};

/// The exit code of `learn verify` when something was refused.
pub(crate) const DENIED: i32 = 121;

pub(crate) const LEARN: &str = env!("CARGO_BIN_EXE_learn");

/// An engine with its runtime, as `scripts/engines list` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Engine(pub(crate) &'static str);

pub(crate) const DOCKER: Engine = Engine("docker-runc");
pub(crate) const PODMAN: Engine = Engine("podman-runc");
pub(crate) const PODMAN_CRUN: Engine = Engine("podman-crun");

fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A script of the project's.
pub(crate) fn script(name: &str) -> PathBuf {
    source().join(name)
}

/// The compiled samples, and the images made of them: docker has them, and podman too.
pub(crate) fn ready() {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        let built = source().join("target/samples");
        run(Command::new(script("samples/build")).arg(&built));
        run(Command::new(script("scripts/images")).env("LEARN_SAMPLES", &built));
        run(Command::new(script("scripts/engines")).args([
            "export",
            PODMAN.0,
            "localhost/learn/pause",
            "localhost/learn/static",
            "localhost/learn/redis",
            "localhost/learn/python",
        ]));
    });
}

/// Recorders that know containers by their names look at every container that is started meanwhile: nothing else runs beside them.
static OTHERS: RwLock<()> = RwLock::new(());

pub(crate) fn among_others() -> RwLockReadGuard<'static, ()> {
    OTHERS.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    OTHERS.write().unwrap_or_else(PoisonError::into_inner)
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.err, self.out);
        self
    }
}

/// Runs a command; it may not take longer than two minutes.
pub(crate) fn done(command: &mut Command) -> Done {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[track_caller]
fn run(command: &mut Command) -> String {
    done(command).succeeded().out
}

impl Engine {
    /// The client's name.
    pub(crate) fn client(self) -> &'static str {
        if self == DOCKER { "docker" } else { "podman" }
    }

    /// A command that runs with what the engine needs on this host.
    pub(crate) fn command<I: AsRef<str>>(self, words: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new("timeout");
        command.arg("120").arg(script("scripts/engines")).args(["with", self.0]);
        for word in words {
            command.arg(word.as_ref());
        }
        command
    }

    /// Runs the client.
    pub(crate) fn client_done(self, words: &[&str]) -> Done {
        done(&mut self.command([self.client()].iter().chain(words)))
    }

    /// Waits until a container answers that it runs.
    pub(crate) fn wait_running(self, name: &str) {
        wait_for(&format!("{name} to run"), || {
            let asked = self.client_done(&["inspect", "--format", "{{.State.Running}}", name]);
            asked.out.trim() == "true"
        });
    }
}

/// Tries until it holds, for half a minute.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A name for a container that no other test uses.
pub(crate) fn name(of: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("learn-{of}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Removes a container in the end, whatever happened.
pub(crate) struct Removed(pub(crate) Engine, pub(crate) String);

impl Drop for Removed {
    fn drop(&mut self) {
        self.0.client_done(&["rm", "--force", &self.1]);
    }
}

/// A command that runs beside the test, and is killed with it.
pub(crate) struct Beside(Option<Child>);

impl Beside {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap()))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.0.as_ref().unwrap().id()).unwrap()
    }

    /// Waits for its end.
    pub(crate) fn done(mut self) -> Done {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        Done {
            code: output.status.code(),
            out: String::new(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// A directory for recordings and profiles.
pub(crate) struct Room(tempfile::TempDir);

impl Room {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("learn-containers-").tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn recording(&self, name: &str) -> Recording {
        Recording::read(Path::new(&self.path(name))).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Makes the directory `profile` from a recording.
    #[track_caller]
    pub(crate) fn generate(&self, recording: &str, profile: &str) {
        done(
            Command::new(LEARN)
                .args(["generate", "-o"])
                .args([&self.path(profile), &self.path(recording)]),
        )
        .succeeded();
    }
}

/// The facts with what was seen of each.
pub(crate) fn facts(recording: &Recording) -> impl Iterator<Item = (&Fact, &Seen)> {
    recording
        .sorted()
        .into_iter()
        .flat_map(|(fact, runs)| runs.values().map(move |seen| (fact, seen)))
}

/// Names of the calls that processes of this origin made.
pub(crate) fn calls(recording: &Recording, origin: Origin) -> BTreeSet<String> {
    facts(recording)
        .filter(|(fact, _)| fact.origin == origin)
        .filter_map(|(fact, _)| match &fact.what {
            What::Call { name, nr, .. } => {
                Some(name.as_ref().map_or_else(|| nr.to_string(), ToString::to_string))
            }
            _ => None,
        })
        .collect()
}

/// Names as a set, to compare with.
pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The calls that a seccomp profile allows.
pub(crate) fn allowed(profile: &Value) -> BTreeSet<String> {
    let entries = profile["syscalls"].as_array().unwrap();
    entries
        .iter()
        .filter(|entry| entry["action"] == "SCMP_ACT_ALLOW")
        .flat_map(|entry| entry["names"].as_array().unwrap())
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

//! A sample and its runs. Each kind of run is made once, however many tests look at it, and never two at a time: the
//! samples are servers and clients that would disturb each other's timing.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracer::recording::Recording;

/// The exit code of `learn verify` when something was refused.
pub(crate) const DENIED: i32 = 121;

/// A backend of `learn record`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Backend {
    Ptrace,
    Ebpf,
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ptrace => "ptrace",
            Self::Ebpf => "ebpf",
        }
    }
}

/// A sample of `samples/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sample(pub(crate) &'static str);

/// A finished `learn record`.
pub(crate) struct Recorded {
    pub(crate) file: PathBuf,
    pub(crate) recording: Recording,
    /// What the sample printed.
    pub(crate) printed: String,
}

/// One run at a time, also when another test failed.
fn in_turn<T>(work: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Where everything of this test program lies; with a name that has no symbolic link in it. It is removed in the end,
/// unless `LEARN_KEEP` is set.
///
/// Below the system's directory for temporary files, and open to all: servers drop their privileges and must still get
/// through.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        if let Some(root) = ROOT.get() {
            let _ = fs::remove_dir_all(root);
        }
    }
    ROOT.get_or_init(|| {
        let temporary = std::env::temp_dir().canonicalize().unwrap();
        let made = tempfile::Builder::new()
            .prefix("learn-samples-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(temporary)
            .unwrap();
        if std::env::var_os("LEARN_KEEP").is_some() {
            eprintln!("kept: {}", made.path().display());
        } else {
            // SAFETY: the handler is a plain function that outlives the process's end.
            unsafe { libc::atexit(remove) };
        }
        made.keep()
    })
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// The compiled samples.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = root().join("built");
        let done = Command::new(source().join("build")).arg(&directory).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        directory
    })
}

/// Where a compiled sample lies.
pub(crate) fn program(name: &str) -> PathBuf {
    built().join(name)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Sample {
    /// The directory for what is kept of its runs.
    fn kept(self) -> PathBuf {
        let directory = root().join("kept").join(self.0);
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// An empty current directory; always of the same name, so that runs can be compared.
    fn fresh(self) -> PathBuf {
        let directory = root().join("work").join(self.0);
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// The sample's command line.
    pub(crate) fn command(self, name: &str, arguments: &[&str]) -> Vec<String> {
        let program = source().join(self.0).join(name);
        let mut words = vec![program.to_str().unwrap().to_owned()];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        words
    }

    /// Runs a sample's command below `wrapper`.
    pub(crate) fn run(self, wrapper: &[&str], command: &[String]) -> Output {
        let words: Vec<&str> =
            wrapper.iter().copied().chain(command.iter().map(String::as_str)).collect();
        let (program, arguments) = words.split_first().unwrap();
        in_turn(|| {
            Command::new(program)
                .args(arguments)
                .current_dir(self.fresh())
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .env("LEARN_SAMPLES", built())
                .stdin(Stdio::null())
                .output()
                .unwrap_or_else(|e| panic!("{program}: {e}"))
        })
    }

    /// The `round`-th recording of the workload.
    pub(crate) fn recorded(self, backend: Backend, round: usize) -> &'static Recorded {
        static ALL: Once<(Sample, Backend, usize), Recorded> = Once::new();
        ALL.get((self, backend, round), || {
            let file = self.kept().join(format!("{}-{round}.jsonl", backend.name()));
            let path = file.to_str().unwrap();
            let wrapper = [
                env!("CARGO_BIN_EXE_learn"),
                "--quiet",
                "record",
                "--backend",
                backend.name(),
                "-o",
                path,
                "--",
            ];
            let done = self.run(&wrapper, &self.command("run", &[]));
            assert!(
                done.status.success(),
                "{}: {}: {}",
                self.0,
                done.status,
                text(&done.stderr) + &text(&done.stdout)
            );
            let recording = Recording::read(&file).unwrap();
            assert!(recording.complete(), "{}: {:?}", self.0, recording.completions);
            Recorded { file, recording, printed: text(&done.stdout) }
        })
    }

    /// The profiles that are learned from a recording.
    pub(crate) fn profiles(self, backend: Backend, round: usize) -> &'static PathBuf {
        static ALL: Once<(Sample, Backend, usize), PathBuf> = Once::new();
        let recorded = self.recorded(backend, round);
        ALL.get((self, backend, round), || {
            let directory = self.kept().join(format!("{}-{round}", backend.name()));
            let done = Command::new(env!("CARGO_BIN_EXE_learn"))
                .args(["--quiet", "generate", "--name", self.0, "-o"])
                .arg(&directory)
                .arg(&recorded.file)
                .output()
                .unwrap();
            assert!(done.status.success(), "{}: {}", self.0, text(&done.stderr));
            directory
        })
    }

    /// Runs a command of the sample under the learned profiles; returns the output and the report.
    pub(crate) fn verified(self, name: &str, arguments: &[&str]) -> (Output, serde_json::Value) {
        let profiles = self.profiles(Backend::Ptrace, 0).to_str().unwrap();
        let report = self.kept().join("report.json");
        let wrapper = [
            env!("CARGO_BIN_EXE_learn"),
            "--quiet",
            "verify",
            "--report",
            report.to_str().unwrap(),
            profiles,
            "--",
        ];
        let done = self.run(&wrapper, &self.command(name, arguments));
        let report = fs::read(&report).unwrap_or_else(|e| {
            panic!("{}: no report: {e}; {}: {}", self.0, done.status, text(&done.stderr))
        });
        (done, serde_json::from_slice(&report).unwrap())
    }

    /// A run under strace, read.
    pub(crate) fn straced(self) -> &'static super::strace::Straced {
        static ALL: Once<Sample, super::strace::Straced> = Once::new();
        ALL.get(self, || {
            let output = self.kept().join("strace");
            let mut wrapper = super::strace::COMMAND.to_vec();
            wrapper.push(output.to_str().unwrap());
            let done = self.run(&wrapper, &self.command("run", &[]));
            assert!(done.status.success(), "{}: {}", self.0, text(&done.stderr));
            super::strace::read(&text(&fs::read(&output).unwrap()))
        })
    }
}

/// Values that are made once and kept until the end.
struct Once<K: 'static, V: 'static>(Mutex<Option<HashMap<K, &'static OnceLock<V>>>>);

impl<K: std::hash::Hash + Eq, V> Once<K, V> {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn get(&self, key: K, make: impl FnOnce() -> V) -> &'static V {
        let cell: &'static OnceLock<V> = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get_or_insert_default().entry(key).or_insert_with(|| Box::leak(Box::default()))
        };
        cell.get_or_init(make)
    }
}

//! Running `learn` and the compiled samples in a directory of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A directory for one test, removed in the end. Servers drop their privileges and must still get through.
pub(crate) struct Room(tempfile::TempDir);

impl Room {
    pub(crate) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let open = fs::Permissions::from_mode(0o755);
        let made = tempfile::Builder::new().prefix("learn-proof-").permissions(open).tempdir();
        Self(made.unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    /// Runs a command here, one of all tests at a time: they are compared, and timed.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Command::new(words[0])
            .args(&words[1..])
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LEARN_SAMPLES", built())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    pub(crate) fn learn(&self, words: &[&str]) -> Output {
        self.run(&[&[env!("CARGO_BIN_EXE_learn")], words].concat())
    }

    #[track_caller]
    pub(crate) fn learned(&self, words: &[&str]) -> String {
        let done = self.learn(words);
        assert!(done.status.success(), "{words:?}: {}: {}", done.status, text(&done.stderr));
        text(&done.stdout)
    }

    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// The compiled samples.
pub(crate) fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proof-samples");
        let done = Command::new(samples().join("build")).arg(&directory).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        directory
    })
}

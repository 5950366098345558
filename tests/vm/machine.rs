//! A virtual machine with a stock kernel: a list of guest tests in, what each printed and how it ended out. Every kernel is
//! booted once, whoever looks at its results, and one machine runs at a time.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What a kernel's machine left behind.
pub(crate) struct Machine {
    results: tempfile::TempDir,
}

/// How a guest test ended.
pub(crate) struct Done {
    pub(crate) name: String,
    pub(crate) status: i32,
    pub(crate) output: String,
    /// What it left in `$RESULTS`.
    pub(crate) files: PathBuf,
}

impl Done {
    /// The test ended with 0.
    pub(crate) fn passed(&self) -> &Self {
        assert_eq!(self.status, 0, "{}: {}", self.name, self.output);
        self
    }

    /// A file that it left, as text.
    pub(crate) fn text(&self, name: &str) -> String {
        let bytes = fs::read(self.files.join(name))
            .unwrap_or_else(|e| panic!("{}: {name}: {e}: {}", self.name, self.output));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The machine with this kernel, after it has run its guest tests: lines of `tests/vm/guest`, a program and its arguments.
/// Each kernel has one list.
pub(crate) fn ran(kernel: &'static str, tests: &[&str]) -> &'static Machine {
    static ALL: Mutex<Option<HashMap<&'static str, &'static OnceLock<Machine>>>> = Mutex::new(None);
    static TURN: Mutex<()> = Mutex::new(());
    let cell: &'static OnceLock<Machine> = {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default().entry(kernel).or_insert_with(|| Box::leak(Box::default()))
    };
    if let Some(machine) = cell.get() {
        return machine;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    cell.get_or_init(|| Machine::run(kernel, tests))
}

impl Machine {
    fn run(kernel: &str, tests: &[&str]) -> Self {
        let payload = tempfile::tempdir().unwrap();
        fill(payload.path(), tests);
        let results = tempfile::tempdir().unwrap();
        let done = Command::new(source("scripts/vm/run"))
            .arg(kernel)
            .arg(payload.path())
            .arg(results.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{kernel}: {}", String::from_utf8_lossy(&done.stderr));
        Self { results }
    }

    /// A test of the list, by its line.
    pub(crate) fn test(&self, line: &str) -> Done {
        let name = file_name(line);
        let of = |ending: &str| self.results.path().join(format!("{name}.{ending}"));
        let read = |ending: &str| {
            let bytes = fs::read(of(ending)).unwrap_or_else(|e| panic!("{line}: {ending}: {e}"));
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let status = read("status").trim().parse().unwrap();
        Done { name: line.to_owned(), status, output: read("output"), files: of("files") }
    }
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn file_name(line: &str) -> String {
    line.replace([' ', '/'], "-")
}

/// What the machine gets: `learn`, the samples and their programs, the guest tests and their list.
fn fill(payload: &Path, tests: &[&str]) {
    for directory in ["bin", "tests"] {
        fs::create_dir(payload.join(directory)).unwrap();
    }
    // Its symbols would be most of what is copied.
    successful(
        Command::new("strip")
            .arg("-o")
            .arg(payload.join("bin/learn"))
            .arg(env!("CARGO_BIN_EXE_learn")),
    );
    successful(Command::new("cp").arg("-a").arg(source("samples")).arg(payload.join("samples")));
    successful(
        Command::new("cp").arg("-a").arg(source("tests/vm/guest")).arg(payload.join("guest")),
    );
    successful(Command::new(source("samples/build")).arg(payload.join("built")));
    for line in tests {
        use std::os::unix::fs::PermissionsExt;
        let path = payload.join("tests").join(file_name(line));
        fs::write(&path, format!("#!/bin/sh\nexec /payload/guest/{line}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn successful(command: &mut Command) {
    let done = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

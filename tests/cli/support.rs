//! Running `learn`, and recordings to give it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracer::recording::{Recording, write_file};

pub(crate) const INCOMPLETE: i32 = 120;
pub(crate) const DENIED: i32 = 121;
pub(crate) const UNAVAILABLE: i32 = 122;
pub(crate) const INPUT: i32 = 123;
pub(crate) const OUTPUT: i32 = 124;
pub(crate) const NOT_EXECUTABLE: i32 = 126;
pub(crate) const NOT_FOUND: i32 = 127;

/// What a finished `learn` left.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code; a `learn` that is killed fails the test.
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// It ended with one of its own conditions, and said why in one line that holds all of `words`.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        let lines: Vec<&str> = self.err.lines().collect();
        let [line] = lines[..] else { panic!("not one line: {self:?}") };
        assert!(line.starts_with("learn: "), "{line}");
        for word in words {
            assert!(line.contains(word), "{word:?} is not in {line:?}");
        }
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// The folder of what is expected word for word.
pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Compares with a file of tests/golden; LEARN_BLESS=1 writes it instead.
#[track_caller]
pub(crate) fn is_golden(name: &str, text: &str) {
    let path = golden().join(name);
    if blesses() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap(), "{}", path.display());
}

/// Whether what is expected is to be written anew.
pub(crate) fn blesses() -> bool {
    std::env::var_os("LEARN_BLESS").is_some()
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_learn"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

pub(crate) fn done(mut command: Command) -> Done {
    let output = command.output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory of one test.
pub(crate) struct Room(tempfile::TempDir);

impl Room {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `learn` in the directory.
    pub(crate) fn learn(&self, arguments: &[&str]) -> Done {
        let mut command = command(arguments);
        command.current_dir(self.0.path());
        done(command)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The names in it, temporary files too.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Puts the documented recording there.
    pub(crate) fn greet(&self) -> &'static str {
        self.write("greet.jsonl", fs::read(greet()).unwrap());
        "greet.jsonl"
    }

    /// Puts it there, changed.
    pub(crate) fn changed(&self, name: &str, change: impl FnOnce(&mut Recording)) {
        let mut recording = Recording::read(&greet()).unwrap();
        change(&mut recording);
        write_file(&self.path(name), &recording).unwrap();
    }

    /// Puts it there with something missing.
    pub(crate) fn incomplete(&self) -> &'static str {
        self.changed("incomplete.jsonl", |recording| {
            let end = recording.completions.values_mut().next().unwrap();
            end.lose("files of a ring that was full", 17);
            end.because("the disk was full");
        });
        "incomplete.jsonl"
    }

    /// Recordings that can't be used: a name, and what is said of it.
    pub(crate) fn unusable(&self) -> Vec<(&'static str, &'static [&'static str])> {
        let whole = fs::read_to_string(greet()).unwrap();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        self.write("truncated", lines[..4].concat());
        self.write("newer", whole.replacen("\"version\":2", "\"version\":3", 1));
        self.write("other", "{\"format\":\"learn-policy\",\"version\":1}\n");
        self.write("empty", "");
        let mut swapped = lines.clone();
        swapped.swap(2, 3);
        self.write("unsorted", swapped.concat());
        self.write("changed", whole.replacen("\"count\":3", "\"count\":4", 1));
        vec![
            ("missing", &["missing: No such file", "; give a recording that you may read"]),
            ("/proc/self/mem", &["/proc/self/mem: ", "; give a recording that you may read"]),
            ("truncated", &["truncated:5: ", "expected a footer line", "; record again"]),
            ("newer", &["newer:1: recording format 3 is newer than 2", "; update learn"]),
            ("other", &["other:1: not a recording: expected a header", "; make one with"]),
            ("empty", &["empty:1: not a recording"]),
            ("unsorted", &["unsorted:4: facts are not sorted: expected", "; record again"]),
            ("changed", &["changed:9: the checksum does not match", "; record again"]),
        ]
    }
}

/// docs/examples/greet.jsonl
pub(crate) fn greet() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/greet.jsonl")
}

/// Puts a program somewhere. By another process: a child that another thread starts meanwhile would inherit the file while
/// it is open for writing, and what is open for writing can't be executed.
pub(crate) fn install(program: &Path, place: &Path, mode: &str) {
    let done = Command::new("install").args(["-m", mode]).args([program, place]).status().unwrap();
    assert!(done.success());
}

/// `learn` without any privilege, in a directory of its own that is open to all, where a program lies that its own user may
/// execute but not read.
pub(crate) struct Unprivileged {
    room: tempfile::TempDir,
}

impl Unprivileged {
    pub(crate) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let room = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(room.path(), fs::Permissions::from_mode(0o777)).unwrap();
        install(Path::new(env!("CARGO_BIN_EXE_learn")), &room.path().join("learn"), "0755");
        install(Path::new("/bin/true"), &room.path().join("secret"), "0111");
        Self { room }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    pub(crate) fn learn(&self, arguments: &[&str]) -> Done {
        let learn = self.path("learn");
        // SAFETY: only asks.
        let mut command = if unsafe { libc::geteuid() } == 0 {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(learn);
            command
        } else {
            Command::new(learn)
        };
        command.args(arguments).current_dir(self.room.path()).stdin(Stdio::null());
        // Only what anybody may search.
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        done(command)
    }
}

//! Running a command under the recorder, and asking what was recorded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use tracer::abi::Abi;
use tracer::recording::{Access, Completion, Fact, Origin, Recording, Seen, What};
use tracer::session::{CommandEnd, Options, RecordError};

pub(crate) struct Recorded {
    pub(crate) recording: Recording,
    pub(crate) end: CommandEnd,
}

pub(crate) fn try_record<S: Into<OsString>>(
    command: impl IntoIterator<Item = S>,
) -> Result<Recorded, RecordError> {
    let command = command.into_iter().map(Into::into).collect();
    let options = Options { command, ..Options::default() };
    let outcome = tracer::ptrace::record(&options, &mut |_| {})?;
    Ok(Recorded { recording: outcome.recording, end: outcome.end })
}

/// Records a command that loses nothing.
pub(crate) fn record<S: Into<OsString>>(command: impl IntoIterator<Item = S>) -> Recorded {
    let recorded = try_record(command).unwrap();
    assert!(recorded.recording.complete(), "{:?}", recorded.completion());
    recorded
}

pub(crate) fn sh(script: &str) -> Recorded {
    record(["sh", "-c", script])
}

impl Recorded {
    pub(crate) fn completion(&self) -> &Completion {
        self.recording.completions.values().next().unwrap()
    }

    /// The facts with what the only run saw of them.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (&Fact, &Seen)> {
        self.recording.sorted().into_iter().map(|(f, runs)| (f, runs.values().next().unwrap()))
    }

    /// The calls of a domain by name, with what was seen of all their arguments together.
    pub(crate) fn call(&self, domain: &Path, abi: Abi, name: &str) -> Option<Seen> {
        let mut all: Option<Seen> = None;
        for (fact, seen) in self.facts() {
            let What::Call { abi: theirs, name: Some(named), .. } = &fact.what else { continue };
            if (*theirs, &**named) == (abi, name) && in_domain(fact, domain) {
                all.get_or_insert_default().add(seen);
            }
        }
        all
    }

    /// Names of the calls of a domain that the command's processes made.
    pub(crate) fn calls(&self, domain: &Path) -> Vec<(Abi, String)> {
        let mut all: Vec<_> = self
            .facts()
            .filter(|(fact, _)| fact.origin == Origin::Entry && in_domain(fact, domain))
            .filter_map(|(fact, _)| match &fact.what {
                What::Call { abi, nr, name, .. } => {
                    Some((*abi, name.as_ref().map_or_else(|| nr.to_string(), ToString::to_string)))
                }
                _ => None,
            })
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// What was seen of an access, in any domain.
    pub(crate) fn file(&self, path: &Path, access: Access) -> Option<&Seen> {
        self.facts()
            .find(|(fact, _)| {
                matches!(&fact.what, What::File { path: p, access: a, .. }
                    if <_ as AsRef<Path>>::as_ref(p) == path && *a == access)
            })
            .map(|(_, seen)| seen)
    }

    /// The access was granted.
    pub(crate) fn granted(&self, path: &Path, access: Access) -> bool {
        self.file(path, access).is_some_and(Seen::succeeded)
    }

    /// The granted accesses to a path, in any domain.
    pub(crate) fn accesses(&self, path: &Path) -> Vec<Access> {
        let mut all: Vec<_> = self
            .facts()
            .filter(|(_, seen)| seen.succeeded())
            .filter_map(|(fact, _)| match &fact.what {
                What::File { path: p, access, .. } if <_ as AsRef<Path>>::as_ref(p) == path => {
                    Some(*access)
                }
                _ => None,
            })
            .collect();
        all.sort();
        all.dedup();
        all
    }

    pub(crate) fn has(&self, wanted: impl Fn(&What) -> bool) -> bool {
        self.facts().any(|(fact, _)| wanted(&fact.what))
    }
}

fn in_domain(fact: &Fact, domain: &Path) -> bool {
    <_ as AsRef<Path>>::as_ref(&fact.domain) == domain
}

/// Where a program of the system really lies.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed")).canonicalize().unwrap()
}

/// A directory whose name has no symbolic link in it.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let real = std::env::temp_dir().canonicalize().unwrap();
        Self(tempfile::tempdir_in(real).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Compiles a program in C.
    pub(crate) fn compile(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let file = self.write(&format!("{name}.c"), source);
        let program = self.path(name);
        let done = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-o"])
            .arg(&program)
            .arg(&file)
            .args(flags)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        program
    }
}

/// A test for each mode of a program.
macro_rules! modes {
    ($same:ident: $($(#[$attribute:meta])* $name:ident $mode:literal $often:expr;)*) => {$(
        #[test]
        $(#[$attribute])*
        fn $name() {
            $same($mode, $often);
        }
    )*};
}

pub(crate) use modes;

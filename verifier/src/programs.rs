//! Which programs may be run: the exec rules of the policy, judged by path as `AppArmor` judges them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use learner::Policy;
use learner::policy::ExecRule;
use tracer::abi::Abi;
use tracer::abi::paths::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};
use tracer::decode::exec::{self, Needs, needs};
use tracer::decode::resolve::View;
use tracer::decode::{Call, low};
use tracer::memory;
use tracer::recording::{ByteString, What};

/// So many interpreters the kernel runs for each other (fs/exec.c, `exec_binprm`).
const MOST_INTERPRETERS: usize = 5;
/// `AT_FDCWD` (linux/fcntl.h).
const AT_FDCWD: i32 = -100;

/// The programs that may be run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Programs {
    /// By a call, or as an interpreter.
    runs: BTreeSet<ByteString>,
    /// By the kernel for another program.
    loads: BTreeSet<ByteString>,
}

/// What a call executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// This file.
    File(ByteString),
    /// The kernel will say that there is none.
    Nothing,
    /// The thread's memory can't be read.
    Unreadable,
}

impl Programs {
    pub(crate) fn of(policy: &Policy) -> Self {
        let view = View::of(std::process::id(), std::process::id());
        let mut all = Self::default();
        for rule in policy.execs.iter().map(|rule| &rule.allow) {
            all.runs.insert(rule.path.clone());
            all.runs.extend(rule.interpreter.clone());
            all.runs.extend(between(&view, rule));
            all.loads.extend(rule.loader.clone());
        }
        all
    }

    /// All files that the kernel opens to execute them.
    pub(crate) fn files(&self) -> BTreeSet<&ByteString> {
        self.runs.union(&self.loads).collect()
    }

    /// What is not allowed of what the kernel runs for this file: the file itself, an interpreter, a loader. `None` also for
    /// what the kernel refuses by itself.
    pub(crate) fn refused(&self, view: &View, file: &ByteString) -> Option<ByteString> {
        let mut file = file.clone();
        for _ in 0..=MOST_INTERPRETERS {
            let outside = view.outside(file.as_bytes());
            // A file that is no path, as a memfd, has no metadata by its name.
            let executable = file.as_bytes().starts_with(b"/memfd:")
                || std::fs::metadata(&outside)
                    .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
            if !executable {
                return None;
            }
            if !self.runs.contains(&file) {
                return Some(file);
            }
            file = match needs(&outside) {
                Ok(Needs::Interpreter(name)) => resolved(view, &name)?,
                Ok(Needs::Loader(name)) => {
                    let loader = resolved(view, &name)?;
                    let known = self.loads.contains(&loader) || self.runs.contains(&loader);
                    return (!known).then_some(loader);
                }
                _ => return None,
            };
        }
        None
    }
}

/// Scripts whose interpreter is a script: those between the rule's file and the interpreter that it names.
fn between(view: &View, rule: &ExecRule) -> Vec<ByteString> {
    let Some(last) = &rule.interpreter else { return Vec::new() };
    let mut found = Vec::new();
    let mut file = rule.path.clone();
    while found.len() < MOST_INTERPRETERS {
        let Ok(Needs::Interpreter(name)) = needs(&view.outside(file.as_bytes())) else { break };
        match resolved(view, &name) {
            Some(next) if next == *last => return found,
            Some(next) => file = next,
            None => break,
        }
        found.push(file.clone());
    }
    // It leads elsewhere today: nothing is allowed that the policy does not say.
    Vec::new()
}

fn resolved(view: &View, name: &[u8]) -> Option<ByteString> {
    let base = view.directory(None).ok()?;
    view.resolve(base.as_bytes(), name, true).ok()
}

/// What a recording of this program's execution would say.
pub(crate) fn facts(view: &View, file: &ByteString) -> Vec<What> {
    let mut running = file.clone();
    for _ in 0..MOST_INTERPRETERS {
        match needs(&view.outside(running.as_bytes())) {
            Ok(Needs::Interpreter(name)) => match resolved(view, &name) {
                Some(next) => running = next,
                None => break,
            },
            _ => break,
        }
    }
    exec::program(view, Some(file), &running).facts().into_iter().map(|(_, what)| what).collect()
}

/// The file that a call of `execve` or `execveat` names.
pub(crate) fn target(call: &Call, tid: u32, view: &View) -> Target {
    let (directory, path, flags) = match call.name() {
        Some("execveat") => (low(call.args[0]).cast_signed(), call.args[1], low(call.args[4])),
        _ => (AT_FDCWD, call.args[0], 0),
    };
    let address = if call.abi == Abi::I386 { u64::from(low(path)) } else { path };
    let thread = nix::unistd::Pid::from_raw(tid.cast_signed());
    let Some(name) = memory::string(thread, address) else { return Target::Unreadable };
    let descriptor = (directory != AT_FDCWD).then_some(directory);
    let found = if name.is_empty() {
        if flags & AT_EMPTY_PATH == 0 {
            return Target::Nothing;
        }
        view.directory(descriptor)
    } else if name.starts_with(b"/") {
        view.resolve(b"/", &name, flags & AT_SYMLINK_NOFOLLOW == 0)
    } else {
        view.directory(descriptor)
            .and_then(|base| view.resolve(base.as_bytes(), &name, flags & AT_SYMLINK_NOFOLLOW == 0))
    };
    found.map_or(Target::Nothing, Target::File)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    fn script(at: &std::path::Path, text: &str) -> ByteString {
        fs::write(at, text).unwrap();
        fs::set_permissions(at, Permissions::from_mode(0o755)).unwrap();
        ByteString::from(at.as_os_str().as_encoded_bytes())
    }

    fn shell() -> (ByteString, ByteString) {
        let shell = fs::canonicalize("/bin/sh").unwrap();
        let Needs::Loader(loader) = needs(&shell).unwrap() else { panic!("a static shell") };
        let loader =
            fs::canonicalize(std::ffi::OsStr::new(std::str::from_utf8(&loader).unwrap())).unwrap();
        let bytes = |path: &std::path::Path| ByteString::from(path.as_os_str().as_encoded_bytes());
        (bytes(&shell), bytes(&loader))
    }

    #[test]
    fn a_program_is_judged_with_all_that_runs_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let inner = script(&base.join("inner"), "#!/bin/sh\n");
        let outer = script(&base.join("outer"), &format!("#!{inner}\n"));
        let (shell, loader) = shell();
        let view = View::of(std::process::id(), std::process::id());
        let rule = ExecRule {
            path: outer.clone(),
            interpreter: Some(shell.clone()),
            loader: Some(loader.clone()),
        };
        assert_eq!(between(&view, &rule), std::slice::from_ref(&inner));
        let astray = ExecRule { interpreter: Some("/bin/elsewhere".into()), ..rule };
        assert_eq!(between(&view, &astray), []);

        let set = |files: &[&ByteString]| files.iter().map(|f| (*f).clone()).collect();
        let programs = |runs: &[&ByteString], loads: &[&ByteString]| Programs {
            runs: set(runs),
            loads: set(loads),
        };
        let all = programs(&[&outer, &inner, &shell], &[&loader]);
        assert_eq!(all.refused(&view, &outer), None);
        // A loader runs what it is told to: it is no program of its own.
        assert_eq!(all.refused(&view, &loader), Some(loader.clone()));
        for (less, culprit) in [
            (programs(&[&inner, &shell], &[&loader]), &outer),
            (programs(&[&outer, &shell], &[&loader]), &inner),
            (programs(&[&outer, &inner], &[&loader]), &shell),
            (programs(&[&outer, &inner, &shell], &[]), &loader),
        ] {
            assert_eq!(less.refused(&view, &outer).as_ref(), Some(culprit));
        }
        // What is not there, or not executable, the kernel refuses by itself.
        let none = Programs::default();
        fs::set_permissions(base.join("inner"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(none.refused(&view, &inner), None);
        assert_eq!(none.refused(&view, &"/no/such/file".into()), None);
    }
}

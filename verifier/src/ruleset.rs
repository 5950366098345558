//! Landlock's `EXECUTE` right for the programs of a policy.
//!
//! The kernel asks for it when it opens a file to execute it: the program, its interpreters, its ELF loader
//! (security/landlock/fs.c, `get_required_file_open_access`; `FMODE_EXEC` is set by fs/exec.c, `do_open_execat`). Libraries are
//! mapped, and not asked about. A rule belongs to a file and not to its name, so a file that is made anew needs a directory's rule;
//! there the supervisor is stricter than Landlock.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use landlock::{
    AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError,
};
use learner::Policy;
use learner::policy::{Part, Pattern};
use tracer::recording::{Access, ByteString};

use crate::programs::Programs;

/// Calls that Landlock refuses to whoever is restricted in the file system at all (security/landlock/fs.c, `hook_sb_mount` and
/// the hooks after it).
const MOUNTS: [&str; 5] = ["mount", "move_mount", "pivot_root", "umount", "umount2"];

/// The ruleset, and the directories in which it allows everything.
pub(crate) struct Rules {
    pub(crate) fd: OwnedFd,
    pub(crate) open: BTreeSet<PathBuf>,
}

/// Makes the ruleset, or says why there can be none.
pub(crate) fn rules(policy: &Policy, programs: &Programs) -> Result<Rules, String> {
    if let Some(name) = mounts(policy) {
        return Err(format!("the policy allows {name}, which Landlock would refuse"));
    }
    let (files, open) = places(policy, programs);
    let ruleset = created(&files, &open)?;
    let fd = Option::<OwnedFd>::from(ruleset).ok_or("the kernel has no Landlock")?;
    Ok(Rules { fd, open })
}

/// A call that worked in the training and that Landlock would refuse.
fn mounts(policy: &Policy) -> Option<&str> {
    policy
        .calls
        .iter()
        .filter(|rule| rule.evidence.outcomes.contains_key("ok"))
        .filter_map(|rule| rule.allow.name.as_deref())
        .find(|name| MOUNTS.contains(name))
}

fn created(
    files: &[PathBuf],
    open: &BTreeSet<PathBuf>,
) -> Result<landlock::RulesetCreated, String> {
    let absent = |error: RulesetError| {
        format!(
            "Landlock cannot do it here: {error}; Linux 5.19 is needed, and \"landlock\" in its list of security modules (lsm=)"
        )
    };
    // Without the right to REFER no file could be moved to another directory, asked for or not (landlock(7)).
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Execute | AccessFs::Refer)
        .and_then(Ruleset::create)
        .map_err(absent)?;
    let all = files.iter().chain(open).map(|path| (path.as_path(), AccessFs::Execute));
    for (path, access) in all.chain([(Path::new("/"), AccessFs::Refer)]) {
        let file = match PathFd::new(path) {
            Ok(file) => file,
            // What is not there is not executed either.
            Err(PathFdError::OpenCall { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            Err(error) => return Err(error.to_string()),
        };
        ruleset = ruleset.add_rule(PathBeneath::new(file, access)).map_err(absent)?;
    }
    Ok(ruleset)
}

/// The files that are there to stay, and the directories of those that the command makes.
fn places(policy: &Policy, programs: &Programs) -> (Vec<PathBuf>, BTreeSet<PathBuf>) {
    let (mut files, mut open) = (Vec::new(), BTreeSet::new());
    for file in programs.files() {
        let path = PathBuf::from(OsStr::from_bytes(file.as_bytes()));
        if !path.is_absolute() {
            continue;
        }
        let made = !path.exists() || makes(policy, file.as_bytes());
        if made {
            open.insert(standing(policy, &path));
        }
        files.push(path);
    }
    while let Some(source) = source(policy, &open) {
        open.insert(source);
    }
    (files, open)
}

/// A directory from which the command moves or links something into an open one. Landlock refuses that where the new place
/// allows more than the old one (security/landlock/fs.c, `current_check_refer_path`), so it must be open too.
fn source(policy: &Policy, open: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let inside = |pattern: &Pattern| {
        let directory = directory(pattern);
        open.iter().any(|open| directory.starts_with(open))
    };
    let mut found = BTreeSet::new();
    for rule in policy.files.iter().map(|rule| &rule.allow) {
        if rule.renames_to.iter().any(inside) {
            found.insert(directory(&rule.path));
        }
        if rule.access.contains(&Access::Link) && inside(&rule.path) {
            found.extend(rule.links_to.iter().map(directory));
        }
    }
    found
        .into_iter()
        .filter(|directory| !open.iter().any(|open| directory.starts_with(open)))
        .map(|directory| standing(policy, &directory.join("file")))
        .find(|directory| !open.contains(directory))
}

/// The directory of a pattern's files, as far as it is the same for all.
fn directory(pattern: &Pattern) -> PathBuf {
    let literal = match pattern.0.first() {
        Some(Part::Literal(start)) => start.as_bytes(),
        _ => &[],
    };
    let slash = literal.iter().rposition(|b| *b == b'/').unwrap_or(0);
    PathBuf::from(OsStr::from_bytes(literal.get(..slash.max(1)).unwrap_or(b"/")))
}

/// The nearest directory above that exists and that the command does not make.
fn standing(policy: &Policy, path: &Path) -> PathBuf {
    path.ancestors()
        .skip(1)
        .find(|above| above.is_dir() && !makes(policy, above.as_os_str().as_bytes()))
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// The policy allows something to appear at this name.
fn makes(policy: &Policy, path: &[u8]) -> bool {
    const MADE: [Access; 3] = [Access::Create, Access::Link, Access::Mkdir];
    policy.files.iter().map(|rule| &rule.allow).any(|rule| {
        let has = |access| rule.access.contains(&access);
        MADE.into_iter().any(has) && rule.path.matches(path)
            || rule.renames_to.iter().any(|name| name.matches(path))
    })
}

/// What a reader should know of the directories in which Landlock allows everything.
pub(crate) fn note(open: &BTreeSet<PathBuf>) -> Option<String> {
    let names: Vec<String> =
        open.iter().map(|path| ByteString::from(path.as_os_str().as_bytes()).to_string()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "programs that the command makes itself lie in {}: there Landlock allows all programs, and those that the policy does \
             not name are refused by the supervisor alone",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    /// Runs a command under Landlock alone.
    fn alone(rules: &OwnedFd, program: &Path, words: &[&str]) -> io::Result<bool> {
        let ruleset = rules.as_raw_fd();
        let restrict = move || {
            // SAFETY: plain numbers.
            unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                match libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        };
        let mut command = Command::new(program);
        command.args(words).stderr(Stdio::null());
        // SAFETY: the closure makes two system calls.
        unsafe { command.pre_exec(restrict) };
        command.status().map(|status| status.success())
    }

    fn resolved(path: &str) -> PathBuf {
        std::fs::canonicalize(path).unwrap()
    }

    /// A ruleset for a shell and these files; `None` where there is no Landlock.
    fn for_shell(more: &[&Path], open: &[&Path]) -> Option<OwnedFd> {
        let loader = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap();
        let mut files = vec![resolved("/bin/sh"), resolved(loader)];
        files.extend(more.iter().map(|path| path.to_path_buf()));
        let open = open.iter().map(|path| path.to_path_buf()).collect();
        let made = created(&files, &open).ok().and_then(Option::<OwnedFd>::from);
        assert!(made.is_some() || nix::unistd::geteuid().as_raw() != 0, "no Landlock");
        made
    }

    #[test]
    fn landlock_refuses_programs_by_itself() {
        let tool = resolved("/bin/true");
        let shell = resolved("/bin/sh");
        let Some(less) = for_shell(&[], &[]) else { return };
        assert_eq!(alone(&less, &tool, &[]).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(alone(&less, &shell, &["-c", ":"]).unwrap());
        assert!(!alone(&less, &shell, &["-c", "/bin/true"]).unwrap());
        let Some(more) = for_shell(&[&tool], &[]) else { return };
        assert!(alone(&more, &shell, &["-c", "/bin/true"]).unwrap());
        // The loader is asked about as well: without it even an allowed program can't be run.
        let no_loader = created(std::slice::from_ref(&shell), &BTreeSet::new()).unwrap();
        let no_loader = Option::<OwnedFd>::from(no_loader).unwrap();
        assert!(alone(&no_loader, &shell, &["-c", ":"]).is_err());
    }

    #[test]
    fn files_are_moved_as_ever() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let tools: Vec<PathBuf> = ["/bin/mkdir", "/bin/mv", "/bin/ln"].map(resolved).to_vec();
        let tools: Vec<&Path> = tools.iter().map(PathBuf::as_path).collect();
        let Some(rules) = for_shell(&tools, &[&base]) else { return };
        let script = format!(
            "cd {} && mkdir a b && : >a/x && ln a/x b/y && mv a/x b/z && mv a b/a",
            base.display()
        );
        assert!(alone(&rules, &resolved("/bin/sh"), &["-c", &script]).unwrap());
    }

    #[test]
    fn a_patterns_directory_is_what_is_the_same_for_all() {
        let literal = |text: &str| Part::Literal(text.into());
        let number = Part::Class { class: learner::policy::Class::Number };
        let of = |parts: Vec<Part>| directory(&Pattern(parts)).to_str().unwrap().to_owned();
        assert_eq!(of(vec![literal("/a/b")]), "/a");
        assert_eq!(of(vec![literal("/a")]), "/");
        assert_eq!(of(vec![literal("/a/b"), number.clone(), literal("/c")]), "/a");
        assert_eq!(of(vec![number]), "/");
    }
}

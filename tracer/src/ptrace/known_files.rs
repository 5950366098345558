//! What makes a file known: a process uses it in a certain way again, and the name leads to the same file, of the same owner and mode.
//!
//! Exact as far as the recorded processes change names and rights themselves, since then all is forgotten ([`unsettles`]). What others
//! change is seen when it leads to another file.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::unistd::Pid;

use crate::abi::paths::{self, Effect, Object, PathCall};
use crate::abi::{Abi, calls};
use crate::decode::resolve::View;
use crate::decode::{self, Call, files, low};
use crate::memory;
use crate::recording::{Access, ByteString};

/// Calls that read, look at or open the file that they name, and the arguments that decide how; not the mode, which matters when a file
/// is made.
const CALLS: [(&str, &[usize]); 11] = [
    ("access", &[1]),
    ("faccessat", &[2]),
    ("faccessat2", &[2, 3]),
    ("lstat", &[]),
    ("newfstatat", &[3]),
    ("open", &[1]),
    ("openat", &[2]),
    ("readlink", &[]),
    ("readlinkat", &[]),
    ("stat", &[]),
    ("statx", &[2]),
];

/// So many uses of files are known of a process at most; then all are forgotten.
const MOST: usize = 4096;

struct Row {
    path: &'static PathCall,
    deciding: &'static [usize],
}

/// The numbers of these calls, in the native ABI.
pub(super) fn numbers() -> impl Iterator<Item = u32> {
    CALLS.iter().filter_map(|(name, _)| calls::number(Abi::NATIVE, name))
}

/// Whether this number is one of them.
pub(super) fn is_one(nr: u32) -> bool {
    row(nr).is_some()
}

/// `newfstatat` (fstat(2), as the C library made it before glibc 2.39).
pub(super) const LOOKS: &str = "newfstatat";
/// The address of an empty name by which a waiting thread looks at a descriptor.
pub(super) fn empty_name(tid: Pid, call: &Call) -> Option<u64> {
    let plain = call.abi == Abi::NATIVE && call.args[3] == u64::from(paths::AT_EMPTY_PATH);
    let at = call.args[1];
    (plain && call.name() == Some(LOOKS) && memory::bytes(tid, at, 1)? == [0]).then_some(at)
}

fn row(nr: u32) -> Option<&'static Row> {
    static ROWS: OnceLock<HashMap<u32, Row>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| {
        let row = |(name, deciding): &(&str, &'static [usize])| {
            let path = paths::of(name)?;
            Some((calls::number(Abi::NATIVE, name)?, Row { path, deciding }))
        };
        CALLS.iter().filter_map(row).collect()
    });
    rows.get(&nr)
}

/// How a process uses a file, by what the call says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Use {
    nr: u32,
    deciding: [u32; 2],
    /// The directory that the name starts from, as procfs has it.
    base: Option<OsString>,
    name: Vec<u8>,
}

/// Which file it is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    mode: u32,
    user: u32,
    group: u32,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The descriptor itself, which is looked at: no access to a file.
    Descriptor,
    /// A file.
    File(Identity),
}

impl Use {
    /// Reads what a waiting thread is about to do, and finds the file; `None` for another call, and when there is no such file or no
    /// way to tell.
    pub(super) fn read(tid: Pid, call: &Call) -> Option<(Self, Target)> {
        let row = row(call.nr).filter(|_| call.abi == Abi::NATIVE)?;
        let Object::Path { dir, path, .. } = row.path.object else { return None };
        let name = memory::string(tid, call.args[usize::from(path)])?;
        let mut deciding = [0; 2];
        for (value, at) in deciding.iter_mut().zip(row.deciding) {
            *value = low(call.args[*at]);
        }
        let looks = row.path.effect == Effect::Does(Access::Getattr);
        if name.is_empty() {
            let this = Self { nr: call.nr, deciding, base: None, name };
            return looks.then_some((this, Target::Descriptor));
        }
        let link = (name[0] != b'/').then(|| start(tid, dir.map(|at| call.args[usize::from(at)])));
        let base = match &link {
            Some(link) => Some(fs::read_link(link).ok()?.into_os_string()),
            None => None,
        };
        // A link of procfs leads to the directory itself, whatever its name is now.
        let mut place = link.map_or_else(OsString::new, |link| (link + "/").into());
        place.push(OsStr::from_bytes(&name));
        let this = Self { nr: call.nr, deciding, base, name };
        let target = Target::File(identity(&place.into(), this.follows(row, call))?);
        Some((this, target))
    }

    fn follows(&self, row: &Row, call: &Call) -> bool {
        let Object::Path { follow, .. } = row.path.object else { return true };
        follow.holds(&call.args, files::flags_in_registers(row.path, call))
    }

    /// The name leads to the file with this path, and does so for the recorder as for the process: by no link that procfs makes up for
    /// whoever looks.
    pub(super) fn leads_to(&self, call: &Call, object: &ByteString, view: &View) -> bool {
        let Some(row) = row(self.nr) else { return false };
        let follows = self.follows(row, call);
        let base = self.base.as_deref().unwrap_or(OsStr::new("/"));
        let resolved = view.resolve(base.as_bytes(), &self.name, follows);
        if !view.is_our_own()
            || object.as_bytes().starts_with(b"/proc/")
            || resolved.ok().as_ref() != Some(object)
        {
            return false;
        }
        let place = PathBuf::from(base).join(OsStr::from_bytes(&self.name));
        let mut flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        flags.set(OFlag::O_NOFOLLOW, !follows);
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(AT_FDCWD, &place, how).is_ok()
    }
}

/// Procfs's link to the directory that a relative name starts from.
fn start(tid: Pid, dir: Option<u64>) -> String {
    match dir.map(|fd| low(fd).cast_signed()) {
        Some(fd) if fd != libc::AT_FDCWD => format!("/proc/{tid}/fd/{fd}"),
        _ => format!("/proc/{tid}/cwd"),
    }
}

fn identity(place: &PathBuf, follows: bool) -> Option<Identity> {
    let found = if follows { fs::metadata(place) } else { fs::symlink_metadata(place) };
    let found = found.ok()?;
    Some(Identity {
        device: found.dev(),
        inode: found.ino(),
        mode: found.mode(),
        user: found.uid(),
        group: found.gid(),
    })
}

impl Identity {
    /// The file with this path is it.
    pub(super) fn is_of(&self, object: &ByteString) -> bool {
        let place = PathBuf::from(OsString::from_vec(object.as_bytes().to_vec()));
        identity(&place, false) == Some(*self)
    }

    /// Calls on such a file do not wait for others, and so are not interrupted: a file with contents, a directory, a link.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFDIR | libc::S_IFLNK)
    }
}

/// How a process has used files before, and what that was about.
#[derive(Debug, Default)]
pub(super) struct KnownFiles(HashMap<Use, Target>);

impl KnownFiles {
    /// It is used so again.
    pub(super) fn know(&self, how: &Use, target: Target) -> bool {
        self.0.get(how) == Some(&target)
    }

    /// A use that teaches nothing from now on.
    pub(super) fn add(&mut self, how: Use, target: Target) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(how, target);
    }
}

/// Calls after which names may lead elsewhere though the file is the same, or the way there needs other rights. Of those that only
/// change the object it matters whether that is a file at the end of a name (`plain`).
pub(super) fn unsettles(name: &str, plain: bool) -> bool {
    const ALWAYS: [&str; 9] = [
        "fsconfig",
        "mount",
        "mount_setattr",
        "move_mount",
        "open_tree",
        "symlink",
        "symlinkat",
        "umount",
        "umount2",
    ];
    const UNLESS_PLAIN: [&str; 6] =
        ["rename", "chmod", "chown", "chown32", "setxattr", "removexattr"];
    decode::changes_view(name)
        || ALWAYS.contains(&name)
        || !plain && UNLESS_PLAIN.iter().any(|known| name.contains(known))
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;
    use crate::abi::arguments;

    /// What a call of this very process on a path is.
    fn using(name: &str, path: &str, flags: u64) -> (Call, Option<(Use, Target)>) {
        let text = CString::new(path).unwrap();
        let nr = calls::number(Abi::NATIVE, name).unwrap();
        let at_cwd = i64::from(libc::AT_FDCWD).cast_unsigned();
        let args = [at_cwd, text.as_ptr() as u64, flags, 0, 0, 0];
        let call = Call { abi: Abi::NATIVE, nr, args, result: None };
        (call, Use::read(nix::unistd::gettid(), &call))
    }

    fn leads_to(path: &str, object: &str) -> bool {
        let (call, found) = using("openat", path, 0);
        let own = std::process::id();
        found.unwrap().0.leads_to(&call, &object.into(), &View::of(own, own))
    }

    #[test]
    fn all_meaningful_arguments_decide() {
        for (name, deciding) in CALLS {
            let meaningful = arguments::of(Abi::NATIVE, name);
            assert!(meaningful.iter().all(|a| deciding.contains(&usize::from(a.index))), "{name}");
            assert!(paths::of(name).is_some_and(|row| row.second.is_none()), "{name}");
        }
    }

    #[test]
    fn another_file_another_right_and_another_use_are_not_known() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let name = file.to_str().unwrap();
        let ask = |flags| using("openat", name, flags).1;
        let mut known = KnownFiles::default();
        let (how, target) = ask(0).unwrap();
        known.add(how.clone(), target);
        assert!(known.know(&how, ask(0).unwrap().1));
        assert!(!known.know(&ask(1).unwrap().0, target));
        assert!(!known.know(&using("statx", name, 0).1.unwrap().0, target));
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        assert!(!known.know(&how, ask(0).unwrap().1));
        let other = directory.path().join("other");
        fs::write(&other, "").unwrap();
        fs::rename(other, &file).unwrap();
        assert!(!known.know(&how, ask(0).unwrap().1));
        fs::remove_file(&file).unwrap();
        assert_eq!(ask(0), None);
    }

    #[test]
    fn descriptors_are_looked_at_and_not_opened() {
        let found = |name| using(name, "", u64::from(paths::AT_EMPTY_PATH)).1.map(|found| found.1);
        assert_eq!(found("statx"), Some(Target::Descriptor));
        assert_eq!(found("openat"), None);
    }

    #[test]
    fn what_procfs_makes_up_leads_nowhere() {
        assert!(leads_to("/usr/../usr/lib", "/usr/lib"));
        assert!(!leads_to("/usr/../usr/lib", "/usr/bin"));
        // By a link whose target each process has to itself, though it is the same now.
        assert!(!leads_to("/proc/self/root/usr/lib", "/usr/lib"));
        let own = format!("/proc/{}/stat", std::process::id());
        assert!(!leads_to("/proc/self/stat", &own) && !leads_to(&own, &own));
    }

    #[test]
    fn so_many_files_are_known_and_not_more() {
        let (how, target) = using("openat", "/", 0).1.unwrap();
        let mut known = KnownFiles::default();
        for nr in 0..10 * u32::try_from(MOST).unwrap() {
            known.add(Use { nr, ..how.clone() }, target);
            assert!(known.0.len() <= MOST);
        }
    }

    #[test]
    fn what_moves_names_or_rights_unsettles() {
        for name in ["renameat2", "lchown", "fchmodat", "chown32"] {
            assert!(unsettles(name, false) && !unsettles(name, true), "{name}");
        }
        for name in ["symlinkat", "mount", "chroot", "setresuid32", "unshare"] {
            assert!(unsettles(name, true), "{name}");
        }
        assert!(!unsettles("openat", false) && !unsettles("unlink", false));
    }
}

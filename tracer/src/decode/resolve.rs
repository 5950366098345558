//! From a path as a task names it to the path that the kernel mediates.
//!
//! The kernel's walk (`path_resolution(7)`) is repeated here with readlink(2), one component at a time, in the task's
//! root, from the task's directory, with the task's own `/proc/self`. Paths are written from the root of the task's
//! mount namespace, as AppArmor mediates them (`security/apparmor/path.c`, `d_namespace_path`): in a chroot they carry
//! the root's own name in front, after `pivot_root(2)` they don't.
//!
//! The tree can change while it is walked; the answer is then one that was true in parts. Nothing is opened or changed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::recording::ByteString;

/// So many symbolic links the kernel follows in one walk (include/linux/namei.h, `MAXSYMLINKS`).
const MOST_LINKS: usize = 40;
/// No path is longer (`PATH_MAX`, linux/limits.h).
pub const LONGEST_PATH: usize = 4096;

/// A name from procfs is a path in the file tree: no pipe, no socket, no anonymous inode, no memfd.
fn in_tree(name: &[u8]) -> bool {
    name.starts_with(b"/") && !name.starts_with(b"/memfd:")
}

/// How a task sees the file tree.
#[derive(Clone, Debug)]
pub struct View {
    /// Where the task's root is reachable for us; empty for our own root.
    reach: PathBuf,
    /// The root's name in its mount namespace, without the last slash: empty but in a chroot.
    root: Vec<u8>,
    /// The process, for `/proc/self`.
    pid: u32,
    /// The thread, for `/proc/thread-self`, and for its directories and descriptors.
    tid: u32,
    ids: Ids,
}

/// What the ids of a view are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ids {
    /// Those of a living task, in our own pid namespace: procfs tells what its own are.
    Living,
    /// The task's own, in its pid namespace; it may be gone, and what was mounted at its `/proc` too.
    Own,
    /// What a directory's `proc` calls it, which is no procfs.
    Imagined,
}

impl View {
    /// The view of a living task, through procfs.
    pub fn of(pid: u32, tid: u32) -> Self {
        let proc = PathBuf::from(format!("/proc/{tid}"));
        let root = fs::read_link(proc.join("root")).unwrap_or_default();
        let root = root.into_os_string().into_vec();
        // The root of this very mount namespace needs no detour.
        let reach = if root == b"/" && same_mount_namespace(tid) {
            PathBuf::new()
        } else {
            proc.join("root")
        };
        let root = if root == b"/" { Vec::new() } else { root };
        Self { reach, root, pid, tid, ids: Ids::Living }
    }

    /// Absolute names lead this process and the task to the same files, but for links of procfs.
    pub(crate) fn is_our_own(&self) -> bool {
        self.reach.as_os_str().is_empty() && self.root.is_empty()
    }

    /// The view of the tree below a directory, where procfs knows the task by these ids.
    pub fn within(root: PathBuf, pid: u32, tid: u32) -> Self {
        Self { reach: root, root: Vec::new(), pid, tid, ids: Ids::Imagined }
    }

    /// The view of a task that may be gone: its root is reachable for us at `reach` (empty: it is our own), and is called
    /// `root` in its mount namespace; the ids are those of its own pid namespace.
    pub fn remembered(reach: PathBuf, root: &[u8], pid: u32, tid: u32) -> Self {
        Self { reach, root: trim(root).to_vec(), pid, tid, ids: Ids::Own }
    }

    /// The directory that a relative path starts from: the current one, or a descriptor's.
    ///
    /// # Errors
    /// When the descriptor is closed, or the task is gone.
    pub fn directory(&self, fd: Option<i32>) -> io::Result<ByteString> {
        match fd {
            None => self.link("cwd"),
            Some(fd) => self.descriptor(fd),
        }
    }

    /// What a descriptor is open on: a path, or what procfs calls a thing without one.
    ///
    /// # Errors
    /// When the descriptor is closed, or the task is gone.
    pub fn descriptor(&self, fd: i32) -> io::Result<ByteString> {
        self.link(&format!("fd/{fd}"))
    }

    /// The program that the task runs.
    ///
    /// # Errors
    /// When the task is gone or has no program (a zombie).
    pub fn program(&self) -> io::Result<ByteString> {
        self.link("exe")
    }

    /// The target of one of the task's own links, without the mark of a deleted file.
    fn link(&self, name: &str) -> io::Result<ByteString> {
        let link = PathBuf::from(format!("/proc/{}/{name}", self.tid));
        let target = fs::read_link(&link)?.into_os_string().into_vec();
        Ok(ByteString::new(without_deleted(target, &link)))
    }

    /// Where this process finds a path of the view.
    pub fn outside(&self, path: &[u8]) -> PathBuf {
        let inside = match path.strip_prefix(self.root.as_slice()) {
            Some(rest) if self.root.is_empty() || rest.is_empty() || rest[0] == b'/' => rest,
            // Opened before a chroot: not below the task's root, but below ours when we share the namespace.
            _ => return PathBuf::from(OsStr::from_bytes(path)),
        };
        let mut whole = self.reach.clone().into_os_string();
        whole.push(OsStr::from_bytes(inside));
        if whole.is_empty() { PathBuf::from("/") } else { whole.into() }
    }

    /// Walks `path` from the directory `base`, which must be absolute (as [`View::directory`] gives it).
    ///
    /// A last component that doesn't exist is no error: that is how files are made. With `follow_last` unset a final
    /// symbolic link is the object itself; a slash after it overrules that.
    ///
    /// # Errors
    /// As the kernel's walk would: a missing or closed directory on the way, too many links, a name too long. The
    /// result never lies above the task's root, except through a descriptor or link of procfs that leads there.
    pub fn resolve(&self, base: &[u8], path: &[u8], follow_last: bool) -> io::Result<ByteString> {
        self.walk(base, path, Missing::EndsWalk)?.run(follow_last).map(|(path, _whole)| path)
    }

    /// The same after a call that succeeded, when what was on the way may be gone already: a component that is missing now
    /// is taken for a directory. The second value is false when there was one.
    ///
    /// # Errors
    /// As for [`View::resolve`], but for missing components.
    pub fn resolve_afterwards(
        &self,
        base: &[u8],
        path: &[u8],
        follow_last: bool,
    ) -> io::Result<(ByteString, bool)> {
        self.walk(base, path, Missing::IsDirectory)?.run(follow_last)
    }

    fn walk(&self, base: &[u8], path: &[u8], missing: Missing) -> io::Result<Walk<'_>> {
        if path.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        let mut walk =
            Walk { view: self, at: Vec::new(), rest: Vec::new(), links: 0, missing, whole: true };
        walk.at = if path.starts_with(b"/") { self.root.clone() } else { trim(base).to_vec() };
        walk.prepend(path)?;
        Ok(walk)
    }
}

/// One walk: where it is, and what is still to go.
struct Walk<'a> {
    view: &'a View,
    /// The directory reached, without a last slash.
    at: Vec<u8>,
    /// The components still to go, the next one last.
    rest: Vec<Vec<u8>>,
    links: usize,
    missing: Missing,
    /// No component but the last was missing.
    whole: bool,
}

/// What a missing component means that is not the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    EndsWalk,
    IsDirectory,
}

impl Walk<'_> {
    fn prepend(&mut self, path: &[u8]) -> io::Result<()> {
        if path.len() >= LONGEST_PATH || self.rest.len() > LONGEST_PATH {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        if path.ends_with(b"/") {
            // "name/" demands a directory and follows links, as "name/." does.
            self.rest.push(b".".to_vec());
        }
        let parts = path.split(|b| *b == b'/').rev().filter(|part| !part.is_empty());
        self.rest.extend(parts.map(<[u8]>::to_vec));
        Ok(())
    }

    fn run(mut self, follow_last: bool) -> io::Result<(ByteString, bool)> {
        while let Some(part) = self.rest.pop() {
            match part.as_slice() {
                b"." => continue,
                b".." => {
                    self.up();
                    continue;
                }
                _ => {}
            }
            let parent = self.at.len();
            self.at.push(b'/');
            self.at.extend_from_slice(&part);
            let last = self.rest.is_empty();
            match fs::read_link(self.view.outside(&self.at)) {
                Ok(_) if last && !follow_last => break,
                Ok(target) => self.follow(parent, &part, target.into_os_string().into_vec())?,
                Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {}
                Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
                    // What is missing may be made: mkdir("new/") is a call that works.
                    if !self.rest.iter().any(|part| part.as_slice() != b".") {
                        break;
                    }
                    if self.missing == Missing::EndsWalk {
                        return Err(e);
                    }
                    self.whole = false;
                }
                Err(e) => return Err(e),
            }
            if !in_tree(&self.at) && !self.at.is_empty() {
                // A magic link to a pipe or the like: nothing can follow.
                return Ok((ByteString::new(self.at), self.whole));
            }
        }
        if self.at.is_empty() {
            self.at.push(b'/');
        }
        Ok((ByteString::new(self.at), self.whole))
    }

    fn up(&mut self) {
        if self.at != self.view.root {
            let slash = self.at.iter().rposition(|b| *b == b'/').unwrap_or(0);
            self.at.truncate(slash);
        }
    }

    fn follow(&mut self, parent: usize, part: &[u8], target: Vec<u8>) -> io::Result<()> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let link = self.view.outside(&self.at);
        match self.proc_link(parent, part) {
            ProcLink::Own(own) => {
                self.at.truncate(parent);
                self.prepend(&own)
            }
            ProcLink::Magic => {
                // The name is already resolved, from the namespace's root; there may be nothing at that name.
                self.at = trim(&without_deleted(target, &link)).to_vec();
                Ok(())
            }
            ProcLink::No if target.starts_with(b"/") => {
                self.at = self.view.root.clone();
                self.prepend(&target)
            }
            ProcLink::No => {
                self.at.truncate(parent);
                self.prepend(&target)
            }
        }
    }

    /// What a symbolic link means beyond its text, when it lies in procfs.
    fn proc_link(&self, parent: usize, part: &[u8]) -> ProcLink {
        let directory = self.at.get(..parent).unwrap_or_default();
        let last = directory.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let own = matches!(part, b"self" | b"thread-self");
        let magic = matches!(part, b"exe" | b"cwd" | b"root")
            || matches!(last, b"fd" | b"map_files" | b"ns");
        let plain = directory == b"/proc";
        if !(own || magic)
            || !(plain && self.view.ids == Ids::Imagined
                || is_procfs(&self.view.outside(directory)))
        {
            return ProcLink::No;
        }
        if !own {
            return ProcLink::Magic;
        }
        ProcLink::Own(self.view.own_link(part == b"thread-self"))
    }
}

enum ProcLink {
    /// An ordinary link.
    No,
    /// A link that the kernel jumps through (proc(5)): its text is the name of what it leads to.
    Magic,
    /// `self` or `thread-self`: what it means for the task, as a component.
    Own(Vec<u8>),
}

impl View {
    /// `/proc/self` or `/proc/thread-self`, with the numbers of the task's own pid namespace.
    fn own_link(&self, thread: bool) -> Vec<u8> {
        let status = match self.ids {
            Ids::Living => {
                fs::read_to_string(format!("/proc/{}/status", self.tid)).unwrap_or_default()
            }
            Ids::Own | Ids::Imagined => String::new(),
        };
        let innermost = |field: &str, outer: u32| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let last = line.and_then(|line| line.split_whitespace().next_back());
            last.map_or_else(|| outer.to_string(), str::to_owned)
        };
        let process = innermost("NStgid:", self.pid);
        if !thread {
            return process.into_bytes();
        }
        format!("{process}/task/{}", innermost("NSpid:", self.tid)).into_bytes()
    }
}

fn same_mount_namespace(tid: u32) -> bool {
    let theirs = fs::read_link(format!("/proc/{tid}/ns/mnt")).ok();
    theirs.is_some() && theirs == fs::read_link("/proc/self/ns/mnt").ok()
}

fn is_procfs(path: &Path) -> bool {
    nix::sys::statfs::statfs(path)
        .is_ok_and(|fs| fs.filesystem_type() == nix::sys::statfs::PROC_SUPER_MAGIC)
}

/// A link's text without the ` (deleted)` that procfs adds to the name of a file that has none any more.
///
/// A file may really be called so: then it still has a link.
fn without_deleted(mut target: Vec<u8>, link: &Path) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt;
    const MARK: &[u8] = b" (deleted)";
    if target.ends_with(MARK) {
        let there = |path: &Path| fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
        let same = there(link).is_some_and(|file| {
            there(Path::new(OsStr::from_bytes(&target))).is_some_and(|named| named == file)
        });
        if !same {
            target.truncate(target.len() - MARK.len());
        }
    }
    target
}

fn trim(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    fn path(view: &View, base: &str, path: &str, follow: bool) -> String {
        view.resolve(base.as_bytes(), path.as_bytes(), follow).unwrap().to_string()
    }

    fn tree() -> (tempfile::TempDir, View) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/file"), "").unwrap();
        symlink("/a/b", dir.path().join("absolute")).unwrap();
        symlink("b/../b", dir.path().join("a/relative")).unwrap();
        symlink("../../../../../..", dir.path().join("a/out")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let view = View::within(dir.path().to_owned(), 7, 8);
        (dir, view)
    }

    #[test]
    fn links_dots_and_slashes_are_walked_as_the_kernel_does() {
        let (_dir, view) = tree();
        assert_eq!(path(&view, "/", "absolute/file", true), "/a/b/file");
        assert_eq!(path(&view, "/a", "relative/file", true), "/a/b/file");
        assert_eq!(path(&view, "/a", "relative", false), "/a/relative");
        assert_eq!(path(&view, "/a", "relative/", false), "/a/b");
        assert_eq!(path(&view, "/a/b", "/absolute/..", true), "/a");
        assert_eq!(path(&view, "/a/b", "../../../..//./a", true), "/a");
        assert_eq!(path(&view, "/", "..", true), "/");
    }

    #[test]
    fn a_last_name_may_be_missing_and_no_other() {
        let (_dir, view) = tree();
        let made = view.resolve(b"/a", b"relative/new", true).unwrap();
        assert_eq!(made, "/a/b/new".into());
        assert_eq!(view.resolve(b"/a", b"dir/", true).unwrap(), "/a/dir".into());
        let missing = view.resolve(b"/a", b"none/new", true).unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn what_is_gone_is_taken_for_a_directory_after_a_success() {
        let (_dir, view) = tree();
        let after = |path: &str| view.resolve_afterwards(b"/a", path.as_bytes(), true).unwrap();
        assert_eq!(after("gone/b/../c"), ("/a/gone/c".into(), false));
        assert_eq!(after("relative/gone"), ("/a/b/gone".into(), true));
        assert_eq!(after("/absolute/file"), ("/a/b/file".into(), true));
    }

    #[test]
    fn loops_and_long_names_end() {
        let (_dir, view) = tree();
        assert_eq!(
            view.resolve(b"/", b"loop", true).unwrap_err().raw_os_error(),
            Some(libc::ELOOP)
        );
        assert_eq!(path(&view, "/", "loop", false), "/loop");
        let long = vec![b'/'; LONGEST_PATH];
        assert_eq!(
            view.resolve(b"/", &long, true).unwrap_err().raw_os_error(),
            Some(libc::ENAMETOOLONG)
        );
    }

    #[test]
    fn the_root_is_never_left() {
        let (_dir, view) = tree();
        assert_eq!(path(&view, "/", "a/out/a", true), "/a");
        assert_eq!(path(&view, "/", "a/out", true), "/");
    }

    #[test]
    fn procfs_links_mean_what_they_mean_to_the_task() {
        let me = std::process::id();
        let view = View::of(me, me);
        let file = tempfile::NamedTempFile::new().unwrap();
        use std::os::fd::AsRawFd;
        let fd = file.as_file().as_raw_fd();
        let name = file.path().canonicalize().unwrap();
        let through = path(&view, "/", &format!("/proc/self/fd/{fd}"), true);
        assert_eq!(Path::new(&through), name);
        let itself = path(&view, "/", &format!("/proc/self/fd/{fd}"), false);
        assert!(itself.ends_with(&format!("/fd/{fd}")) && !itself.contains("self"), "{itself}");
        assert_eq!(path(&view, "/", "/proc/self/root/etc", true), "/etc");
        let (reader, _writer) = std::io::pipe().unwrap();
        let pipe = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let pipe = view.resolve(b"/", pipe.as_bytes(), true).unwrap();
        assert!(pipe.to_string().starts_with("pipe:["), "{pipe:?}");
    }

    #[test]
    fn a_deleted_file_keeps_its_name_and_a_strange_name_too() {
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let view = View::of(std::process::id(), std::process::id());
        let gone = fs::File::create(base.join("gone")).unwrap();
        fs::remove_file(base.join("gone")).unwrap();
        let name = view.descriptor(gone.as_raw_fd()).unwrap();
        assert_eq!(<_ as AsRef<Path>>::as_ref(&name), base.join("gone"));
        let odd = fs::File::create(base.join("odd (deleted)")).unwrap();
        let name = view.descriptor(odd.as_raw_fd()).unwrap();
        assert_eq!(<_ as AsRef<Path>>::as_ref(&name), base.join("odd (deleted)"));
    }

    #[test]
    fn a_directory_stands_for_a_container() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("proc/7/task/8")).unwrap();
        symlink("1", dir.path().join("proc/self")).unwrap();
        symlink("1/task/1", dir.path().join("proc/thread-self")).unwrap();
        let view = View::within(dir.path().to_owned(), 7, 8);
        assert_eq!(path(&view, "/", "/proc/self/maps", true), "/proc/7/maps");
        assert_eq!(path(&view, "/", "/proc/thread-self/comm", true), "/proc/7/task/8/comm");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever links a hostile program makes, a walk stays inside, ends, and agrees with the kernel's.
        #[test]
        fn walks_agree_with_the_kernel(
            links in proptest::collection::vec("(\\.\\./|/|[ab]/|x[0-3]/?){1,5}", 4),
            asked in "(\\.\\./|/|[ab]/|x[0-3]/?){1,6}",
        ) {
            let (dir, view) = tree();
            for (n, target) in links.iter().enumerate() {
                symlink(target, dir.path().join(format!("x{n}"))).unwrap();
            }
            let ours = view.resolve(b"/a", asked.as_bytes(), true);
            let kernel = in_root(dir.path(), &asked);
            match (ours, kernel) {
                (Ok(ours), Some(kernel)) => {
                    prop_assert_eq!(view.outside(ours.as_bytes()), kernel);
                }
                // Missing, or a file where the kernel wants a directory: the call itself fails then.
                (Ok(ours), None) => prop_assert!(ours.as_bytes().starts_with(b"/")),
                (Err(e), Some(kernel)) => prop_assert!(false, "{e} but {kernel:?}"),
                (Err(_), None) => {}
            }
        }
    }

    /// The kernel's own answer: openat2(2) with `RESOLVE_IN_ROOT`, from `/a`.
    fn in_root(root: &Path, path: &str) -> Option<PathBuf> {
        use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
        use std::os::fd::AsRawFd;
        let at = fs::File::open(root).unwrap();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/a/{path}") };
        let how = OpenHow::new().flags(OFlag::O_PATH).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        let fd = openat2(&at, path.as_str(), how).ok()?;
        let found = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
        let root = root.canonicalize().unwrap();
        let found = found.strip_prefix(&root).unwrap().to_owned();
        Some(if found.as_os_str().is_empty() { root } else { root.join(found) })
    }
}

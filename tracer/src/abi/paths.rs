//! Which calls name files, how they name them, and what they do to them.
//!
//! The semantics of each row is in the call's manual page, section 2; `follow` is what the page says of a final
//! symbolic link. What a call does is expressed in what `AppArmor` mediates (security/apparmor/lsm.c, the `path_*`,
//! `inode_*` and `file_*` hooks).

use crate::recording::Access;

/// A call that names files.
#[derive(Debug)]
pub struct PathCall {
    /// The call's name, the same in every ABI that has it.
    pub name: &'static str,
    /// What it names.
    pub object: Object,
    /// The second file of `rename`, `link` and their kin.
    pub second: Option<Object>,
    /// What it does to the object.
    pub effect: Effect,
}

/// How a call names a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// By a path.
    Path {
        /// The argument with the directory's descriptor; the current directory without one.
        dir: Option<u8>,
        /// The argument with the path's address.
        path: u8,
        /// What happens to a final symbolic link.
        follow: Follow,
    },
    /// By the descriptor in this argument.
    Fd(u8),
}

/// What happens to a final symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// It is followed.
    Always,
    /// It is the object itself.
    Never,
    /// It is followed unless this argument has one of these bits.
    Unless(u8, u32),
    /// It is followed if this argument has one of these bits.
    If(u8, u32),
}

/// `O_EXCL`, `O_CREAT`, `O_NOFOLLOW` (asm-generic/fcntl.h).
const O_EXCL: u32 = 0o200;
const O_CREAT: u32 = 0o100;
const O_NOFOLLOW: u32 = 0o400_000;

impl Follow {
    /// Whether a call with these arguments follows; `open_flags` are those of a call that opens (open(2)).
    pub fn holds(self, args: &[u64; 6], open_flags: Option<u32>) -> bool {
        let argument = |at: u8, bits: u32| args[usize::from(at)] & u64::from(bits) != 0;
        match self {
            Self::Always => open_flags.is_none_or(|flags| {
                flags & O_NOFOLLOW == 0 && flags & (O_CREAT | O_EXCL) != O_CREAT | O_EXCL
            }),
            Self::Never => false,
            Self::Unless(at, bits) => !argument(at, bits),
            Self::If(at, bits) => argument(at, bits),
        }
    }
}

/// What a call does to the file that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Opens it by the `O_` flags in this argument, and returns its descriptor.
    Open(u8),
    /// Opens it by the `struct open_how` that this argument points to.
    OpenHow(u8),
    /// Makes and opens it for writing (creat).
    Creat,
    /// One access.
    Does(Access),
    /// Deletes it: a directory if this argument has `AT_REMOVEDIR`.
    Unlink(u8),
    /// The modes of access(2) in this argument: nothing is opened; an existing file's attributes are read.
    Probe,
    /// Maps it: executable if the argument has `PROT_EXEC`.
    Map(u8),
    /// Opens what a handle stands for, somewhere in the file system of the named file, by the `O_` flags in this argument, and
    /// returns its descriptor.
    OpenHandle(u8),
    /// Opens the other end of a terminal by the `O_` flags in this argument, if the request in the other is `TIOCGPTPEER`.
    OpenPeer {
        /// The argument with the request.
        request: u8,
        /// The argument with the flags.
        flags: u8,
    },
    /// Renames it, or gives each the other's name if this argument has `RENAME_EXCHANGE`.
    RenameBy(u8),
    /// Locks it, if the operation in this argument is a lock of fcntl(2).
    LockBy(u8),
    /// Locks it as flock(2) does, by the operation in this argument.
    FlockBy(u8),
    /// Executes it. What was executed is told by the exec event, not by the call's path; but not what turned out to be no
    /// program (`ENOEXEC`), which shells then read themselves.
    Execute,
}

/// `AT_SYMLINK_NOFOLLOW` (linux/fcntl.h).
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
/// `AT_REMOVEDIR` (linux/fcntl.h).
pub const AT_REMOVEDIR: u32 = 0x200;
/// `AT_SYMLINK_FOLLOW` (linux/fcntl.h).
pub const AT_SYMLINK_FOLLOW: u32 = 0x400;
/// `AT_EMPTY_PATH` (linux/fcntl.h): an empty path names the descriptor itself.
pub const AT_EMPTY_PATH: u32 = 0x1000;
/// `RENAME_EXCHANGE` (linux/fs.h).
pub const RENAME_EXCHANGE: u32 = 2;
/// `TIOCGPTPEER` (asm-generic/ioctls.h): opens a terminal without a name being given (ioctl_tty(2)).
pub const TIOCGPTPEER: u32 = 0x5441;

use Effect::{
    Creat, Does, Execute, FlockBy, LockBy, Map, Open, OpenHandle, OpenHow, OpenPeer, Probe,
    RenameBy, Unlink,
};
use Follow::{Always, If, Never, Unless};

const fn cwd(path: u8, follow: Follow) -> Object {
    Object::Path { dir: None, path, follow }
}

const fn at(dir: u8, path: u8, follow: Follow) -> Object {
    Object::Path { dir: Some(dir), path, follow }
}

const fn one(name: &'static str, object: Object, effect: Effect) -> PathCall {
    PathCall { name, object, second: None, effect }
}

const fn two(name: &'static str, object: Object, second: Object, effect: Effect) -> PathCall {
    PathCall { name, object, second: Some(second), effect }
}

/// The table, sorted by name.
///
/// For `link` and its kin the object is the new name and the second the existing file, as `AppArmor`'s `link` rules have it;
/// for `rename` the object is the old name and the second the new one.
pub static TABLE: &[PathCall] = &[
    one("access", cwd(0, Always), Probe),
    one("chdir", cwd(0, Always), Does(Access::Chdir)),
    one("chmod", cwd(0, Always), Does(Access::Chmod)),
    one("chown", cwd(0, Always), Does(Access::Chown)),
    one("chown32", cwd(0, Always), Does(Access::Chown)),
    one("chroot", cwd(0, Always), Does(Access::Chdir)),
    one("creat", cwd(0, Always), Creat),
    one("execve", cwd(0, Always), Execute),
    one("execveat", at(0, 1, Unless(4, AT_SYMLINK_NOFOLLOW)), Execute),
    one("faccessat", at(0, 1, Always), Probe),
    one("faccessat2", at(0, 1, Unless(3, AT_SYMLINK_NOFOLLOW)), Probe),
    one("fchdir", Object::Fd(0), Does(Access::Chdir)),
    one("fchmod", Object::Fd(0), Does(Access::Chmod)),
    one("fchmodat", at(0, 1, Always), Does(Access::Chmod)),
    one("fchmodat2", at(0, 1, Unless(3, AT_SYMLINK_NOFOLLOW)), Does(Access::Chmod)),
    one("fchown", Object::Fd(0), Does(Access::Chown)),
    one("fchown32", Object::Fd(0), Does(Access::Chown)),
    one("fchownat", at(0, 1, Unless(4, AT_SYMLINK_NOFOLLOW)), Does(Access::Chown)),
    one("fcntl", Object::Fd(0), LockBy(1)),
    one("fcntl64", Object::Fd(0), LockBy(1)),
    one("flock", Object::Fd(0), FlockBy(1)),
    one("fremovexattr", Object::Fd(0), Does(Access::Setattr)),
    one("fsetxattr", Object::Fd(0), Does(Access::Setattr)),
    one("fstatat64", at(0, 1, Unless(3, AT_SYMLINK_NOFOLLOW)), Does(Access::Getattr)),
    one("ftruncate", Object::Fd(0), Does(Access::Truncate)),
    one("ftruncate64", Object::Fd(0), Does(Access::Truncate)),
    one("futimesat", at(0, 1, Always), Does(Access::Setattr)),
    one("getxattr", cwd(0, Always), Does(Access::Getattr)),
    one("ioctl", Object::Fd(0), OpenPeer { request: 1, flags: 2 }),
    one("lchown", cwd(0, Never), Does(Access::Chown)),
    one("lchown32", cwd(0, Never), Does(Access::Chown)),
    one("lgetxattr", cwd(0, Never), Does(Access::Getattr)),
    two("link", cwd(1, Never), cwd(0, Never), Does(Access::Link)),
    two("linkat", at(2, 3, Never), at(0, 1, If(4, AT_SYMLINK_FOLLOW)), Does(Access::Link)),
    one("listxattr", cwd(0, Always), Does(Access::Getattr)),
    one("llistxattr", cwd(0, Never), Does(Access::Getattr)),
    one("lremovexattr", cwd(0, Never), Does(Access::Setattr)),
    one("lsetxattr", cwd(0, Never), Does(Access::Setattr)),
    one("lstat", cwd(0, Never), Does(Access::Getattr)),
    one("lstat64", cwd(0, Never), Does(Access::Getattr)),
    one("mkdir", cwd(0, Never), Does(Access::Mkdir)),
    one("mkdirat", at(0, 1, Never), Does(Access::Mkdir)),
    one("mknod", cwd(0, Never), Does(Access::Mknod)),
    one("mknodat", at(0, 1, Never), Does(Access::Mknod)),
    one("mmap", Object::Fd(4), Map(2)),
    one("mmap2", Object::Fd(4), Map(2)),
    one("newfstatat", at(0, 1, Unless(3, AT_SYMLINK_NOFOLLOW)), Does(Access::Getattr)),
    one("oldlstat", cwd(0, Never), Does(Access::Getattr)),
    one("oldstat", cwd(0, Always), Does(Access::Getattr)),
    one("open", cwd(0, Always), Open(1)),
    one("open_by_handle_at", Object::Fd(0), OpenHandle(2)),
    one("openat", at(0, 1, Always), Open(2)),
    one("openat2", at(0, 1, Always), OpenHow(2)),
    one("readlink", cwd(0, Never), Does(Access::Getattr)),
    one("readlinkat", at(0, 1, Never), Does(Access::Getattr)),
    one("removexattr", cwd(0, Always), Does(Access::Setattr)),
    two("rename", cwd(0, Never), cwd(1, Never), Does(Access::Rename)),
    two("renameat", at(0, 1, Never), at(2, 3, Never), Does(Access::Rename)),
    two("renameat2", at(0, 1, Never), at(2, 3, Never), RenameBy(4)),
    one("rmdir", cwd(0, Never), Does(Access::Rmdir)),
    one("setxattr", cwd(0, Always), Does(Access::Setattr)),
    one("stat", cwd(0, Always), Does(Access::Getattr)),
    one("stat64", cwd(0, Always), Does(Access::Getattr)),
    one("statfs", cwd(0, Always), Does(Access::Getattr)),
    one("statfs64", cwd(0, Always), Does(Access::Getattr)),
    one("statx", at(0, 1, Unless(2, AT_SYMLINK_NOFOLLOW)), Does(Access::Getattr)),
    one("symlink", cwd(1, Never), Does(Access::Symlink)),
    one("symlinkat", at(1, 2, Never), Does(Access::Symlink)),
    one("truncate", cwd(0, Always), Does(Access::Truncate)),
    one("truncate64", cwd(0, Always), Does(Access::Truncate)),
    one("unlink", cwd(0, Never), Does(Access::Delete)),
    one("unlinkat", at(0, 1, Never), Unlink(2)),
    one("utime", cwd(0, Always), Does(Access::Setattr)),
    one("utimensat", at(0, 1, Unless(3, AT_SYMLINK_NOFOLLOW)), Does(Access::Setattr)),
    one("utimensat_time64", at(0, 1, Unless(3, AT_SYMLINK_NOFOLLOW)), Does(Access::Setattr)),
    one("utimes", cwd(0, Always), Does(Access::Setattr)),
];

/// The row of a call, or `None` for a call that names no file.
pub fn of(name: &str) -> Option<&'static PathCall> {
    TABLE.binary_search_by_key(&name, |row| row.name).ok().map(|at| &TABLE[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Abi, calls};

    #[test]
    fn links_are_followed_as_the_manual_says() {
        let with = |at: usize, bits: u32| {
            let mut args = [0; 6];
            args[at] = u64::from(bits);
            args
        };
        assert!(Follow::Unless(3, AT_SYMLINK_NOFOLLOW).holds(&[0; 6], None));
        assert!(!Follow::Unless(3, AT_SYMLINK_NOFOLLOW).holds(&with(3, AT_SYMLINK_NOFOLLOW), None));
        assert!(!Follow::If(4, AT_SYMLINK_FOLLOW).holds(&[0; 6], None));
        assert!(Follow::If(4, AT_SYMLINK_FOLLOW).holds(&with(4, AT_SYMLINK_FOLLOW), None));
        assert!(Follow::Always.holds(&[0; 6], Some(O_CREAT)));
        assert!(!Follow::Always.holds(&[0; 6], Some(O_CREAT | O_EXCL)));
        assert!(!Follow::Always.holds(&[0; 6], Some(O_NOFOLLOW)));
    }

    #[test]
    fn rows_are_sorted_and_of_real_calls() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        for row in TABLE {
            let known =
                [Abi::X86_64, Abi::I386].iter().any(|a| calls::number(*a, row.name).is_some());
            assert!(known, "{}", row.name);
        }
    }
}

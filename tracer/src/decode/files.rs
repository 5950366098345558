//! What a call did to a file, in AppArmor's terms.

use crate::abi::paths::{AT_REMOVEDIR, Effect, PathCall, RENAME_EXCHANGE, TIOCGPTPEER};
use crate::decode::{Call, low};
use crate::recording::{Access, ByteString, What};

/// What is known of an opened file beyond the call's arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The flags that the call asked for.
    pub flags: u32,
    /// The open made the file.
    pub created: bool,
}

// asm-generic/fcntl.h, the same on x86 and arm64 but for O_DIRECTORY.
/// The bits that say what a file is opened for.
pub const O_ACCMODE: u32 = 0o3;
const O_RDONLY: u32 = 0;
const O_WRONLY: u32 = 0o1;
const O_RDWR: u32 = 0o2;
const O_TRUNC: u32 = 0o1000;
const O_APPEND: u32 = 0o2000;
const O_PATH: u32 = 0o10_000_000;
/// `O_CREAT`.
pub const O_CREAT: u32 = 0o100;
/// `O_TMPFILE`'s own bit, `__O_TMPFILE`.
const O_TMPFILE: u32 = 0o20_000_000;
const PROT_EXEC: u64 = 4;
/// flock(2)'s exclusive lock (asm-generic/fcntl.h).
const LOCK_EX: u64 = 2;
/// What a call returns for a file that is no program.
const NO_PROGRAM: i64 = -(libc::ENOEXEC as i64);
/// The operations of fcntl(2) that lock: `F_SETLK`, `F_SETLKW`, their 64-bit forms for 32-bit programs, and those of the
/// open-file-description locks (linux/fcntl.h).
pub const LOCKS: [u64; 6] = [6, 7, 13, 14, 37, 38];

/// The accesses that opening a file asks for.
pub fn of_open(opened: Opened) -> Vec<Access> {
    let Opened { flags, created } = opened;
    if flags & O_PATH != 0 {
        return vec![Access::Getattr];
    }
    let mut all = Vec::with_capacity(3);
    let mode = flags & O_ACCMODE;
    let writes = mode == O_WRONLY || mode == O_RDWR;
    // Mode 3 is for ioctl(2) alone (open(2)): neither is granted.
    if mode == O_RDONLY || mode == O_RDWR {
        all.push(Access::Read);
    }
    if writes {
        all.push(if flags & O_APPEND != 0 { Access::Append } else { Access::Write });
    }
    // Who opens to read what need not be there asks to make it, also when it is (aa_map_file_to_perms,
    // security/apparmor/include/file.h).
    if created || flags & O_TMPFILE != 0 || flags & O_CREAT != 0 && !writes {
        all.push(Access::Create);
    }
    if flags & O_TRUNC != 0 && !created {
        all.push(Access::Truncate);
    }
    all
}

/// The accesses that a program's profile is asked for when it begins with a file open, by the flags that it has (aa_inherit_files,
/// security/apparmor/file.c). What only names a place gives none. Nor does a file that nobody who is recorded has opened: whoever did
/// is under no profile, and what he hands on is not asked for (aa_file_perm, there).
pub fn of_inherited(flags: u32) -> Vec<Access> {
    if flags & O_PATH != 0 {
        return Vec::new();
    }
    of_open(Opened { flags: flags & (O_ACCMODE | O_APPEND), created: false })
}

/// What a file is open for after such an access: to read, or to write.
pub const fn opened_for(access: Access) -> Option<Access> {
    match access {
        Access::Read => Some(Access::Read),
        Access::Write | Access::Append | Access::Create => Some(Access::Write),
        _ => None,
    }
}

/// The accesses of a call, or nothing for one that touches no file this time.
pub fn accesses(row: &PathCall, call: &Call, opened: Option<Opened>) -> Vec<Access> {
    let argument = |at: u8| call.args[usize::from(at)];
    match row.effect {
        // Nobody knows what could not be opened.
        Effect::OpenHandle(_) | Effect::OpenPeer { .. } if !call.succeeded() => Vec::new(),
        Effect::OpenPeer { request, .. } if low(argument(request)) != TIOCGPTPEER => Vec::new(),
        Effect::Open(_)
        | Effect::OpenHow(_)
        | Effect::Creat
        | Effect::OpenHandle(_)
        | Effect::OpenPeer { .. } => opened.map(of_open).unwrap_or_default(),
        Effect::Does(access) => vec![access],
        Effect::RenameBy(_) => vec![Access::Rename],
        Effect::Unlink(flags) if argument(flags) & u64::from(AT_REMOVEDIR) != 0 => {
            vec![Access::Rmdir]
        }
        Effect::Unlink(_) => vec![Access::Delete],
        Effect::Probe => vec![Access::Getattr],
        Effect::Map(prot) if argument(prot) & PROT_EXEC != 0 => vec![Access::MmapExec],
        Effect::LockBy(op) if is_lock(argument(op)) => vec![Access::Lock],
        Effect::FlockBy(op) if argument(op) & LOCK_EX != 0 => vec![Access::LockExclusive],
        Effect::FlockBy(_) => vec![Access::Lock],
        Effect::Execute if call.result == Some(NO_PROGRAM) => vec![Access::Exec],
        Effect::Map(_) | Effect::LockBy(_) | Effect::Execute => Vec::new(),
    }
}

/// The flags that an open asks for, when they stand in its registers.
pub fn flags_in_registers(row: &PathCall, call: &Call) -> Option<u32> {
    match row.effect {
        // Flags are an int: the low half of the register.
        Effect::Open(at) | Effect::OpenHandle(at) | Effect::OpenPeer { flags: at, .. } => {
            Some(low(call.args[usize::from(at)]))
        }
        Effect::Creat => Some(O_CREAT | O_WRONLY | O_TRUNC),
        _ => None,
    }
}

fn is_lock(op: u64) -> bool {
    LOCKS.contains(&(op & 0xffff_ffff))
}

/// A path that names a file in a file system: not a pipe, a socket, an anonymous inode or memory.
pub fn is_file(path: &[u8]) -> bool {
    path.starts_with(b"/")
        && !is_memory(path)
        && !path.starts_with(b"/[")
        && !path.starts_with(b"/SYSV")
        && path != b"/anon_hugepage (deleted)"
}

/// What memfd_create(2) makes: it has a name, and stands in no tree.
pub fn is_memory(path: &[u8]) -> bool {
    path.starts_with(b"/memfd:")
}

/// The facts of a call on resolved paths.
pub fn facts(
    row: &PathCall,
    call: &Call,
    opened: Option<Opened>,
    object: &ByteString,
    second: Option<&ByteString>,
) -> Vec<What> {
    if !is_file(object.as_bytes()) {
        return Vec::new();
    }
    let exchanges = matches!(row.effect, Effect::RenameBy(flags)
        if low(call.args[usize::from(flags)]) & RENAME_EXCHANGE != 0);
    done(accesses(row, call, opened), object, second, exchanges)
}

/// Accesses to a file as facts; of two that are exchanged each is renamed to the other.
pub fn done(
    accesses: Vec<Access>,
    object: &ByteString,
    second: Option<&ByteString>,
    exchanges: bool,
) -> Vec<What> {
    let fact = |access, path: &ByteString, target: Option<&ByteString>| What::File {
        path: path.clone(),
        access,
        target: target.cloned(),
    };
    let back =
        second.filter(|_| exchanges).map(|second| fact(Access::Rename, second, Some(object)));
    accesses.into_iter().map(|access| fact(access, object, second)).chain(back).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Abi, paths};

    fn call(name: &str, args: [u64; 6]) -> (&'static PathCall, Call) {
        let nr = crate::abi::calls::number(Abi::X86_64, name).unwrap();
        (paths::of(name).unwrap(), Call { abi: Abi::X86_64, nr, args, result: Some(0) })
    }

    #[test]
    fn opens_ask_for_what_their_flags_say() {
        let of = |flags, created| of_open(Opened { flags, created });
        assert_eq!(of(0, false), [Access::Read]);
        assert_eq!(of(0o1 | 0o2000, false), [Access::Append]);
        assert_eq!(of(0o2 | 0o100 | 0o1000, true), [Access::Read, Access::Write, Access::Create]);
        assert_eq!(of(0o1 | 0o100 | 0o1000, false), [Access::Write, Access::Truncate]);
        assert_eq!(
            of(0o1 | 0o100, false),
            [Access::Write],
            "O_CREAT of a file that exists makes nothing"
        );
        assert_eq!(of(0o10_000_000, false), [Access::Getattr]);
    }

    #[test]
    fn what_a_program_begins_with_is_neither_made_nor_cut_short_again() {
        assert_eq!(of_inherited(0o2 | 0o100 | 0o1000), [Access::Read, Access::Write]);
        assert_eq!(of_inherited(0o1 | 0o2000), [Access::Append]);
        assert!(of_inherited(0o10_000_000).is_empty());
    }

    #[test]
    fn a_mapping_is_no_write_and_a_query_no_lock() {
        let (row, map) = call("mmap", [0, 4096, 1 | 2, 2, 3, 0]);
        assert!(accesses(row, &map, None).is_empty());
        let (row, map) = call("mmap", [0, 4096, 1 | 4, 2, 3, 0]);
        assert_eq!(accesses(row, &map, None), [Access::MmapExec]);
        let (row, getlk) = call("fcntl", [3, 5, 0, 0, 0, 0]);
        assert!(accesses(row, &getlk, None).is_empty());
        let (row, setlk) = call("fcntl", [3, 6, 0, 0, 0, 0]);
        assert_eq!(accesses(row, &setlk, None), [Access::Lock]);
    }

    #[test]
    fn removing_a_directory_is_not_deleting_a_file() {
        let (row, file) = call("unlinkat", [3, 0, 0, 0, 0, 0]);
        assert_eq!(accesses(row, &file, None), [Access::Delete]);
        let (row, dir) = call("unlinkat", [3, 0, 0x200, 0, 0, 0]);
        assert_eq!(accesses(row, &dir, None), [Access::Rmdir]);
    }

    #[test]
    fn only_files_make_facts() {
        let (row, fstat) = call("fchmod", [3, 0, 0, 0, 0, 0]);
        for other in ["pipe:[1]", "socket:[2]", "anon_inode:[eventpoll]", "/memfd:x (deleted)"] {
            assert!(facts(row, &fstat, None, &other.into(), None).is_empty(), "{other}");
        }
        assert_eq!(facts(row, &fstat, None, &"/a".into(), None).len(), 1);
    }
}

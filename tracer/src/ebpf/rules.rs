//! The tables of [`crate::abi`] in the form that the programs in the kernel look them up.

use crate::abi::capabilities::{self, When};
use crate::abi::paths::{self, Effect, Follow};
use crate::abi::{Abi, X32_BIT, arguments, calls};
use crate::decode::{self, sockets};
use crate::recording::Access;

use super::wire::{ABIS, ARGS, Object, PLANE, Rule, asks, does, names, when};

/// `PROT_EXEC` (asm-generic/mman-common.h).
const PROT_EXEC: u64 = 4;

/// The rules by their places, for every call that the tables know and that is more than counted.
pub(super) fn all() -> impl Iterator<Item = (u32, Rule)> {
    ABIS.into_iter().zip(0..).flat_map(|(abi, plane)| {
        (0..PLANE).filter_map(move |number| {
            let nr = if abi == Abi::X32 { number | X32_BIT } else { number };
            let rule = rule(abi, calls::name(abi, nr)?);
            (rule != Rule::default()).then_some((plane * PLANE + number, rule))
        })
    })
}

/// What is to be done about a call.
fn rule(abi: Abi, name: &str) -> Rule {
    let mut rule = Rule::default();
    for (at, argument) in arguments::recorded(abi, name).take(ARGS).enumerate() {
        rule.args[at] = argument.index;
        rule.masks[at] = argument.mask;
        rule.nargs += 1;
    }
    let word = arguments::in_memory(name);
    if let Some(word) = word {
        (rule.word_pointer, rule.word_offset) = (word.pointer, word.offset);
    }
    if let Some(row) = paths::of(name) {
        of_path(&mut rule, row);
    }
    if let Some((_, address, length)) = sockets::address_arguments(name) {
        rule.does |= does::GIVES_ADDRESS;
        // Positions are below six.
        let small = |position: usize| u8::try_from(position).unwrap_or_default();
        rule.first = Object { path: small(address), dir: small(length), ..Object::default() };
    }
    for (flag, holds) in [
        (does::SENDS_SIGNAL, decode::SIGNALS.iter().any(|(known, _)| *known == name)),
        (does::SOCKETCALL, abi == Abi::I386 && name == "socketcall"),
        (does::MAKES_SOCKET, matches!(name, "socket" | "socketpair")),
        (does::ACCEPTS, sockets::ACCEPTS.contains(&name)),
        (does::HIDES, name == "io_uring_enter"),
        (does::ONLY_FLAGS, arguments::only_flags(abi, name)),
        (does::HAS_WORD, word.is_some()),
    ] {
        if holds {
            rule.does |= flag;
        }
    }
    rule.asks = match capabilities::when(name) {
        Some(When::ModeWithoutGroupBit(1)) => asks::FOR_MODE_1,
        Some(When::ModeWithoutGroupBit(_)) => asks::FOR_MODE_2,
        Some(When::SameUser) => asks::FOR_USER,
        Some(When::SameGroup) => asks::FOR_GROUP,
        Some(When::NoNamespace) if name == "clone3" => asks::FOR_FLAGS_AT,
        Some(When::NoNamespace) => asks::FOR_FLAGS,
        Some(When::NoPrivilegesToGain) if name == "prctl" => asks::FOR_FILTER_BY_PRCTL,
        Some(When::NoPrivilegesToGain) => asks::FOR_FILTER,
        Some(When::OwnEvents) => asks::FOR_EVENTS,
        Some(When::Always) | None => 0,
    };
    if rule.does & does::MAKES_SOCKET != 0 {
        rule.kept = 0b111;
    }
    rule
}

fn of_path(rule: &mut Rule, row: &paths::PathCall) {
    let mut keep = |argument: u8| rule.kept |= 1 << argument;
    let mut bits = (0, 0, 0);
    let mut does = 0;
    match row.effect {
        Effect::Open(flags) | Effect::OpenHandle(flags) => {
            keep(flags);
            does |= does::RETURNS_FD;
        }
        Effect::OpenHow(_) => does |= does::RETURNS_FD | does::OPEN_HOW,
        Effect::Creat => does |= does::RETURNS_FD,
        Effect::Does(Access::Chdir) if row.name == "chroot" => does |= does::CHANGES_ROOT,
        Effect::Does(Access::Chdir) => does |= does::CHANGES_CWD,
        Effect::Does(Access::Getattr) => does |= does::EMPTY_IS_NOTHING,
        Effect::Execute => does |= does::EXECUTES,
        Effect::OpenPeer { request, flags } => {
            keep(request);
            keep(flags);
            does |= does::RETURNS_FD;
            bits = (when::IS, request, u64::from(paths::TIOCGPTPEER));
        }
        Effect::RenameBy(flags) => keep(flags),
        Effect::FlockBy(operation) => keep(operation),
        Effect::Does(_) | Effect::Probe => {}
        Effect::Unlink(flags) => keep(flags),
        Effect::Map(protection) => {
            keep(protection);
            bits = (when::BITS, protection, PROT_EXEC);
        }
        Effect::LockBy(operation) => {
            keep(operation);
            bits = (when::ONE_OF, operation, decode::files::LOCKS.iter().map(|op| 1 << op).sum());
        }
    }
    if let paths::Object::Fd(_) = row.object {
        does &= !does::EMPTY_IS_NOTHING;
    }
    for named in [Some(row.object), row.second].into_iter().flatten() {
        if let paths::Object::Path { follow: Follow::Unless(at, _) | Follow::If(at, _), .. } = named
        {
            keep(at);
        }
    }
    rule.does |= does;
    let (when, argument, values) = bits;
    (rule.when, rule.when_argument, rule.when_bits) = (when, argument, values);
    rule.first = object(row.object);
    rule.second = row.second.map(object).unwrap_or_default();
}

fn object(object: paths::Object) -> Object {
    match object {
        paths::Object::Fd(path) => Object { names: names::FD, path, ..Object::default() },
        paths::Object::Path { dir: None, path, .. } => {
            Object { names: names::PATH, path, ..Object::default() }
        }
        paths::Object::Path { dir: Some(dir), path, .. } => {
            Object { names: names::PATH_AT, dir, path, ..Object::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_reaches_the_kernel() {
        let openat = rule(Abi::X86_64, "openat");
        assert_eq!((openat.first.names, openat.first.dir, openat.first.path), (2, 0, 1));
        assert_eq!((openat.does, openat.kept), (does::RETURNS_FD | does::ONLY_FLAGS, 0b100));
        let link = rule(Abi::X86_64, "linkat");
        assert_eq!((link.first.path, link.second.path, link.kept), (3, 1, 0b1_0000));
        let lock = rule(Abi::X86_64, "fcntl");
        assert!(
            lock.when_bits >> libc::F_SETLK & 1 == 1 && lock.when_bits >> libc::F_GETFL & 1 == 0
        );
        assert_eq!(rule(Abi::X86_64, "mmap").nargs, 2);
        assert_eq!(rule(Abi::I386, "mmap").nargs, 0);
        assert_eq!(rule(Abi::I386, "socketcall").does, does::SOCKETCALL);
        assert_eq!(rule(Abi::X86_64, "setuid").asks, asks::FOR_USER);
        assert_eq!(rule(Abi::X86_64, "fchmodat").asks, asks::FOR_MODE_2);
        assert_eq!(rule(Abi::X86_64, "getppid"), Rule::default());
    }

    #[test]
    fn each_call_has_one_place() {
        let places: Vec<u32> = all().map(|(place, _)| place).collect();
        assert!(places.is_sorted_by(|a, b| a < b));
        assert!(places.len() > 250 && places.iter().all(|place| *place < 3 * PLANE));
    }
}

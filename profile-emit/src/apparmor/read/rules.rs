//! The rules, from their first word behind qualifiers to their comma.

use std::collections::BTreeSet;

use tracer::abi::capabilities;
use tracer::recording::ByteString;

use super::ast::{Mount, Rule, Value};
use super::error::Problem;
use super::lexer::Lexer;
use super::messages::{
    DBUS, IO_URING, MQUEUE, PTRACE, SIGNAL, UNIX, is_condition, list, message, values,
};
use super::parser::Read;
use super::permissions::{self, Permissions};
use crate::apparmor::names;

/// Limits (setrlimit(2)); `ofile` is `nofile`.
const LIMITS: [&str; 17] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "ofile",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Units of sizes and times.
const UNITS: [&str; 26] = [
    "",
    "K",
    "KB",
    "M",
    "MB",
    "G",
    "GB",
    "us",
    "microsecond",
    "microseconds",
    "ms",
    "millisecond",
    "milliseconds",
    "s",
    "sec",
    "second",
    "seconds",
    "min",
    "minute",
    "minutes",
    "h",
    "hour",
    "hours",
    "d",
    "day",
    "days",
];

/// A rule; `denies` is what its qualifiers say.
pub(super) fn rule(lexer: &mut Lexer<'_>, denies: bool) -> Read<Rule> {
    if matches!(lexer.peek(), Some(b'/' | b'@' | b'"' | b':' | b'&')) {
        return path_first(lexer, denies);
    }
    let name = lexer.peek_name();
    let take = |lexer: &mut Lexer<'_>| lexer.take_name(name);
    let rule = match name {
        "file" => {
            take(lexer);
            if lexer.take(b",") {
                return Ok(Rule::AllFiles);
            }
            return match lexer.peek() {
                Some(byte) if byte.is_ascii_alphabetic() => permissions_first(lexer, denies),
                _ => path_first(lexer, denies),
            };
        }
        "link" => {
            take(lexer);
            let subset = lexer.take_name("subset");
            let link = path(lexer)?;
            lexer.need(b"->", "-> and what may be linked")?;
            Rule::Link { subset, link, target: target(lexer)? }
        }
        "capability" => {
            take(lexer);
            capability(lexer)?
        }
        "network" => {
            take(lexer);
            network(lexer)?
        }
        "signal" => {
            take(lexer);
            let message = message(lexer, &SIGNAL)?;
            for name in message.condition("set").into_iter().flat_map(|set| &set.values) {
                known_signal(lexer, name)?;
            }
            Rule::Signal(message)
        }
        "ptrace" if take(lexer) => Rule::Ptrace(message(lexer, &PTRACE)?),
        "dbus" if take(lexer) => Rule::Dbus(message(lexer, &DBUS)?),
        "unix" if take(lexer) => Rule::Unix(message(lexer, &UNIX)?),
        "io_uring" if take(lexer) => Rule::IoUring(message(lexer, &IO_URING)?),
        "mqueue" if take(lexer) => {
            let message = message(lexer, &MQUEUE)?;
            let name = if lexer.peek() == Some(b',') { None } else { Some(target(lexer)?) };
            Rule::Mqueue(message, name)
        }
        "userns" if take(lexer) => Rule::Userns(
            lexer.take_name("create").then(|| "create".to_owned()).into_iter().collect(),
        ),
        "mount" if take(lexer) => mount(lexer, Mount::Mount)?,
        "remount" if take(lexer) => mount(lexer, Mount::Remount)?,
        "umount" | "unmount" if take(lexer) => mount(lexer, Mount::Umount)?,
        "pivot_root" if take(lexer) => pivot_root(lexer)?,
        "change_profile" if take(lexer) => change_profile(lexer)?,
        "set" if take(lexer) => rlimit(lexer)?,
        "all" if ends_rule(lexer, name.len()) => {
            take(lexer);
            Rule::All
        }
        _ if is_permissions(name) => return permissions_first(lexer, denies),
        _ => return Err(lexer.expected("a rule")),
    };
    end(lexer)?;
    Ok(rule)
}

fn end(lexer: &mut Lexer<'_>) -> Read<()> {
    lexer.need(b",", "a comma at the rule's end")
}

/// A comma follows behind so many bytes.
fn ends_rule(lexer: &Lexer<'_>, length: usize) -> bool {
    let rest = lexer.rest().get(length..).unwrap_or_default();
    rest.trim_ascii_start().first() == Some(&b',')
}

fn is_permissions(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|letter| permissions::LETTERS.contains(&letter))
}

/// What a file rule is about: it begins as paths, variables and namespaces do.
fn path(lexer: &mut Lexer<'_>) -> Read<ByteString> {
    let next = match lexer.peek() {
        Some(b'"') => lexer.rest().get(1).copied(),
        next => next,
    };
    if !matches!(next, Some(b'/' | b'@' | b':' | b'&')) {
        return Err(lexer.expected("a path, which begins with / or a variable"));
    }
    Ok(ByteString::new(lexer.word("a path")?.text))
}

/// The name of a profile, or what may be linked.
pub(super) fn target(lexer: &mut Lexer<'_>) -> Read<ByteString> {
    Ok(ByteString::new(lexer.word("a name")?.text))
}

fn optional_target(lexer: &mut Lexer<'_>) -> Read<Option<ByteString>> {
    if lexer.take(b"->") { target(lexer).map(Some) } else { Ok(None) }
}

fn read_permissions(lexer: &mut Lexer<'_>, denies: bool) -> Read<Permissions> {
    lexer.space();
    let place = lexer.place();
    let letters = lexer.letters();
    let ends = matches!(lexer.rest(), [] | [b' ' | b'\t' | b'\n' | b'\r' | b',', ..]);
    if letters.is_empty() || !ends {
        return Err(lexer.expected("permissions, as rw"));
    }
    Permissions::read(&letters, denies).map_err(|why| {
        let text = String::from_utf8_lossy(&letters).into_owned();
        super::ReadError { place, problem: Problem::Permissions { text, why } }
    })
}

fn path_first(lexer: &mut Lexer<'_>, denies: bool) -> Read<Rule> {
    let path = path(lexer)?;
    let permissions = read_permissions(lexer, denies)?;
    let target = optional_target(lexer)?;
    end(lexer)?;
    Ok(Rule::File { path, permissions, target, leading: false, subset: false })
}

fn permissions_first(lexer: &mut Lexer<'_>, denies: bool) -> Read<Rule> {
    let permissions = read_permissions(lexer, denies)?;
    let subset = lexer.take_name("subset");
    if subset && permissions != (Permissions { link: true, ..Permissions::default() }) {
        return Err(lexer.error(Problem::Conflict("subset", "permissions other than l")));
    }
    let path = path(lexer)?;
    let target = optional_target(lexer)?;
    end(lexer)?;
    Ok(Rule::File { path, permissions, target, leading: true, subset })
}

pub(super) fn unknown(
    lexer: &Lexer<'_>,
    name: impl Into<String>,
    kind: &'static str,
) -> super::ReadError {
    lexer.error(Problem::Unknown { name: name.into(), kind })
}

fn capability(lexer: &mut Lexer<'_>) -> Read<Rule> {
    let mut all = BTreeSet::new();
    while lexer.peek() != Some(b',') {
        let name = lexer.name("a capability, or a comma")?;
        let full = format!("CAP_{}", name.to_ascii_uppercase());
        let is_small = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        if !is_small || capabilities::number(&full).is_none() {
            return Err(unknown(lexer, name, "capability"));
        }
        all.insert(name);
    }
    Ok(Rule::Capability(all))
}

/// Numbers that have names here are below this.
const NUMBERS: u32 = 65;

/// The number of a family's name.
pub(super) fn family(name: &str) -> Option<u32> {
    (0..NUMBERS).find(|number| names::family(*number) == Some(name))
}

/// The number of a socket type's name.
pub(super) fn socket_type(name: &str) -> Option<u32> {
    (0..NUMBERS).find(|number| names::socket_type(*number) == Some(name))
}

/// The number of a signal's name.
pub(super) fn signal(name: &str) -> Option<u32> {
    (0..NUMBERS).find(|number| names::signal(*number).as_deref() == Some(name))
}

/// The families and the type that a protocol's name stands for: `icmp` is for IPv4 alone, as `apparmor_parser` refuses `inet6 icmp`.
pub(super) fn protocol(name: &str) -> Option<(&'static [&'static str], &'static str)> {
    Some(match name {
        "tcp" => (&["inet", "inet6"], "stream"),
        "udp" => (&["inet", "inet6"], "dgram"),
        "icmp" => (&["inet"], "raw"),
        _ => return None,
    })
}

fn network(lexer: &mut Lexer<'_>) -> Read<Rule> {
    let (mut domain, mut kind) = (None, None);
    if lexer.peek() != Some(b',') {
        let first = lexer.name("a family, a type or a protocol of sockets")?;
        if family(&first).is_some() {
            domain = Some(first);
            if lexer.peek() != Some(b',') {
                kind = Some(lexer.name("a type or a protocol of sockets, or a comma")?);
            }
        } else {
            kind = Some(first);
        }
    }
    if let Some(name) = &kind {
        let fits = socket_type(name).is_some()
            || protocol(name).is_some_and(|(families, _)| {
                domain.as_deref().is_none_or(|domain| families.contains(&domain))
            });
        if !fits {
            return Err(unknown(lexer, name, "type or protocol of such sockets"));
        }
    }
    Ok(Rule::Network { domain, kind })
}

fn known_signal(lexer: &Lexer<'_>, name: &ByteString) -> Read<()> {
    let name = String::from_utf8_lossy(name.as_bytes());
    // Not on the architectures that have numbers here.
    if name == "emt" || signal(&name).is_some() {
        return Ok(());
    }
    Err(unknown(lexer, name, "signal"))
}

fn mount(lexer: &mut Lexer<'_>, call: Mount) -> Read<Rule> {
    let mut conditions = Vec::new();
    while is_condition(lexer) {
        let name = lexer.name("a condition")?;
        if !matches!(name.as_str(), "fstype" | "vfstype" | "option" | "options") {
            return Err(unknown(lexer, name, "condition of a mount"));
        }
        let within = !lexer.take(b"=");
        let values = if within {
            lexer.take_name("in");
            lexer.need(b"(", "( and values")?;
            list(lexer)?
        } else {
            values(lexer)?
        };
        conditions.push(Value { name, within, values, of_peer: Vec::new() });
    }
    let (mut source, mut mountpoint) = (None, None);
    let is_word =
        |lexer: &mut Lexer<'_>| lexer.peek() != Some(b',') && !lexer.rest().starts_with(b"->");
    if is_word(lexer) {
        let word = target(lexer)?;
        match call {
            Mount::Mount => source = Some(word),
            Mount::Remount | Mount::Umount => mountpoint = Some(word),
        }
    }
    if call == Mount::Mount && lexer.take(b"->") {
        mountpoint = Some(target(lexer)?);
    }
    Ok(Rule::Mount { call, conditions, source, mountpoint })
}

fn pivot_root(lexer: &mut Lexer<'_>) -> Read<Rule> {
    let mut old = None;
    if is_condition(lexer) {
        let name = lexer.name("oldroot")?;
        if name != "oldroot" {
            return Err(unknown(lexer, name, "condition of pivot_root"));
        }
        lexer.need(b"=", "=")?;
        old = Some(target(lexer)?);
    }
    let is_path = matches!(lexer.peek(), Some(b'/' | b'"' | b'@'));
    let new = if is_path { Some(path(lexer)?) } else { None };
    Ok(Rule::PivotRoot { old, new, target: optional_target(lexer)? })
}

fn change_profile(lexer: &mut Lexer<'_>) -> Read<Rule> {
    let safe = if lexer.take_name("safe") {
        Some(true)
    } else if lexer.take_name("unsafe") {
        Some(false)
    } else {
        None
    };
    let is_path = matches!(lexer.peek(), Some(b'/' | b'"' | b'@'));
    if safe.is_some() && !is_path {
        return Err(lexer.expected("a program, to which safe and unsafe belong"));
    }
    let exec = if is_path { Some(path(lexer)?) } else { None };
    Ok(Rule::ChangeProfile { safe, exec, target: optional_target(lexer)? })
}

fn rlimit(lexer: &mut Lexer<'_>) -> Read<Rule> {
    if !lexer.take_name("rlimit") {
        return Err(lexer.expected("rlimit"));
    }
    let name = lexer.name("a limit")?;
    if !LIMITS.contains(&name.as_str()) {
        return Err(unknown(lexer, name, "limit"));
    }
    lexer.need(b"<=", "<=")?;
    if lexer.take_name("infinity") {
        return Ok(Rule::Rlimit { name, value: "infinity".to_owned() });
    }
    let sign = if lexer.take(b"-") { "-" } else { "" };
    lexer.space();
    let count = lexer.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = lexer.rest().get(..count).unwrap_or_default();
    if digits.is_empty() || (sign == "-" && name != "nice") {
        return Err(lexer.expected("a number, or infinity"));
    }
    lexer.take_here(digits);
    let unit = lexer.letters();
    let unit = String::from_utf8_lossy(&unit);
    if !UNITS.contains(&&*unit) && !matches!(&*unit, "week" | "weeks") {
        return Err(unknown(lexer, unit, "unit"));
    }
    Ok(Rule::Rlimit { name, value: format!("{sign}{}{unit}", String::from_utf8_lossy(digits)) })
}

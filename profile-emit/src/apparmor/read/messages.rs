//! Rules about messages to others: accesses, and conditions that must hold.

use std::collections::BTreeSet;

use tracer::recording::ByteString;

use super::ast::{Message, Value};
use super::error::Problem;
use super::lexer::Lexer;
use super::parser::Read;
use super::rules::{target, unknown};

/// A kind of rule about messages: the words for its accesses with what they mean, and its conditions.
pub(super) struct Kind {
    name: &'static str,
    accesses: &'static [(&'static str, &'static [&'static str])],
    conditions: &'static [&'static str],
    /// The conditions of the other end; none where `peer` is a name.
    peer: &'static [&'static str],
}

/// apparmor.d(5), "Signal rules".
pub(super) const SIGNAL: Kind = Kind {
    name: "signal",
    accesses: &[
        ("send", &["send"]),
        ("receive", &["receive"]),
        ("r", &["receive"]),
        ("read", &["receive"]),
        ("w", &["send"]),
        ("write", &["send"]),
        ("rw", &["receive", "send"]),
        ("wr", &["receive", "send"]),
    ],
    conditions: &["set", "peer"],
    peer: &[],
};

/// apparmor.d(5), "PTrace rules".
pub(super) const PTRACE: Kind = Kind {
    name: "ptrace",
    accesses: &[
        ("read", &["read"]),
        ("readby", &["readby"]),
        ("trace", &["trace"]),
        ("tracedby", &["tracedby"]),
        ("r", &["read"]),
        ("w", &["trace"]),
        ("rw", &["read", "trace"]),
        ("wr", &["read", "trace"]),
    ],
    conditions: &["peer"],
    peer: &[],
};

/// apparmor.d(5), "DBus rules".
pub(super) const DBUS: Kind = Kind {
    name: "dbus",
    accesses: &[
        ("send", &["send"]),
        ("receive", &["receive"]),
        ("bind", &["bind"]),
        ("eavesdrop", &["eavesdrop"]),
        ("r", &["receive"]),
        ("read", &["receive"]),
        ("w", &["send"]),
        ("write", &["send"]),
        ("rw", &["receive", "send"]),
    ],
    conditions: &["bus", "path", "interface", "member", "name", "peer"],
    peer: &["name", "label"],
};

/// apparmor.d(5), "Unix socket rules".
pub(super) const UNIX: Kind = Kind {
    name: "unix",
    accesses: &[
        ("create", &["create"]),
        ("bind", &["bind"]),
        ("listen", &["listen"]),
        ("accept", &["accept"]),
        ("connect", &["connect"]),
        ("shutdown", &["shutdown"]),
        ("getattr", &["getattr"]),
        ("setattr", &["setattr"]),
        ("getopt", &["getopt"]),
        ("setopt", &["setopt"]),
        ("send", &["send"]),
        ("receive", &["receive"]),
        ("r", &["receive"]),
        ("read", &["receive"]),
        ("w", &["send"]),
        ("write", &["send"]),
        ("rw", &["receive", "send"]),
    ],
    conditions: &["type", "protocol", "addr", "attr", "opt", "peer"],
    peer: &["addr", "label"],
};

/// The parser's 4.0, apparmor.d(5), "Message Queue rules".
pub(super) const MQUEUE: Kind = Kind {
    name: "mqueue",
    accesses: &[
        ("create", &["create"]),
        ("open", &["open"]),
        ("delete", &["delete"]),
        ("getattr", &["getattr"]),
        ("setattr", &["setattr"]),
        ("read", &["read"]),
        ("write", &["write"]),
        ("r", &["read"]),
        ("w", &["write"]),
        ("rw", &["read", "write"]),
    ],
    conditions: &["type", "label"],
    peer: &[],
};

/// The parser's 4.0, apparmor.d(5), "IO_URING rules".
pub(super) const IO_URING: Kind = Kind {
    name: "io_uring",
    accesses: &[("sqpoll", &["sqpoll"]), ("override_creds", &["override_creds"])],
    conditions: &["label"],
    peer: &[],
};

pub(super) fn message(lexer: &mut Lexer<'_>, kind: &Kind) -> Read<Message> {
    let mut access = BTreeSet::new();
    let add = |name: &str, lexer: &Lexer<'_>, access: &mut BTreeSet<String>| {
        let found = kind.accesses.iter().find(|(known, _)| *known == name);
        let (_, means) = found.ok_or_else(|| unknown(lexer, name, "access of such a rule"))?;
        access.extend(means.iter().map(|mean| (*mean).to_owned()));
        Ok(())
    };
    if lexer.take(b"(") {
        lexer.commas();
        loop {
            let name = lexer.name("an access")?;
            add(&name, lexer, &mut access)?;
            lexer.commas();
            if lexer.take(b")") {
                break;
            }
        }
    } else if !is_condition(lexer) {
        let name = lexer.peek_name();
        if !name.is_empty() {
            add(name, lexer, &mut access)?;
            lexer.take_name(name);
        }
    }
    let mut conditions: Vec<Value> = Vec::new();
    while is_condition(lexer) {
        let condition = condition(lexer, kind)?;
        let is_second = conditions.iter().any(|other| other.name == condition.name);
        if is_second && condition.name != "set" {
            return Err(lexer.error(Problem::Conflict("a condition", "another of its name")));
        }
        conditions.push(condition);
    }
    Ok(Message { access, conditions })
}

/// `name=` or `name in (` stands here.
pub(super) fn is_condition(lexer: &mut Lexer<'_>) -> bool {
    let length = lexer.peek_name().len();
    let rest = lexer.rest().get(length..).unwrap_or_default();
    let behind = rest.trim_ascii_start();
    let is_in = || {
        let rest = behind.strip_prefix(b"in").unwrap_or_default();
        rest.len() < behind.len() && rest.trim_ascii_start().first() == Some(&b'(')
    };
    length > 0 && (behind.first() == Some(&b'=') || is_in())
}

fn condition(lexer: &mut Lexer<'_>, kind: &Kind) -> Read<Value> {
    let name = lexer.name("a condition")?;
    if !kind.conditions.contains(&name.as_str()) {
        return Err(unknown(lexer, name, "condition of such a rule"));
    }
    let within = lexer.take_name("in");
    if within {
        return Err(lexer.error(Problem::Conflict("in", kind.name)));
    }
    lexer.need(b"=", "=")?;
    let mut value = Value { name, within, values: Vec::new(), of_peer: Vec::new() };
    if value.name == "peer" && !kind.peer.is_empty() {
        lexer.need(b"(", "( and conditions on the peer")?;
        lexer.commas();
        while !lexer.take(b")") {
            let name = lexer.name("a condition on the peer, or )")?;
            if !kind.peer.contains(&name.as_str()) {
                return Err(unknown(lexer, name, "condition on a peer"));
            }
            lexer.need(b"=", "=")?;
            let values = if lexer.take(b"(") {
                list(lexer)?
            } else {
                vec![ByteString::new(lexer.word_in_list("a value")?.text)]
            };
            value.of_peer.push(Value { name, within: false, values, of_peer: Vec::new() });
            lexer.commas();
        }
    } else if value.name == "peer" {
        if lexer.peek() == Some(b'(') {
            return Err(lexer.expected("the name of a profile, without parentheses"));
        }
        value.values.push(target(lexer)?);
    } else {
        value.values = values(lexer)?;
    }
    Ok(value)
}

pub(super) fn values(lexer: &mut Lexer<'_>) -> Read<Vec<ByteString>> {
    if lexer.take(b"(") { list(lexer) } else { Ok(vec![target(lexer)?]) }
}

/// Values up to the closing parenthesis, one at least.
pub(super) fn list(lexer: &mut Lexer<'_>) -> Read<Vec<ByteString>> {
    let mut all = Vec::new();
    lexer.commas();
    loop {
        all.push(ByteString::new(lexer.word_in_list("a value")?.text));
        lexer.commas();
        if lexer.take(b")") {
            return Ok(all);
        }
    }
}

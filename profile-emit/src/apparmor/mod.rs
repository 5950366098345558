//! AppArmor: the text that `apparmor_parser` 3.0 and later reads (apparmor.d(5)).
//!
//! - [`quote`]: any path as a pattern that matches it and nothing else
//! - `files`: which permissions an access asks for
//! - `processes`: rules for looking into other processes, and for mounts
//! - `names`: families, types and signals as the parser names them
//! - [`read`]: profiles of others, and what they allow
//!
//! The profile has no blanket rule and no `deny`: what is not allowed is refused.

mod files;
mod names;
mod processes;
pub mod quote;
pub mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use learner::Policy;
use learner::policy::ExecRule;
use tracer::abi::capabilities::number;
use tracer::recording::ByteString;

use crate::Note;
use files::Files;

/// What the kernel does about what no rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It is done, and written to the audit log.
    Complain,
}

impl Mode {
    /// The profile's flags: a container's paths lead out of the tree that the kernel sees, and a deleted file has its rules still.
    fn flags(self) -> &'static str {
        match self {
            Self::Enforce => "attach_disconnected,mediate_deleted",
            Self::Complain => "attach_disconnected,complain,mediate_deleted",
        }
    }
}

/// Makes the profile's text, and says what it cannot express.
pub fn emit(policy: &Policy, mode: Mode) -> (String, Vec<Note>) {
    emit_with(policy, &[], mode)
}

/// Makes the text of a profile with child profiles: those of the programs that begin one, which it changes to when it runs them.
pub fn emit_with(policy: &Policy, children: &[Child], mode: Mode) -> (String, Vec<Note>) {
    let mut notes = Vec::new();
    let mut text = String::new();
    text.push_str("# Learned by learn; policy.json holds the evidence of each rule.\n");
    if !policy.training.complete {
        text.push_str(
            "# WARNING: the training run was recorded incompletely; rules are missing.\n",
        );
    }
    text.push_str("abi <abi/3.0>,\n\ninclude <tunables/global>\n\n");
    let name = quote::name(&policy.name);
    let family = Family::new(&name, children);
    let _infallible = writeln!(text, "profile {name} flags=({}) {{", mode.flags());
    let own = Files { changes: family.changes.clone(), begins: Vec::new() };
    body(&mut text, policy, &own, &family.peer, &mut notes);
    for (child, name) in children.iter().zip(&family.names) {
        let begins = family.begins(policy, child);
        let mut inner = format!("profile {name} flags=({}) {{\n", mode.flags());
        let files = Files { changes: BTreeMap::new(), begins };
        body(&mut inner, &child.policy, &files, &family.peer, &mut notes);
        inner.push_str("}\n");
        text.push('\n');
        for line in inner.lines() {
            let _infallible = match line {
                "" => writeln!(text),
                line => writeln!(text, "  {line}"),
            };
        }
    }
    if !children.is_empty() {
        notes.push(
            "with no_new_privs the kernel refuses the change to a child profile that allows anything more than the profile itself \
             (security/apparmor/domain.c): start the container without it, or generate without --domains"
                .to_owned(),
        );
    }
    text.push_str("}\n");
    let mut said = BTreeSet::new();
    notes.retain(|note| said.insert(note.clone()));
    (text, notes)
}

/// Programs under a profile of their own.
#[derive(Clone, Debug)]
pub struct Child {
    /// The program that they begin with.
    pub program: ByteString,
    /// What they do.
    pub policy: Policy,
}

/// The names of a profile and its children.
struct Family {
    names: Vec<String>,
    /// How a rule names all of them.
    peer: String,
    /// The child profile of each program that begins one.
    changes: BTreeMap<ByteString, String>,
}

impl Family {
    fn new(name: &str, children: &[Child]) -> Self {
        let mut names: Vec<String> = Vec::new();
        for child in children {
            let path = child.program.to_string();
            let plain = quote::name(path.rsplit('/').next().unwrap_or_default());
            // Two programs of one name, in different directories.
            let numbered = (2..).map(|n: u32| format!("{plain}-{n}"));
            let mut candidates = std::iter::once(plain.clone()).chain(numbered);
            names.extend(candidates.find(|name| !names.contains(name)));
        }
        let peer = match children {
            [] => "@{profile_name}".to_owned(),
            _ => format!("\"{{{name},{name}//*}}\""),
        };
        let programs = children.iter().map(|child| child.program.clone());
        Self { changes: programs.zip(names.iter().cloned()).collect(), names, peer }
    }

    /// How the programs of the profile itself run the child's first one: what it needs for that, before it does anything.
    fn begins(&self, policy: &Policy, child: &Child) -> Vec<ExecRule> {
        let execs = policy.execs.iter().map(|rule| &rule.allow);
        execs.filter(|exec| exec.runs() == &child.program).cloned().collect()
    }
}

/// The rules of one profile.
fn body(text: &mut String, policy: &Policy, files: &Files, peer: &str, notes: &mut Vec<Note>) {
    section(text, capabilities(policy, notes));
    section(text, network(policy, notes));
    section(text, signals(policy, peer, notes));
    section(text, processes::rules(policy, peer, notes));
    section(text, files::rules(policy, files, notes));
}

/// A rule, and what is to be said of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    rule: String,
    comment: String,
}

impl From<String> for Line {
    fn from(rule: String) -> Self {
        Self { rule, comment: String::new() }
    }
}

/// Rules of one kind, sorted, with an empty line between kinds.
fn section<L: Into<Line>>(text: &mut String, rules: Vec<L>) {
    let mut rules: Vec<Line> = rules.into_iter().map(Into::into).collect();
    if rules.is_empty() {
        return;
    }
    rules.sort();
    rules.dedup();
    if !text.ends_with("{\n") {
        text.push('\n');
    }
    for rule in rules {
        let Line { rule, comment } = rule;
        let comment = if comment.is_empty() { comment } else { format!("  # {comment}") };
        let _infallible = writeln!(text, "  {rule},{comment}");
    }
}

fn capabilities(policy: &Policy, notes: &mut Vec<Note>) -> Vec<String> {
    let mut rules = Vec::new();
    for rule in &policy.capabilities {
        let name = &rule.allow.name;
        match name.strip_prefix("CAP_").filter(|_| number(name).is_some()) {
            Some(short) => rules.push(format!("capability {}", short.to_ascii_lowercase())),
            None => notes.push(format!("AppArmor has no capability {name:?}: it will be refused")),
        }
    }
    rules
}

fn network(policy: &Policy, notes: &mut Vec<Note>) -> Vec<String> {
    let mut rules = Vec::new();
    for rule in &policy.sockets {
        let socket = &rule.allow;
        match (names::family(socket.family), names::socket_type(socket.kind)) {
            (Some("unix"), Some(kind)) => {
                rules.push(format!("network unix {kind}"));
                rules.push(format!("unix type={kind}"));
            }
            (Some(family), Some(kind)) => rules.push(format!("network {family} {kind}")),
            _ => notes.push(format!(
                "AppArmor has no name for sockets of family {} and type {}: they will be refused",
                socket.family, socket.kind
            )),
        }
    }
    rules
}

fn signals(policy: &Policy, peer: &str, notes: &mut Vec<Note>) -> Vec<String> {
    // Whoever manages the program stops it and tells it to reload: an engine, an init, a shell, none of them confined.
    let mut rules = vec!["signal (receive) peer=unconfined".to_owned()];
    for rule in &policy.signals {
        let Some(name) = names::signal(rule.allow.signal) else {
            notes.push(format!(
                "AppArmor has no name for signal {}: it will be refused",
                rule.allow.signal
            ));
            continue;
        };
        if rule.allow.inside {
            rules.push(format!("signal (send, receive) set=({name}) peer={peer}"));
        } else {
            rules.push(format!("signal (send) set=({name})"));
        }
    }
    rules
}

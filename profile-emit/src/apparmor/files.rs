//! Which permissions an access asks for.

use std::collections::{BTreeMap, BTreeSet};

use learner::Policy;
use learner::policy::{Evidence, ExecRule, FileRule, Part, Pattern, Rule};
use tracer::decode::files::is_memory;
use tracer::recording::{Access, ByteString, SocketAction};

use super::Line;
use super::quote::{self, Directory};
use crate::Note;

/// The permissions that an access asks for.
///
/// From the hooks in security/apparmor/lsm.c and the permissions that `aa_path_perm` is asked there. Reading attributes is
/// granted to everybody (`aa_compute_fperms`, security/apparmor/file.c); setting times and extended attributes, and changing
/// the directory, are not mediated.
///
/// A permission to append (`a`) lets a file be opened for that, but not written to, which is asked for at each write
/// (`common_file_perm`), nor be made; so who appends may write. An exclusive lock asks for writing, however the file is open
/// (`apparmor_file_lock`).
fn permissions(access: Access) -> &'static str {
    match access {
        Access::Read => "r",
        Access::Write
        | Access::Append
        | Access::Create
        | Access::Delete
        | Access::Symlink
        | Access::Mkdir
        | Access::Rmdir
        | Access::Mknod
        | Access::Chmod
        | Access::Chown
        | Access::Truncate => "w",
        Access::Rename => "rw",
        Access::Lock => "k",
        Access::LockExclusive => "wk",
        Access::MmapExec => "m",
        Access::Exec => "x",
        // A link rule of its own.
        Access::Link | Access::Setattr | Access::Getattr | Access::Chdir => "",
    }
}

/// Trees in which a file's owner says something about who may use it: there a rule for the owner alone stays one.
const OWNED: [&str; 6] = ["/dev/shm/", "/home/", "/proc/", "/run/user/", "/tmp/", "/var/tmp/"];

fn directory(rule: &FileRule) -> Directory {
    let is_made = |a: &Access| matches!(a, Access::Mkdir | Access::Rmdir);
    let is_file = |a: &Access| {
        use Access::{Append, Exec, MmapExec, Symlink, Truncate, Write};
        matches!(a, Append | Exec | MmapExec | Symlink | Truncate | Write)
    };
    match (rule.access.iter().any(is_made), rule.access.iter().any(is_file)) {
        (true, false) => Directory::Yes,
        (false, true) => Directory::No,
        _ => Directory::Maybe,
    }
}

/// What a profile's file rules depend on beside its policy.
#[derive(Default)]
pub(super) struct Files {
    /// The child profile that a program is run under.
    pub(super) changes: BTreeMap<ByteString, String>,
    /// How the profile's own first program was run: it is read and mapped under this profile already.
    pub(super) begins: Vec<ExecRule>,
}

/// What is allowed on one quoted path.
#[derive(Default)]
struct Permitted {
    letters: BTreeSet<char>,
    /// The child profile under which it is run.
    under: Option<String>,
}

impl Permitted {
    /// In the order in which people write them.
    fn text(&self) -> String {
        let letter = |p: char| match (p, &self.under) {
            ('x', None) => "ix".to_owned(),
            ('x', Some(child)) => format!("cx -> {child}"),
            (p, _) => p.to_string(),
        };
        "rwkmx".chars().filter(|p| self.letters.contains(p)).map(letter).collect()
    }
}

/// The parser takes only paths for paths; no path has a NUL, which to the kernel is a link's separator.
fn is_path(pattern: &Pattern) -> bool {
    let rooted = match pattern.0.first() {
        Some(Part::Literal(bytes)) => bytes.as_bytes().starts_with(b"/"),
        _ => false,
    };
    let has_nul = |part: &Part| matches!(part, Part::Literal(b) if b.as_bytes().contains(&0));
    rooted && !pattern.0.iter().any(has_nul)
}

/// `AppArmor` calls it `/`.
const MEMORY: &str = "programs were executed from memory (memfd_create), which have no path: AppArmor refuses to execute them";

/// What a wide rule rests on, for the comment behind it. The examples are quoted: they are one line of plain text, whatever they hold.
fn support(evidence: &Evidence) -> String {
    let examples = evidence.examples.iter();
    let examples: Vec<String> = examples
        .map(|path| quote::pattern(&Pattern::literal(path.as_bytes()), Directory::No))
        .collect();
    let count = |n: u64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let units = count(evidence.in_units, "unit");
    format!("{} in {units}, as {}", count(evidence.paths, "path"), examples.join(" "))
}

/// The file rules, exec rules and rules for sockets that have a path.
pub(super) fn rules(policy: &Policy, files: &Files, notes: &mut Vec<Note>) -> Vec<Line> {
    let mut all: BTreeMap<(String, bool), Permitted> = BTreeMap::new();
    let mut comments: BTreeMap<String, String> = BTreeMap::new();
    let mut changes: BTreeMap<String, String> = BTreeMap::new();
    let mut links = Vec::new();
    let mut refused = BTreeSet::new();
    let mut from_memory = false;
    for Rule { allow: rule, evidence } in &policy.files {
        if rule.path.as_literal().is_some_and(|path| is_memory(path.as_bytes())) {
            from_memory = true;
            continue;
        }
        if !is_path(&rule.path) {
            refused.insert(rule.path.to_string());
            continue;
        }
        let kind = directory(rule);
        let path = quote::pattern(&rule.path, kind);
        let text = rule.path.to_string();
        if !evidence.examples.is_empty() {
            comments.insert(path.clone(), support(evidence));
        }
        let owner = rule.owner && OWNED.iter().any(|tree| text.starts_with(tree));
        let permitted: BTreeSet<char> =
            rule.access.iter().flat_map(|a| permissions(*a).chars()).collect();
        if !permitted.is_empty() {
            let rule = all.entry((path.clone(), owner)).or_default();
            rule.letters.extend(permitted);
        }
        if let Some(child) = rule.path.as_literal().and_then(|path| files.changes.get(path)) {
            changes.insert(path.clone(), child.clone());
        }
        if rule.access.contains(&Access::Link) {
            let plain = quote::pattern(&rule.path, Directory::No);
            for target in rule.links_to.iter().filter(|target| is_path(target)) {
                links.push(format!("link {plain} -> {}", quote::pattern(target, Directory::No)));
            }
        }
    }
    let mut permit = |path: &[u8], permissions: &str, under: Option<&String>| {
        let literal = Pattern::literal(path);
        if !is_path(&literal) {
            refused.insert(literal.to_string());
            return;
        }
        let path = quote::pattern(&literal, Directory::No);
        if let Some(child) = under {
            changes.insert(path.clone(), child.clone());
        }
        all.entry((path, false)).or_default().letters.extend(permissions.chars());
    };
    for exec in policy.execs.iter().map(|rule| &rule.allow) {
        if is_memory(exec.path.as_bytes()) {
            from_memory = true;
            continue;
        }
        let (under, ExecRule { path, interpreter, loader }) =
            (files.changes.get(exec.runs()), exec);
        permit(path.as_bytes(), if interpreter.is_some() { "rx" } else { "x" }, under);
        if let Some(interpreter) = interpreter {
            permit(interpreter.as_bytes(), "x", under);
        }
        if let Some(loader) = loader {
            permit(loader.as_bytes(), "rm", None);
        }
    }
    for ExecRule { path, interpreter, loader } in &files.begins {
        let read = [Some(path), interpreter.as_ref(), loader.as_ref()];
        for path in read.into_iter().flatten() {
            permit(path.as_bytes(), "rm", None);
        }
    }
    for rule in &policy.addresses {
        if let Some(path) =
            rule.allow.path.as_ref().filter(|path| path.as_bytes().starts_with(b"/"))
        {
            permit(
                path.as_bytes(),
                if rule.allow.action == SocketAction::Bind { "w" } else { "rw" },
                None,
            );
        }
    }
    for ((path, _), permitted) in &mut all {
        permitted.under = changes.get(path).cloned();
    }
    let mut rules: Vec<Line> = all
        .into_iter()
        .map(|((path, owner), permitted)| Line {
            rule: format!("{}{path} {}", if owner { "owner " } else { "" }, permitted.text()),
            comment: comments.get(&path).cloned().unwrap_or_default(),
        })
        .collect();
    rules.extend(links.into_iter().map(Line::from));
    if from_memory {
        notes.push(MEMORY.to_owned());
    }
    notes.extend(refused.into_iter().map(|path| {
        format!("AppArmor's rules are for absolute paths, and {path:?} is none: it has no rule")
    }));
    rules
}

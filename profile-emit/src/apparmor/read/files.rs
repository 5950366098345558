//! The rules for files of a profile, less what is denied, as accesses to paths.

use std::collections::{BTreeMap, BTreeSet};

use learner::drift::files::FileAllowed;
use learner::drift::language::Language;
use tracer::recording::Access;

use super::error::Place;
use super::glob::Glob;
use super::overlap::overlap;
use super::permissions::{Permissions, Transition};
use crate::Note;

/// Every path, as the parser compiles `file,`.
pub(super) const EVERYWHERE: &[u8] = b"/{**,}";

/// A rule for files, by the letters of its permissions.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) place: Place,
    pub(super) written: String,
    pub(super) glob: Glob,
    pub(super) letters: BTreeSet<char>,
    pub(super) owner: bool,
}

/// Rules that allow, and rules that deny.
#[derive(Default)]
pub(super) struct Decisions {
    pub(super) allowed: Vec<Files>,
    pub(super) denied: Vec<Files>,
    /// A part of what is told is denied.
    pub(super) told_wider: bool,
}

/// The letters of permissions. Writing includes appending, and running includes mapping, when they are allowed.
pub(super) fn letters(permissions: Permissions) -> BTreeSet<char> {
    let runs = permissions.exec.is_some();
    let denied = permissions.exec.is_some_and(|exec| exec.transition == Transition::Any);
    let all = [
        (permissions.read, 'r'),
        (permissions.write, 'w'),
        (permissions.append, 'a'),
        (permissions.link, 'l'),
        (permissions.lock, 'k'),
        (permissions.map || runs && !denied, 'm'),
        (runs, 'x'),
    ];
    expanded(all.into_iter().filter(|(has, _)| *has).map(|(_, letter)| letter).collect())
}

pub(super) fn expanded(mut letters: BTreeSet<char>) -> BTreeSet<char> {
    if letters.contains(&'w') {
        letters.insert('a');
    }
    letters
}

/// What letters allow, as `files::permissions` asks for it.
fn accesses(letters: &BTreeSet<char>) -> BTreeSet<Access> {
    use Access::{
        Append, Chmod, Chown, Create, Delete, Exec, Link, Lock, LockExclusive, Mkdir, Mknod,
        MmapExec, Read, Rename, Rmdir, Symlink, Truncate, Write,
    };
    let mut all = BTreeSet::new();
    for letter in letters {
        all.extend::<&[Access]>(match letter {
            'r' => &[Read],
            'w' => &[Write, Create, Delete, Symlink, Mkdir, Rmdir, Mknod, Chmod, Chown, Truncate],
            'a' => &[Append],
            'l' => &[Link],
            'k' => &[Lock],
            'm' => &[MmapExec],
            _ => &[Exec],
        });
    }
    if letters.contains(&'r') && letters.contains(&'w') {
        all.insert(Rename);
    }
    if letters.contains(&'k') && letters.contains(&'w') {
        all.insert(LockExclusive);
    }
    all
}

/// How much of some paths is allowed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Covers {
    Nothing,
    Some,
    All,
}

impl Decisions {
    /// The rules for files, less what is denied.
    pub(super) fn told(&mut self, notes: &mut BTreeSet<Note>) -> Vec<FileAllowed> {
        self.join();
        self.deny(notes);
        self.rename(notes);
        let mut told: BTreeMap<(_, bool), BTreeSet<Access>> = BTreeMap::new();
        for Files { place, written, glob, letters, owner } in &self.allowed {
            match glob.paths(written) {
                Ok(all) => {
                    for paths in all {
                        told.entry((paths, *owner)).or_default().extend(accesses(letters));
                    }
                }
                Err(why) => {
                    notes.insert(format!("{place}: {written:?} is not told: {why}"));
                }
            }
        }
        let everywhere = Glob::read(EVERYWHERE).and_then(|glob| glob.paths("/{**,}"));
        let free = [Access::Getattr, Access::Setattr, Access::Chdir];
        for paths in everywhere.unwrap_or_default() {
            told.entry((paths, false)).or_default().extend(free);
        }
        let told = told.into_iter().filter(|(_, access)| !access.is_empty());
        told.map(|((paths, owner), access)| FileAllowed::new(paths, access, owner)).collect()
    }

    /// Rules of one pattern become one; what owners may, includes what everybody may.
    fn join(&mut self) {
        let mut by: BTreeMap<(String, bool), Files> = BTreeMap::new();
        for rule in self.allowed.drain(..) {
            match by.entry((rule.glob.expression(), rule.owner)) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(rule);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().letters.extend(rule.letters);
                }
            }
        }
        let everybody: BTreeMap<String, BTreeSet<char>> = by
            .iter()
            .filter(|((_, owner), _)| !owner)
            .map(|((expression, _), rule)| (expression.clone(), rule.letters.clone()))
            .collect();
        self.allowed = by
            .into_iter()
            .map(|((expression, owner), mut rule)| {
                if let (true, Some(letters)) = (owner, everybody.get(&expression)) {
                    rule.letters.extend(letters);
                }
                rule
            })
            .collect();
    }

    fn deny(&mut self, notes: &mut BTreeSet<Note>) {
        for denied in &self.denied {
            let mut language = None;
            for allowed in &mut self.allowed {
                if allowed.letters.is_disjoint(&denied.letters)
                    || !overlap(&allowed.glob, &denied.glob)
                {
                    continue;
                }
                let mut all = || -> bool {
                    let own = Language::of(&[allowed.glob.expression()]);
                    let language =
                        language.get_or_insert_with(|| Language::of(&[denied.glob.expression()]));
                    match (own, language) {
                        (Some(own), Some(language)) => own.beyond(language) == Ok(None),
                        _ => allowed.glob == denied.glob,
                    }
                };
                if (denied.owner && !allowed.owner) || !all() {
                    self.told_wider = true;
                    let common: String = allowed.letters.intersection(&denied.letters).collect();
                    notes.insert(format!(
                        "{}: {} denies {common} for a part of {}, which {} allows: all of it is told as allowed",
                        denied.place, denied.written, allowed.written, allowed.place
                    ));
                    continue;
                }
                allowed.letters = &allowed.letters - &denied.letters;
            }
        }
    }

    /// Renaming asks for reading and writing, an exclusive lock for locking and writing, which two rules may allow.
    fn rename(&mut self, notes: &mut BTreeSet<Note>) {
        self.together('r', "renamed where another rule lets it be read", notes);
        self.together('k', "locked exclusively where another rule lets it be locked", notes);
    }

    /// Adds a letter to the rules for writing, where others allow it too; says where that is a part of them.
    fn together(&mut self, letter: char, what: &str, notes: &mut BTreeSet<Note>) {
        let mut everybody = Vec::new();
        let mut owners = Vec::new();
        for (at, writes) in self.allowed.iter().enumerate() {
            if !writes.letters.contains(&'w') || writes.letters.contains(&letter) {
                continue;
            }
            let for_all = self.covers(writes, letter, writes.owner);
            if for_all == Covers::All {
                everybody.push(at);
                continue;
            }
            let for_owners = self.covers(writes, letter, true);
            if for_owners == Covers::All {
                let letters = BTreeSet::from(['w', letter]);
                owners.push(Files { letters, owner: true, ..writes.clone() });
            }
            if [for_all, for_owners].contains(&Covers::Some) {
                let Files { place, written, .. } = writes;
                notes.insert(format!("{place}: {written} may be {what}, which is not told"));
            }
        }
        for at in everybody {
            // Whoever may write what everybody may read, may rename it.
            if let Some(rule) = self.allowed.get_mut(at) {
                rule.letters.insert(letter);
            }
        }
        self.allowed.extend(owners);
    }

    /// How much of a rule's paths other rules allow this for: for owners, or for everybody.
    fn covers(&self, rule: &Files, letter: char, owner: bool) -> Covers {
        let all: Vec<String> = self
            .allowed
            .iter()
            .filter(|other| other.letters.contains(&letter) && (owner || !other.owner))
            .filter(|other| overlap(&other.glob, &rule.glob))
            .map(|other| other.glob.expression())
            .collect();
        if all.is_empty() {
            return Covers::Nothing;
        }
        match (Language::of(&[rule.glob.expression()]), Language::of(&all)) {
            (Some(own), Some(all)) if own.beyond(&all) == Ok(None) => Covers::All,
            _ => Covers::Some,
        }
    }
}

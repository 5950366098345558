//! From what the kernel tells to facts.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;

use crate::abi::paths::{self, Effect, Object};
use crate::abi::{Abi, calls};
use crate::decode::files::{self, Opened};
use crate::decode::resolve::View;
use crate::decode::{Call, exec, sockets};
use crate::recording::{Access, ByteString, Completion, Seen, What};

use super::record::{Arrived, Part};
use super::views::Views;
use super::wire::{ABIS, DOES_INHERIT, DOES_OPEN, HOOKED, outcome, says};

const UNREADABLE: &str = "names that could not be read from the program's memory";
const CUT: &str = "names and paths that are longer or deeper than what is kept";
const UNRESOLVED: &str = "paths that could not be resolved";
const OUT_OF_REACH: &str = "paths of tasks that were gone with their file tree";
const AFTERWARDS: &str = "some names were resolved after a directory on their way had been removed; \
     a symbolic link among what was removed is not seen";

/// The convention of a call that the kernel tells of.
pub(super) fn abi(wire: u8) -> Abi {
    ABIS.get(usize::from(wire)).copied().unwrap_or(Abi::NATIVE)
}

/// How a call ended, as evidence has it; `None` for one that did not.
pub(super) fn outcome_name(wire: u16) -> Option<String> {
    match wire {
        outcome::NO_RETURN | outcome::KNOWN => None,
        errno => Some(crate::decode::outcome(-i64::from(errno))),
    }
}

/// What a record tells. There may be a million of these.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) facts: Vec<What>,
    /// How it ended, in the kernel's numbers.
    pub(super) outcome: u16,
    /// The file belongs to somebody else.
    pub(super) not_owner: bool,
    /// A program began with the file open: that matters when somebody who is recorded opened it.
    pub(super) inherited: bool,
}

impl Told {
    /// Something that succeeded.
    pub(super) fn ok(facts: Vec<What>) -> Self {
        Self { facts, outcome: outcome::OK, ..Self::default() }
    }

    /// The files that are open after it, and what for.
    pub(super) fn open(&self) -> impl Iterator<Item = (&ByteString, Access)> {
        let granted = self.outcome == outcome::OK;
        self.facts.iter().filter_map(move |what| match what {
            What::File { path, access, .. } if granted => Some((path, files::opened_for(*access)?)),
            _ => None,
        })
    }

    /// The evidence of it, seen so often.
    pub(super) fn seen(&self, count: u64) -> Seen {
        let outcome = outcome_name(self.outcome).unwrap_or_default();
        Seen { not_owner: self.not_owner, ..Seen::ending(&outcome, count) }
    }
}

/// Reads records, with what has been learned from earlier ones.
#[derive(Debug)]
pub(super) struct Reader {
    views: Views,
    /// Files that did not belong to the one who used them, when that was last seen: for files that are gone since.
    foreign: HashSet<ByteString>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { views: Views::new(), foreign: HashSet::new() }
    }

    /// Takes hold of a task's root, for what it will be asked about when the task is gone.
    pub(super) fn remember(&mut self, arrived: &Arrived<'_>) {
        let _held = self.views.of(arrived);
    }

    /// The view of the task that a record tells of, or the loss is counted.
    fn view(&mut self, arrived: &Arrived<'_>, completion: &mut Completion) -> Option<View> {
        let view = self.views.of(arrived);
        if view.is_none() {
            completion.lose(OUT_OF_REACH, 1);
        }
        view
    }

    /// What a program that was started is; `None` when that can't be found out any more.
    pub(super) fn program(
        &mut self,
        arrived: &Arrived<'_>,
        executable: &ByteString,
        completion: &mut Completion,
    ) -> Option<exec::Program> {
        if arrived.says(says::CUT) {
            completion.lose(CUT, 1);
        }
        let view = self.view(arrived, completion)?;
        let name = arrived.text(Part::Name);
        let base = arrived.path(Part::Base2);
        let named = match behind_link(name) {
            Some([]) if arrived.says(says::THROUGH_FD) => Some(Ok(base)),
            Some(rest) if arrived.says(says::THROUGH_FD) => {
                Some(view.resolve(base.as_bytes(), rest, true))
            }
            // Closed at the exec: then it was no script (begin_new_exec and BINPRM_FLAGS_PATH_INACCESSIBLE, fs/exec.c).
            Some(_) if name.starts_with(b"/dev/fd/") => None,
            _ => Some(view.resolve(base.as_bytes(), name, true)),
        };
        // What runs from memory alone is no file that could be looked at.
        let is_file = files::is_file(executable.as_bytes()) && !name.is_empty();
        let is_gone = matches!(named, Some(Err(_)))
            || exec::needs(&view.outside(executable.as_bytes())).is_err();
        if is_file && is_gone {
            completion.lose("programs that could not be looked at while they were there", 1);
        }
        let named = named.and_then(Result::ok);
        Some(exec::program(&view, named.as_ref(), executable))
    }

    /// What a call did to a file.
    pub(super) fn file(&mut self, arrived: &Arrived<'_>, completion: &mut Completion) -> Told {
        let told = self.file_told(arrived, completion).unwrap_or_else(|lost| {
            if let Some(what) = lost.filter(|_| arrived.head.outcome == outcome::OK) {
                completion.lose(what, 1);
            }
            None
        });
        told.unwrap_or_default()
    }

    fn file_told(
        &mut self,
        arrived: &Arrived<'_>,
        completion: &mut Completion,
    ) -> Result<Option<Told>, Option<&'static str>> {
        let head = &arrived.head;
        let call = call(arrived);
        let Some(row) = call.name().and_then(paths::of) else { return Ok(None) };
        for (bit, what) in [(says::UNREADABLE, UNREADABLE), (says::CUT, CUT)] {
            if arrived.says(bit) {
                return Err(Some(what));
            }
        }
        let flags = match row.effect {
            Effect::OpenHow(_) => Some(head.open_flags),
            _ => files::flags_in_registers(row, &call),
        };
        let view = self.views.of(arrived);
        let view = view.as_ref();
        let mut resolver = Resolver { arrived, call: &call, view, flags, gone: false };
        let (first, second) = (FIRST, SECOND);
        let Some(object) = resolver.object(row.object, &first)? else { return Ok(None) };
        let target = match row.second {
            Some(named) => match resolver.object(named, &second)? {
                Some(target) => Some(target),
                None => return Ok(None),
            },
            None => None,
        };
        if resolver.gone {
            completion.notes.insert(AFTERWARDS.to_owned());
        }
        let opened = flags.map(|flags| Opened { flags, created: arrived.says(says::CREATED) });
        let facts = files::facts(row, &call, opened, &object, target.as_ref());
        let not_owner = !self.owned(arrived, view, &object, target.as_ref());
        Ok(Some(Told { facts, outcome: head.outcome, not_owner, inherited: false }))
    }

    /// What the kernel did to a file when no call told it to.
    pub(super) fn hooked(&mut self, arrived: &Arrived<'_>, completion: &mut Completion) -> Told {
        if arrived.says(says::CUT) {
            completion.lose(CUT, 1);
            return Told::default();
        }
        let head = &arrived.head;
        let Some(does) = usize::try_from(head.args[0]).ok().and_then(|does| HOOKED.get(does))
        else {
            completion.lose("operations of an unknown kind", 1);
            return Told::default();
        };
        let object = arrived.path(Part::Base);
        let two = matches!(does, Access::Link | Access::Rename);
        let target = two.then(|| arrived.path(Part::Base2));
        let accesses = match head.args[0] {
            DOES_INHERIT => files::of_inherited(head.open_flags),
            DOES_OPEN => {
                let created = arrived.says(says::CREATED);
                files::of_open(Opened { flags: head.open_flags, created })
            }
            _ => vec![*does],
        };
        if !files::is_file(object.as_bytes()) {
            return Told::default();
        }
        let exchanges = *does == Access::Rename && head.args[1] & paths::RENAME_EXCHANGE != 0;
        let facts = files::done(accesses, &object, target.as_ref(), exchanges);
        let inherited = head.args[0] == DOES_INHERIT;
        Told { not_owner: arrived.says(says::NOT_OWNER), inherited, ..Told::ok(facts) }
    }

    /// Whether the file belongs to the task, as far as that can still be known; a file that is not there has no other owner.
    fn owned(
        &mut self,
        arrived: &Arrived<'_>,
        view: Option<&View>,
        object: &ByteString,
        target: Option<&ByteString>,
    ) -> bool {
        if arrived.says(says::OWNER_KNOWN) {
            let owned = !arrived.says(says::NOT_OWNER);
            if !owned {
                self.foreign.insert(object.clone());
            } else if !self.foreign.is_empty() {
                self.foreign.remove(object);
            }
            return owned;
        }
        // After a rename the object has its new name.
        let there = [Some(object), target]
            .into_iter()
            .flatten()
            .find_map(|path| std::fs::symlink_metadata(view?.outside(path.as_bytes())).ok());
        match there {
            Some(file) => file.uid() == arrived.head.fsuid,
            None => !self.foreign.contains(object),
        }
    }

    /// The address that a call gave.
    pub(super) fn address(&mut self, arrived: &Arrived<'_>, completion: &mut Completion) -> Told {
        let call = call(arrived);
        let name = call.name().unwrap_or_default();
        let Some((action, ..)) = sockets::address_arguments(name) else { return Told::default() };
        let ending = outcome_name(arrived.head.outcome).unwrap_or_default();
        let granted = sockets::outcome(&ending) == Seen::OK;
        if arrived.says(says::UNREADABLE | says::CUT) {
            if granted {
                completion.lose("socket addresses that could not be read", 1);
            }
            return Told::default();
        }
        let mut address = sockets::address(action, arrived.text(Part::Name));
        if let Some(What::Address { path: Some(path), .. }) = &mut address
            && !path.as_bytes().starts_with(b"@")
        {
            let Some(view) = self.view(arrived, completion) else { return Told::default() };
            let base = arrived.path(Part::Base);
            let resolved = if granted {
                view.resolve_afterwards(base.as_bytes(), path.as_bytes(), true)
                    .map(|(path, _)| path)
            } else {
                view.resolve(base.as_bytes(), path.as_bytes(), true)
            };
            match resolved {
                Ok(resolved) => *path = resolved,
                Err(_) if !granted => return Told::default(),
                Err(_) => {
                    completion.lose(UNRESOLVED, 1);
                    return Told::default();
                }
            }
        }
        let outcome = if granted { outcome::OK } else { arrived.head.outcome };
        Told { facts: address.into_iter().collect(), outcome, ..Told::default() }
    }

    /// A socket that socketcall made.
    pub(super) fn socket(arrived: &Arrived<'_>) -> Told {
        let facts = vec![sockets::made(&call(arrived))];
        Told { facts, outcome: arrived.head.outcome, ..Told::default() }
    }
}

/// The call of a record, with those of its arguments that are kept.
fn call(arrived: &Arrived<'_>) -> Call {
    let head = &arrived.head;
    let result = -i64::from(head.outcome);
    Call { abi: abi(head.abi), nr: head.nr, args: head.args.map(u64::from), result: Some(result) }
}

/// What follows `/proc/self/fd/N/` or `/dev/fd/N/` in a name.
fn behind_link(name: &[u8]) -> Option<&[u8]> {
    let rest = name.strip_prefix(b"/proc/self/fd/").or_else(|| name.strip_prefix(b"/dev/fd/"))?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = &rest[digits..];
    Some(rest.strip_prefix(b"/").unwrap_or(rest))
}

/// Where a record has one of a call's objects.
struct Place {
    base: Part,
    name: Part,
    is_object: u16,
    through_fd: u16,
    no_base: u16,
}

const FIRST: Place = Place {
    base: Part::Base,
    name: Part::Name,
    is_object: says::BASE_IS_OBJECT,
    through_fd: says::THROUGH_FD,
    no_base: says::NO_BASE,
};
const SECOND: Place = Place {
    base: Part::Base2,
    name: Part::Name2,
    is_object: says::BASE_2_IS_OBJECT,
    through_fd: says::THROUGH_FD_2,
    no_base: says::NO_BASE_2,
};

/// Finds the paths of a call's objects.
struct Resolver<'a> {
    arrived: &'a Arrived<'a>,
    call: &'a Call,
    /// Without one, only what the kernel has resolved itself can be told.
    view: Option<&'a View>,
    flags: Option<u32>,
    /// Something on the way was gone already.
    gone: bool,
}

impl Resolver<'_> {
    /// The path of an object; `None` for something without one. The error is what is lost.
    fn object(
        &mut self,
        object: Object,
        place: &Place,
    ) -> Result<Option<ByteString>, Option<&'static str>> {
        let base = self.arrived.path(place.base);
        if self.arrived.says(place.is_object) {
            return Ok(Some(base));
        }
        let Object::Path { follow, .. } = object else { return Ok(None) };
        // Not an open descriptor: the call has failed.
        let name = self.arrived.text(place.name);
        if self.arrived.says(place.no_base) || name.is_empty() {
            return Ok(None);
        }
        let follow = follow.holds(&self.call.args, self.flags);
        let name = match behind_link(name).filter(|_| self.arrived.says(place.through_fd)) {
            Some([]) if follow => return Ok(Some(base)),
            Some(rest @ [_, ..]) => rest,
            _ => name,
        };
        let view = self.view.ok_or(Some(OUT_OF_REACH))?;
        if !self.call.succeeded() {
            return view.resolve(base.as_bytes(), name, follow).map(Some).map_err(|_gone| None);
        }
        let (path, whole) = view
            .resolve_afterwards(base.as_bytes(), name, follow)
            .map_err(|_gone| Some(UNRESOLVED))?;
        self.gone |= !whole;
        Ok(Some(path))
    }
}

/// The name of a call that a check served; `None` outside of calls.
pub(super) fn call_name(wire_abi: u8, nr: u32) -> Option<String> {
    (nr != super::wire::OUTSIDE)
        .then(|| calls::name(abi(wire_abi), nr).map_or_else(|| nr.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_open_files_are_told_from_what_follows() {
        assert_eq!(behind_link(b"/proc/self/fd/12"), Some(&b""[..]));
        assert_eq!(behind_link(b"/dev/fd/3/a/b"), Some(&b"a/b"[..]));
        assert_eq!(behind_link(b"/proc/self/maps"), None);
    }
}

//! A text as a tree: what it says, in its order, with the place of each part. Words are as the scanner leaves them (`super::escape`),
//! with variables and patterns as they were written.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracer::recording::ByteString;

use super::error::Place;
use super::permissions::Permissions;

/// A part of a text with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<T> {
    /// Where it begins.
    pub place: Place,
    /// The part.
    pub is: T,
}

/// A whole text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its preamble and its profiles.
    pub items: Vec<Node<Item>>,
}

/// What stands outside of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `abi <abi/3.0>,`
    Abi(IncludeName),
    /// `include <tunables/global>`
    Include(Include<Item>),
    /// `alias /a -> /b,`
    Alias {
        /// What paths begin with.
        from: ByteString,
        /// What they begin with too.
        to: ByteString,
    },
    /// `@{X} = a b`, and `+=` for more.
    Variable {
        /// Its name.
        name: String,
        /// Its values, one at least.
        values: Vec<ByteString>,
        /// They come to those that it has.
        more: bool,
    },
    /// `${X} = true`
    Boolean {
        /// Its name.
        name: String,
        /// Its value.
        value: bool,
    },
    /// A profile, or a hat outside of one.
    Profile(Profile),
}

/// What an include names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncludeName {
    /// `<…>`: relative to the base directory.
    Magic(String),
    /// `"…"`, or without quotes.
    Path(String),
}

impl std::fmt::Display for IncludeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Magic(name) => write!(f, "<{name}>"),
            Self::Path(name) => write!(f, "{name:?}"),
        }
    }
}

/// An include, with what it includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include<T> {
    /// What it names.
    pub name: IncludeName,
    /// That there is nothing is no error.
    pub if_exists: bool,
    /// The files that were read, in the order of their names. A file that this profile, or the preamble, has read already is not read
    /// again, as `apparmor_parser` has it; so a file may include itself.
    pub files: Vec<(Arc<str>, Vec<Node<T>>)>,
}

/// A profile, a child profile or a hat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `^name` or `hat name`.
    pub hat: bool,
    /// Its name, without those of the profiles that it stands in.
    pub name: ByteString,
    /// The programs that it is for, where that is not the name.
    pub attachment: Option<ByteString>,
    /// Extended attributes that those have, and their values.
    pub xattrs: Vec<(String, Option<ByteString>)>,
    /// Its flags.
    pub flags: BTreeSet<String>,
    /// Its rules.
    pub body: Vec<Node<Entry>>,
}

/// What stands in a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A rule.
    Rule(Qualifiers, Rule),
    /// `include <abstractions/base>`
    Include(Include<Entry>),
    /// `abi <abi/3.0>,`
    Abi(IncludeName),
    /// `audit { … }`
    Block(Qualifiers, Vec<Node<Entry>>),
    /// `if ${X} { … } else { … }`
    If {
        /// When the first part counts.
        condition: Condition,
        /// The first part.
        then: Vec<Node<Entry>>,
        /// The other.
        otherwise: Vec<Node<Entry>>,
    },
    /// A child profile or a hat.
    Profile(Profile),
}

/// What an `if` asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `not`, an odd number of times.
    pub not: bool,
    /// What it asks of a variable.
    pub asks: Asks,
}

/// What an `if` asks of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// `${X}`
    True(String),
    /// `defined ${X}`
    DefinedBoolean(String),
    /// `defined @{X}`
    DefinedVariable(String),
}

/// What stands before a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Qualifiers {
    /// `audit`
    pub audit: bool,
    /// `allow` or `deny`.
    pub decision: Option<Decision>,
    /// `owner`
    pub owner: bool,
}

/// `allow` or `deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// As rules do that do not say it.
    Allow,
    /// Whatever other rules say.
    Deny,
}

/// A rule (apparmor.d(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `file,`: every access to every file.
    AllFiles,
    /// `/path rw -> target`, `rw /path -> target`
    File {
        /// Which files.
        path: ByteString,
        /// What may be done.
        permissions: Permissions,
        /// The profile that is changed to. Of a rule that begins with the permission `l` alone: what may be linked.
        target: Option<ByteString>,
        /// The permissions stand first.
        leading: bool,
        /// Only when what is linked has at least the link's permissions.
        subset: bool,
    },
    /// `link subset /new -> /existing`
    Link {
        /// Only when what is linked has at least the link's permissions.
        subset: bool,
        /// The new names.
        link: ByteString,
        /// What may be linked.
        target: ByteString,
    },
    /// `capability chown kill`; none are all.
    Capability(BTreeSet<String>),
    /// `network inet stream`
    Network {
        /// The family.
        domain: Option<String>,
        /// The type, or the protocol.
        kind: Option<String>,
    },
    /// `signal (send) set=(hup) peer=x`
    Signal(Message),
    /// `ptrace (read) peer=x`
    Ptrace(Message),
    /// `dbus send bus=system`
    Dbus(Message),
    /// `unix (connect) type=stream`
    Unix(Message),
    /// `mqueue (create) type=posix /name`
    Mqueue(Message, Option<ByteString>),
    /// `io_uring (sqpoll) label=x`
    IoUring(Message),
    /// `userns create`
    Userns(BTreeSet<String>),
    /// `mount`, `remount` or `umount`.
    Mount {
        /// Which of them.
        call: Mount,
        /// `options=(ro)` and others.
        conditions: Vec<Value>,
        /// What is mounted.
        source: Option<ByteString>,
        /// Where.
        mountpoint: Option<ByteString>,
    },
    /// `pivot_root oldroot=/a/ /b/ -> x`
    PivotRoot {
        /// Where the old root goes.
        old: Option<ByteString>,
        /// The new root.
        new: Option<ByteString>,
        /// The profile that is changed to.
        target: Option<ByteString>,
    },
    /// `change_profile safe /bin/x -> y`
    ChangeProfile {
        /// `safe`, or `unsafe`, when it is said.
        safe: Option<bool>,
        /// The programs at whose start it may be.
        exec: Option<ByteString>,
        /// The profiles.
        target: Option<ByteString>,
    },
    /// `set rlimit nofile <= 10`
    Rlimit {
        /// The limit.
        name: String,
        /// Its value, with its unit.
        value: String,
    },
    /// `all`
    All,
}

/// A call about mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after the word that it is")]
pub enum Mount {
    Mount,
    Remount,
    Umount,
}

/// What rules about messages to others have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The accesses, by their long names; none are all.
    pub access: BTreeSet<String>,
    /// Conditions, of which all must hold.
    pub conditions: Vec<Value>,
}

/// A condition of a rule: `name=value`, `name=(values)` or `name in (values)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// `in` instead of `=`.
    pub within: bool,
    /// The values.
    pub values: Vec<ByteString>,
    /// Conditions on the peer instead of values.
    pub of_peer: Vec<Value>,
}

impl Message {
    /// The condition of this name.
    pub fn condition(&self, name: &str) -> Option<&Value> {
        self.conditions.iter().find(|condition| condition.name == name)
    }
}

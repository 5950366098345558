//! What stands outside of profiles, and the heads of profiles. Includes are read where they stand, each as whole rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracer::recording::ByteString;

use super::ast::{Include, IncludeName, Item, Node, Profile};
use super::error::{Problem, ReadError};
use super::includes::{Found, Includes};
use super::lexer::Lexer;
use super::variables;

/// So deep may includes, and separately what stands in braces, be in each other.
pub(super) const DEEPEST: usize = 32;
/// So many bytes may a text and its includes have.
const BYTES: usize = 16 << 20;

pub(super) struct Parser<'a> {
    includes: &'a dyn Includes,
    bytes: usize,
    include_depth: usize,
    /// A profile was there: no more preamble.
    begun: bool,
}

/// The files that were read in this profile, or in the preamble.
pub(super) type Seen = BTreeSet<String>;

pub(super) type Read<T> = Result<T, ReadError>;

/// What reads a whole file.
type ReadWhole<'f, 'a, T> =
    dyn FnMut(&mut Parser<'a>, &mut Lexer<'_>, &mut Seen) -> Read<Vec<Node<T>>> + 'f;

impl<'a> Parser<'a> {
    pub(super) fn new(includes: &'a dyn Includes) -> Self {
        Self { includes, bytes: 0, include_depth: 0, begun: false }
    }

    pub(super) fn items(
        &mut self,
        lexer: &mut Lexer<'_>,
        seen: &mut Seen,
    ) -> Read<Vec<Node<Item>>> {
        let mut all = Vec::new();
        loop {
            let next = lexer.peek();
            let place = lexer.place();
            let name = lexer.peek_name();
            let preamble = matches!(next, Some(b'@' | b'$')) || matches!(name, "abi" | "alias");
            if preamble && self.begun {
                return Err(lexer.expected("a profile: the preamble ends where profiles begin"));
            }
            let is = match (next, name) {
                (None, _) => return Ok(all),
                (Some(b'@'), _) => self.variable(lexer)?,
                (Some(b'$'), _) => self.boolean(lexer)?,
                (_, "abi") => Item::Abi(self.abi(lexer)?),
                (_, "alias") => self.alias(lexer)?,
                (Some(b'#'), _) | (_, "include") => {
                    Item::Include(self.include(lexer, seen, &mut |parser, lexer, seen| {
                        parser.items(lexer, seen)
                    })?)
                }
                (Some(b'/' | b':' | b'"' | b'^'), _) | (_, "profile" | "hat") => {
                    self.begun = true;
                    Item::Profile(self.profile(lexer, 0)?)
                }
                _ => return Err(lexer.expected("a profile, an include or a variable")),
            };
            all.push(Node { place, is });
        }
    }

    pub(super) fn abi(&mut self, lexer: &mut Lexer<'_>) -> Read<IncludeName> {
        lexer.take_name("abi");
        let name = include_name(lexer)?;
        lexer.need(b",", "a comma behind the ABI")?;
        Ok(name)
    }

    fn alias(&mut self, lexer: &mut Lexer<'_>) -> Read<Item> {
        lexer.take_name("alias");
        let rooted = |lexer: &mut Lexer<'_>| {
            let wrong = lexer.peek() != Some(b'/') && lexer.rest().get(..2) != Some(b"\"/");
            if wrong { Err(lexer.expected("an absolute path")) } else { lexer.word("a path") }
        };
        let from = ByteString::new(rooted(lexer)?.text);
        lexer.need(b"->", "-> and the other path")?;
        let to = ByteString::new(lexer.word("a path")?.text);
        lexer.need(b",", "a comma behind the alias")?;
        Ok(Item::Alias { from, to })
    }

    fn variable(&mut self, lexer: &mut Lexer<'_>) -> Read<Item> {
        let name = variable_name(lexer)?;
        lexer.space();
        let more = lexer.take(b"+=");
        if !more {
            lexer.need(b"=", "= or +=")?;
        }
        let mut values = Vec::new();
        loop {
            lexer.within_line();
            if lexer.ends_line() {
                break;
            }
            values.push(ByteString::new(lexer.value("a value; none has a comma behind it")?.text));
        }
        if values.is_empty() {
            return Err(lexer.expected("a value in the same line"));
        }
        Ok(Item::Variable { name, values, more })
    }

    fn boolean(&mut self, lexer: &mut Lexer<'_>) -> Read<Item> {
        let name = variable_name(lexer)?;
        lexer.need(b"=", "=")?;
        let value = lexer.peek_name().to_ascii_lowercase();
        let value = match value.as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(lexer.expected("true or false")),
        };
        lexer.letters();
        Ok(Item::Boolean { name, value })
    }

    /// An include; what it names is read by `read`, each file as a whole.
    pub(super) fn include<T>(
        &mut self,
        lexer: &mut Lexer<'_>,
        seen: &mut Seen,
        read: &mut ReadWhole<'_, 'a, T>,
    ) -> Read<Include<T>> {
        let place = lexer.place();
        let fail = |problem| ReadError { place: place.clone(), problem };
        let hash = lexer.take_here(b"#include");
        if !hash {
            lexer.take_name("include");
        }
        let separate = matches!(lexer.rest(), [b' ' | b'\t', ..]);
        if !(separate || hash && lexer.rest().starts_with(b"<")) {
            return Err(lexer.expected("a blank, and what to include"));
        }
        lexer.within_line();
        let if_exists = lexer.peek_name() == "if";
        if if_exists {
            lexer.take_name("if");
            if !lexer.take_name("exists") {
                return Err(lexer.expected("exists"));
            }
            lexer.within_line();
        }
        let name = include_name(lexer)?;
        let refuse = |why| fail(Problem::Include { name: name.to_string(), why });
        let found = match self.includes.find(&name).map_err(&refuse)? {
            Some(found) => found,
            None if if_exists => Vec::new(),
            None => return Err(refuse("there is no such file".to_owned())),
        };
        if self.include_depth >= DEEPEST {
            return Err(fail(Problem::Deep("includes", DEEPEST)));
        }
        self.include_depth += 1;
        let mut files = Vec::new();
        for Found { name, text } in found {
            if !seen.insert(name.clone()) {
                continue;
            }
            self.count(text.len()).map_err(&fail)?;
            let file: Arc<str> = name.into();
            let mut inner = Lexer::new(&text, Arc::clone(&file));
            files.push((file, read(self, &mut inner, seen)?));
        }
        self.include_depth -= 1;
        Ok(Include { name, if_exists, files })
    }

    pub(super) fn count(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES { Err(Problem::Large("bytes in all", BYTES)) } else { Ok(()) }
    }

    /// A profile or hat, from its head to its end.
    pub(super) fn profile(&mut self, lexer: &mut Lexer<'_>, depth: usize) -> Read<Profile> {
        let caret = lexer.take(b"^");
        let hat = caret || lexer.take_name("hat");
        let keyword = !hat && lexer.take_name("profile");
        let next = if caret { lexer.rest().first().copied() } else { lexer.peek() };
        if next == Some(b'&') || next.is_none_or(|byte| byte.is_ascii_whitespace()) {
            return Err(lexer.expected("the name of a profile"));
        }
        let name = lexer.word("the name of a profile")?.text;
        if !hat && !keyword && !matches!(name.first(), Some(b'/' | b':')) {
            return Err(lexer.expected("a path or a namespace, or profile before the name"));
        }
        if name.is_empty() {
            return Err(lexer.expected("the name of a profile"));
        }
        let mut attachment = None;
        if matches!(lexer.peek(), Some(b'/' | b'"' | b'@')) {
            let word = lexer.word("a path")?;
            if !matches!(word.text.as_slice(), [b'/', ..] | [b'@', b'{', ..]) {
                return Err(lexer.expected("a path or a variable before this, as the attachment"));
            }
            attachment = Some(ByteString::new(word.text));
        }
        let xattrs = if lexer.peek_name() == "xattrs" { xattrs(lexer)? } else { Vec::new() };
        let flags = flags(lexer)?;
        lexer.need(b"{", "{, flags or an attachment")?;
        let body = self.entries(lexer, &mut Seen::new(), depth + 1, true)?;
        Ok(Profile { hat, name: ByteString::new(name), attachment, xattrs, flags, body })
    }
}

/// `@{NAME}` or `${NAME}`, or without braces.
pub(super) fn variable_name(lexer: &mut Lexer<'_>) -> Read<String> {
    if let Some((name, length)) = variables::variable(lexer.rest()) {
        let name = name.to_owned();
        let text = lexer.rest().get(..length).unwrap_or_default();
        lexer.take_here(text);
        return Ok(name);
    }
    let sigil = lexer.rest().get(..1).unwrap_or_default();
    let is_plain = lexer.rest().get(1).is_some_and(u8::is_ascii_alphabetic);
    if !is_plain {
        return Err(lexer.expected("the name of a variable: letters, digits and _ in braces"));
    }
    lexer.take_here(sigil);
    lexer.name("the name of a variable")
}

fn include_name(lexer: &mut Lexer<'_>) -> Read<IncludeName> {
    lexer.space();
    if lexer.rest().starts_with(b"<") {
        let line = lexer.rest().split(|byte| *byte == b'\n').next().unwrap_or_default();
        let name = line.iter().position(|byte| *byte == b'>').and_then(|end| line.get(1..end));
        let name = name.and_then(|name| std::str::from_utf8(name).ok()).map(str::trim);
        let Some(name) = name.filter(|name| !name.is_empty() && !name.contains('\0')) else {
            return Err(lexer.expected("a name between < and >"));
        };
        let (name, length) = (name.to_owned(), line.iter().position(|byte| *byte == b'>'));
        let text = line.get(..=length.unwrap_or_default()).unwrap_or_default();
        lexer.take_here(text);
        return Ok(IncludeName::Magic(name));
    }
    let before = lexer.expected("a path of letters that are UTF-8");
    let word = lexer.word("<, or a path")?;
    match String::from_utf8(word.text) {
        Ok(name) if !name.is_empty() => Ok(IncludeName::Path(name)),
        _ => Err(before),
    }
}

/// `xattrs=(user.a=b user.c)`
fn xattrs(lexer: &mut Lexer<'_>) -> Read<Vec<(String, Option<ByteString>)>> {
    lexer.take_name("xattrs");
    lexer.need(b"=", "=")?;
    lexer.need(b"(", "( and extended attributes")?;
    let mut all = Vec::new();
    lexer.commas();
    while !lexer.take(b")") {
        lexer.space();
        let is_name = |byte: &&u8| !byte.is_ascii_whitespace() && !b"=(),\"\0".contains(byte);
        let length = lexer.rest().iter().take_while(is_name).count();
        let name = lexer.rest().get(..length).unwrap_or_default();
        if name.is_empty() {
            return Err(lexer.expected("the name of an extended attribute, or )"));
        }
        lexer.take_here(name);
        let value = match lexer.take(b"=") {
            true => Some(ByteString::new(lexer.word_in_list("a value")?.text)),
            false => None,
        };
        all.push((String::from_utf8_lossy(name).into_owned(), value));
        lexer.commas();
    }
    Ok(all)
}

/// Flags without a value: those of apparmor.d(5), and those that `apparmor_parser` knows beyond it. Some exclude each other.
const FLAGS: [&str; 17] = [
    "attach_disconnected",
    "audit",
    "chroot_attach",
    "chroot_no_attach",
    "chroot_relative",
    "complain",
    "debug",
    "default_allow",
    "delegate_deleted",
    "enforce",
    "interruptible",
    "kill",
    "mediate_deleted",
    "namespace_relative",
    "no_attach_disconnected",
    "prompt",
    "unconfined",
];

/// Flags of which a profile has one at most.
const EXCLUSIVE: [&[&str]; 4] = [
    &["complain", "default_allow", "enforce", "kill", "prompt", "unconfined"],
    &["attach_disconnected", "no_attach_disconnected"],
    &["chroot_relative", "namespace_relative"],
    &["delegate_deleted", "mediate_deleted"],
];

/// `flags=(complain)` or `(complain)`.
fn flags(lexer: &mut Lexer<'_>) -> Read<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    if lexer.take_name("flags") {
        lexer.need(b"=", "=")?;
        lexer.need(b"(", "( and flags")?;
    } else if !lexer.take(b"(") {
        return Ok(all);
    }
    lexer.commas();
    loop {
        let name = lexer.name("a flag")?;
        let Some(known) = FLAGS.iter().find(|known| **known == name) else {
            return Err(lexer.error(Problem::Unknown { name, kind: "flag of a profile" }));
        };
        let rival = EXCLUSIVE.iter().filter(|set| set.contains(known)).copied().flatten();
        if let Some(other) =
            rival.filter(|other| *other != known).find(|other| all.contains(**other))
        {
            return Err(lexer.error(Problem::Conflict(other, known)));
        }
        all.insert(name);
        lexer.commas();
        if lexer.take(b")") {
            return Ok(all);
        }
    }
}

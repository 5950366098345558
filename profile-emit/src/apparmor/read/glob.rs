//! The second reader of a word: a pattern (apparmor.d(5), "Globbing"), as `apparmor_parser` compiles it.
//!
//! What the manual does not say, and `-D rule-exprs` shows:
//!
//! - several slashes are one, except exactly two at the beginning, which stay two;
//! - `*` and `**` behind a slash stand for one byte at least, which is no slash, where a slash or the end follows; so `/*` is not `/`, but
//!   `/{*,a}` is;
//! - a class stands for a slash too: `[^a]` does. Its `\-` is a range's dash, a `\^` at its beginning is its negation,
//!   and a `\,` in it is a backslash and a comma;
//! - `{a}` is an error, and so are `{}` and `[a-]`; a comma outside of braces and a `^` outside of brackets are themselves.

use learner::drift::files::Paths;
use tracer::recording::ByteString;

use super::escape;
use super::set::Set;

/// So deep may alternatives be in each other.
const DEEPEST: usize = 50;
/// So many parts may a pattern have, once it is taken apart.
const PARTS: usize = 50_000;
/// So many paths are told one by one.
const FEW: usize = 16;

/// Why a word is no pattern.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum GlobError {
    /// `{` without `}`.
    #[error("a brace is never closed")]
    Open,
    /// `}` without `{`.
    #[error("a brace is closed that was not opened")]
    Closed,
    /// `{a}`.
    #[error("braces have two alternatives at least")]
    Alternatives,
    /// `[` without `]`, or the other way round.
    #[error("a bracket has no counterpart")]
    Bracket,
    /// `[]`, `[a-]`.
    #[error("brackets hold bytes, and ranges of two bytes")]
    Class,
    /// `[*]`, which the parser takes apart in the middle of the class.
    #[error("* and ? need a backslash within brackets")]
    Star,
    /// A backslash at the end.
    #[error("nothing follows its last backslash")]
    Backslash,
    /// Nested too deep.
    #[error("braces are within each other more than {DEEPEST} deep")]
    Deep,
    /// Too many parts.
    #[error("it is too large")]
    Large,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Byte(u8),
    Class(Set),
    /// `*`
    Name,
    /// `**`
    Any,
    Either(Vec<Vec<Part>>),
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Part>);

impl Glob {
    /// Reads a word whose variables are replaced.
    ///
    /// # Errors
    /// When `apparmor_parser` would not compile it, or it is too large.
    pub fn read(text: &[u8]) -> Result<Self, GlobError> {
        let text = single_slashes(text);
        let mut reader = Reader { rest: &text, ends_in_slash: false };
        let parts = reader.sequence(0)?;
        match reader.rest {
            [] => Ok(Self(parts)),
            _ => Err(GlobError::Closed),
        }
    }

    /// The regular expression, in the regex crate's syntax over bytes, that fits the same paths as AppArmor has them.
    pub fn expression(&self) -> String {
        sequence(&self.0)
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The bytes that each of its paths begins with.
    pub(super) fn prefix(&self) -> Vec<u8> {
        let byte = |part: &Part| match part {
            Part::Byte(byte) => Some(*byte),
            _ => None,
        };
        self.0.iter().map_while(byte).collect()
    }

    /// The paths that it stands for as a recording names them: without the slash that AppArmor puts behind a directory's.
    ///
    /// # Errors
    /// When it is too intricate to tell.
    pub fn paths(&self, written: &str) -> Result<Vec<Paths>, GlobError> {
        let mut budget = PARTS;
        let slashed = before_slash(&self.0, &mut budget)?;
        let mut all = not_ending_in_slash(&self.0, &mut budget)?;
        for parts in &slashed {
            all.extend(not_ending_in_slash(parts, &mut budget)?);
        }
        if slashed.iter().any(|parts| parts.iter().all(is_nullable)) {
            all.push(vec![Part::Byte(b'/')]);
        }
        all.sort();
        all.dedup();
        if let Some(few) = words(&all) {
            return Ok(few.into_iter().map(|path| Paths::One(ByteString::new(path))).collect());
        }
        let expressions: Vec<String> = all.iter().map(|parts| sequence(parts)).collect();
        Ok(vec![Paths::Many { pattern: written.to_owned(), expression: expressions.join("|") }])
    }
}

fn sequence(parts: &[Part]) -> String {
    parts.iter().map(expression).collect()
}

fn expression(part: &Part) -> String {
    match part {
        Part::Byte(byte) => format!(r"\x{byte:02x}"),
        Part::Class(set) => set.expression(),
        Part::Name => r"[^/\x00]*".to_owned(),
        Part::Any => r"[^\x00]*".to_owned(),
        Part::Either(all) => {
            let all: Vec<String> = all.iter().map(|parts| sequence(parts)).collect();
            format!("(?:{})", all.join("|"))
        }
    }
}

/// Several slashes become one, but two at the beginning stay.
fn single_slashes(text: &[u8]) -> Vec<u8> {
    let leading = text.iter().take_while(|byte| **byte == b'/').count();
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    if leading == 2 {
        out.push(b'/');
    }
    for (at, byte) in text.iter().enumerate() {
        if *byte != b'/' || at == 0 || text.get(at - 1) != Some(&b'/') {
            out.push(*byte);
        }
    }
    out
}

struct Reader<'a> {
    rest: &'a [u8],
    /// What was read last was a slash.
    ends_in_slash: bool,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Parts up to the end, or to a comma or brace that belongs to the alternatives that this is in.
    fn sequence(&mut self, depth: usize) -> Result<Vec<Part>, GlobError> {
        if depth > DEEPEST {
            return Err(GlobError::Deep);
        }
        let mut parts = Vec::new();
        while let Some(byte) = self.rest.first().copied() {
            if depth > 0 && matches!(byte, b',' | b'}') {
                break;
            }
            if byte == b'}' {
                return Err(GlobError::Closed);
            }
            self.take();
            let before = std::mem::take(&mut self.ends_in_slash);
            match byte {
                b'*' => self.star(before, &mut parts),
                b'?' => parts.push(Part::Class(Set::no_slash())),
                b'[' => parts.push(Part::Class(self.class()?)),
                b']' => return Err(GlobError::Bracket),
                b'{' => {
                    parts.push(self.alternatives(depth)?);
                    self.ends_in_slash = false;
                }
                b'\\' => {
                    let (byte, _) = self.escaped()?;
                    parts.push(byte_part(byte));
                    self.ends_in_slash = byte == b'/';
                }
                other => {
                    parts.push(byte_part(other));
                    self.ends_in_slash = other == b'/';
                }
            }
        }
        Ok(parts)
    }

    fn star(&mut self, behind_slash: bool, parts: &mut Vec<Part>) {
        let any = self.rest.first() == Some(&b'*');
        if any {
            self.take();
        }
        let next = self.rest.iter().find(|byte| **byte != b'*');
        if behind_slash && matches!(next, None | Some(b'/')) {
            parts.push(Part::Class(Set::no_slash()));
        }
        parts.push(if any { Part::Any } else { Part::Name });
    }

    fn alternatives(&mut self, depth: usize) -> Result<Part, GlobError> {
        let mut all = Vec::new();
        loop {
            self.ends_in_slash = false;
            all.push(self.sequence(depth + 1)?);
            match self.take() {
                Some(b',') => {}
                Some(_) if all.len() < 2 => return Err(GlobError::Alternatives),
                Some(_) => return Ok(Part::Either(all)),
                None => return Err(GlobError::Open),
            }
        }
    }

    /// The byte behind a backslash, and whether the regular expression has it with one.
    fn escaped(&mut self) -> Result<(u8, bool), GlobError> {
        let byte = *self.rest.first().ok_or(GlobError::Backslash)?;
        if !b"*?[]{}^,\\".contains(&byte)
            && let Some((value, length)) = escape::escape(self.rest)
        {
            self.rest = self.rest.get(length..).unwrap_or_default();
            return Ok((value, true));
        }
        self.take();
        Ok((byte, byte != b'^' && b"*?[]{},\\".contains(&byte)))
    }

    /// What stands between brackets, behind the first of them.
    fn class(&mut self) -> Result<Set, GlobError> {
        let mut all = Vec::new();
        loop {
            match self.take().ok_or(GlobError::Bracket)? {
                b']' => break,
                b'*' | b'?' => return Err(GlobError::Star),
                // The parser leaves this backslash in the regular expression, where it is none before a comma.
                b'\\' if self.rest.first() == Some(&b',') => all.push((b'\\', true)),
                b'\\' => all.push(self.escaped()?),
                byte => all.push((byte, false)),
            }
        }
        let mut all = all.as_slice();
        let negated = match all {
            [(b'^', false), rest @ ..] => {
                all = rest;
                true
            }
            _ => false,
        };
        let mut set = Set::NONE;
        if all.is_empty() {
            return Err(GlobError::Class);
        }
        let mut first = true;
        while let [(from, quoted), rest @ ..] = all {
            if *from == b'-' && !quoted && !std::mem::take(&mut first) {
                return Err(GlobError::Class);
            }
            first = false;
            match rest {
                [(b'-', false), (b'-', false), ..] | [(b'-', false)] => {
                    return Err(GlobError::Class);
                }
                [(b'-', false), (to, _), rest @ ..] => {
                    let (least, most) = (from.min(to), from.max(to));
                    (*least..=*most).for_each(|byte| set.add(byte));
                    all = rest;
                }
                rest => {
                    set.add(*from);
                    all = rest;
                }
            }
        }
        Ok(if negated { set.inverted() } else { set }.without(0))
    }
}

/// No path has a NUL.
fn byte_part(byte: u8) -> Part {
    if byte == 0 { Part::Class(Set::NONE) } else { Part::Byte(byte) }
}

fn is_nullable(part: &Part) -> bool {
    match part {
        Part::Byte(_) | Part::Class(_) => false,
        Part::Name | Part::Any => true,
        Part::Either(all) => all.iter().any(|parts| parts.iter().all(is_nullable)),
    }
}

/// Sequences of which each is one of what is asked for.
type Shapes = Vec<Vec<Part>>;

/// One of several shapes that a sequence can have at its end, by what its last part that is not empty becomes.
fn by_end(
    parts: &[Part],
    budget: &mut usize,
    last: &dyn Fn(&Part, &mut usize) -> Result<Shapes, GlobError>,
) -> Result<Shapes, GlobError> {
    let mut all = Vec::new();
    let mut rest = parts;
    while let Some((end, before)) = rest.split_last() {
        for shape in last(end, budget)? {
            *budget = budget.checked_sub(before.len() + shape.len()).ok_or(GlobError::Large)?;
            all.push(before.iter().cloned().chain(shape).collect());
        }
        if !is_nullable(end) {
            break;
        }
        rest = before;
    }
    Ok(all)
}

/// What is not empty, and does not end in a slash.
fn not_ending_in_slash(parts: &[Part], budget: &mut usize) -> Result<Shapes, GlobError> {
    let last = |part: &Part, budget: &mut usize| {
        Ok(match part {
            Part::Byte(b'/') => vec![],
            Part::Byte(byte) => vec![vec![Part::Byte(*byte)]],
            Part::Class(set) => vec![vec![Part::Class(set.without(b'/'))]],
            Part::Name => vec![vec![Part::Name, Part::Class(Set::no_slash())]],
            Part::Any => vec![vec![Part::Any, Part::Class(Set::no_slash())]],
            Part::Either(all) => {
                let mut shapes = Vec::new();
                for parts in all {
                    shapes.extend(not_ending_in_slash(parts, budget)?);
                }
                shapes
            }
        })
    };
    by_end(parts, budget, &last)
}

/// What is left of what ends in a slash, without it.
fn before_slash(parts: &[Part], budget: &mut usize) -> Result<Shapes, GlobError> {
    let last = |part: &Part, budget: &mut usize| {
        Ok(match part {
            Part::Byte(b'/') => vec![vec![]],
            Part::Class(set) if set.has(b'/') => vec![vec![]],
            Part::Byte(_) | Part::Class(_) | Part::Name => vec![],
            Part::Any => vec![vec![Part::Any]],
            Part::Either(all) => {
                let mut shapes = Vec::new();
                for parts in all {
                    shapes.extend(before_slash(parts, budget)?);
                }
                shapes
            }
        })
    };
    by_end(parts, budget, &last)
}

/// The words, sorted, when they are few.
fn words(all: &[Vec<Part>]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for parts in all {
        let mut here = vec![Vec::new()];
        for part in parts {
            match part {
                Part::Byte(byte) => here.iter_mut().for_each(|word: &mut Vec<u8>| word.push(*byte)),
                Part::Either(all) => {
                    let ends = self::words(all)?;
                    if here.len() * ends.len() > FEW {
                        return None;
                    }
                    let join = |word: &Vec<u8>| -> Vec<Vec<u8>> {
                        ends.iter().map(|end| [word.as_slice(), end].concat()).collect()
                    };
                    here = here.iter().flat_map(join).collect();
                }
                Part::Class(_) | Part::Name | Part::Any => return None,
            }
        }
        words.extend(here);
        if words.len() > FEW {
            return None;
        }
    }
    words.sort();
    words.dedup();
    Some(words)
}

#[cfg(test)]
mod tests {
    use learner::drift::language::Language;

    use super::*;

    fn paths(text: &str) -> Vec<Paths> {
        Glob::read(text.as_bytes()).unwrap().paths(text).unwrap()
    }

    fn one(path: &str) -> Paths {
        Paths::One(path.into())
    }

    #[test]
    fn a_directory_is_named_without_its_slash() {
        assert_eq!(paths("/tmp/"), [one("/tmp")]);
        assert_eq!(paths("/tmp{,/}"), [one("/tmp")]);
        assert_eq!(paths("/"), [one("/")]);
        assert_eq!(
            paths("/{,usr/}bin/{a,b}"),
            ["/bin/a", "/bin/b", "/usr/bin/a", "/usr/bin/b"].map(one)
        );
        let language = |text: &str| match paths(text).as_slice() {
            [Paths::Many { expression, .. }] => {
                Language::of(std::slice::from_ref(expression)).unwrap()
            }
            other => panic!("{other:?}"),
        };
        for (text, within, without) in [
            ("/a/*", &["/a/b"][..], &["/a", "/a/", "/a/b/", "/a/b/c"][..]),
            ("/a/**", &["/a/b", "/a/b/c"], &["/a", "/a/", "/a/b/"]),
            ("/a/*/", &["/a/b"], &["/a", "/a/b/"]),
            ("/a/{,**}", &["/a", "/a/b", "/a/b/c"], &["/", "/a/", "/ab"]),
            ("/**", &["/a", "/a/b"], &["/", "/a/"]),
            ("/{,**}", &["/", "/a"], &["/a/", ""]),
            ("/a[/b]", &["/a", "/ab"], &["/a/"]),
        ] {
            let language = language(text);
            for path in within {
                assert!(language.holds(path.as_bytes()), "{text} {path}");
            }
            for path in without {
                assert!(!language.holds(path.as_bytes()), "{text} {path}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (text, why) in [
            ("/a{b", GlobError::Open),
            ("/a}", GlobError::Closed),
            ("/a{b}", GlobError::Alternatives),
            ("/a{}", GlobError::Alternatives),
            ("/a{\\,b}", GlobError::Alternatives),
            ("/a[b", GlobError::Bracket),
            ("/a]", GlobError::Bracket),
            ("/a[]", GlobError::Class),
            ("/a[^]", GlobError::Class),
            ("/a[b-]", GlobError::Class),
            ("/a[a-c-e]", GlobError::Class),
            ("/a[*]", GlobError::Star),
            ("/a\\", GlobError::Backslash),
        ] {
            assert_eq!(Glob::read(text.as_bytes()), Err(why), "{text}");
        }
        let deep = |n: usize| format!("/{}{}", "{a,".repeat(n), "}".repeat(n));
        assert!(Glob::read(deep(50).as_bytes()).is_ok());
        assert_eq!(Glob::read(deep(51).as_bytes()), Err(GlobError::Deep));
    }

    #[test]
    fn what_grows_too_large_is_refused() {
        let text = format!("/{}", "{,/}".repeat(2000));
        let glob = Glob::read(text.as_bytes()).unwrap();
        assert_eq!(glob.paths(&text), Err(GlobError::Large));
    }
}

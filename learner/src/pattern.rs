//! Paths with classes in them.

use std::fmt;

use tracer::recording::ByteString;

use crate::policy::{Class, Part, Pattern};

impl Class {
    /// The bytes that the class is made of, and how many at least and at most.
    pub(crate) fn shape(self) -> (fn(u8) -> bool, usize, usize) {
        match self {
            Self::Pid => (|b| b.is_ascii_digit(), 1, 7),
            Self::Number => (|b| b.is_ascii_digit(), 1, 10),
            Self::Mktemp => (|b| b.is_ascii_alphanumeric() || b == b'_', 6, 16),
            Self::Hex => (is_hex, 1, 64),
            Self::Uuid => (|b| is_hex(b) || b == b'-', 36, 36),
            Self::Stamp => (|b| b.is_ascii_digit() || b"-.:+_TZ".contains(&b), 1, 32),
            // include/uapi/linux/limits.h, NAME_MAX
            Self::Name => (|b| b != b'/' && b != 0, 1, 255),
        }
    }

    /// How many bytes a name of the class has.
    pub fn lengths(self) -> std::ops::RangeInclusive<usize> {
        let (_, least, most) = self.shape();
        least..=most
    }

    /// The class's name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::Number => "number",
            Self::Mktemp => "mktemp",
            Self::Hex => "hex",
            Self::Uuid => "uuid",
            Self::Stamp => "stamp",
            Self::Name => "name",
        }
    }

    /// All of `bytes` is of the class.
    pub fn holds(self, bytes: &[u8]) -> bool {
        let (is, least, most) = self.shape();
        (least..=most).contains(&bytes.len()) && bytes.iter().all(|b| is(*b))
    }
}

fn is_hex(b: u8) -> bool {
    b.is_ascii_digit() || (b'a'..=b'f').contains(&b)
}

impl From<&ByteString> for Pattern {
    /// A path as it is, whose bytes are shared.
    fn from(path: &ByteString) -> Self {
        Self(vec![Part::Literal(path.clone())])
    }
}

impl Pattern {
    /// A path as it is.
    pub fn literal(path: &[u8]) -> Self {
        Self::from(&ByteString::from(path))
    }

    /// The path, when there is no class in it.
    pub fn as_literal(&self) -> Option<&ByteString> {
        match self.0.as_slice() {
            [Part::Literal(path)] => Some(path),
            _ => None,
        }
    }

    /// The path is one that the pattern stands for.
    pub fn matches(&self, path: &[u8]) -> bool {
        matches(&self.0, path)
    }
}

fn matches(parts: &[Part], path: &[u8]) -> bool {
    match parts.split_first() {
        None => path.is_empty(),
        Some((Part::Literal(bytes), rest)) => {
            path.strip_prefix(bytes.as_bytes()).is_some_and(|path| matches(rest, path))
        }
        Some((Part::Class { class }, rest)) => {
            let (_, least, most) = class.shape();
            (least..=most.min(path.len()))
                .any(|n| class.holds(&path[..n]) && matches(rest, &path[n..]))
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Literal(bytes) => write!(f, "{bytes}")?,
                Part::Class { class } => write!(f, "<{}>", class.name())?,
            }
        }
        Ok(())
    }
}

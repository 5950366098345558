//! Words of a text. What is a word depends on where it stands, so the parser asks for what it expects.

use std::sync::Arc;

use super::error::{Place, Problem, ReadError};
use super::escape;

/// A place in a text from which words are read.
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    place: Place,
}

/// A word as the pattern compiler gets it.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: Vec<u8>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8], file: Arc<str>) -> Self {
        Self { rest: text, place: Place { file, line: 1 } }
    }

    /// Where it is.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn error(&self, problem: Problem) -> ReadError {
        ReadError { place: self.place(), problem }
    }

    /// That something else was expected here.
    pub(super) fn expected(&self, expected: &'static str) -> ReadError {
        if self.rest.first() == Some(&0) {
            return self.error(Problem::Nul);
        }
        let end = self.rest.iter().skip(1).position(|byte| byte.is_ascii_whitespace());
        let word = self.rest.get(..end.map_or(self.rest.len(), |end| end + 1));
        let word = word.unwrap_or(self.rest);
        let found = match word.get(..word.len().min(40)) {
            None | Some([]) => "the end".to_owned(),
            Some(word) => format!("{:?}", String::from_utf8_lossy(word)),
        };
        self.error(Problem::Expected { expected, found })
    }

    fn skip(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.place.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.rest = rest;
    }

    fn blanks(&self) -> usize {
        self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    /// Passes over white space and comments; `#include` is none.
    pub(super) fn space(&mut self) {
        loop {
            let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n');
            self.skip(self.rest.iter().take_while(blank).count());
            match self.rest {
                [b'\r', b'\n', ..] => self.skip(1),
                rest if rest.starts_with(b"#") && !rest.starts_with(b"#include") => self.line(),
                _ => return,
            }
        }
    }

    /// Passes over what is left of the line.
    fn line(&mut self) {
        self.skip(self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len()));
    }

    /// Passes over blanks within a line, and lines that end in a backslash.
    pub(super) fn within_line(&mut self) {
        loop {
            self.skip(self.blanks());
            match self.rest {
                [b'\\', b'\n', ..] => self.skip(2),
                [b'\\', b'\r', b'\n', ..] => self.skip(3),
                _ => return,
            }
        }
    }

    /// The line ends here, perhaps behind a comment.
    pub(super) fn ends_line(&self) -> bool {
        matches!(self.rest, [] | [b'\n' | b'#', ..] | [b'\r', b'\n', ..])
    }

    /// The next byte, behind white space and comments.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.space();
        self.rest.first().copied()
    }

    /// Takes what stands here, if it is that.
    pub(super) fn take(&mut self, what: &[u8]) -> bool {
        self.space();
        self.take_here(what)
    }

    pub(super) fn take_here(&mut self, what: &[u8]) -> bool {
        let is = self.rest.starts_with(what);
        if is {
            self.skip(what.len());
        }
        is
    }

    /// Passes over commas and white space, which are the same in a list.
    pub(super) fn commas(&mut self) {
        while self.take(b",") {}
    }

    pub(super) fn need(&mut self, what: &[u8], expected: &'static str) -> Result<(), ReadError> {
        if self.take(what) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// The word of letters, digits and `_` that stands here, without taking it.
    pub(super) fn peek_name(&mut self) -> &'a str {
        self.space();
        let rest = self.rest;
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let end = match rest.first() {
            Some(first) if first.is_ascii_alphabetic() || *first == b'_' => {
                rest.iter().take_while(is_name).count()
            }
            _ => 0,
        };
        rest.get(..end).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// Takes this name, if it stands here as a whole.
    pub(super) fn take_name(&mut self, name: &str) -> bool {
        let is = self.peek_name() == name;
        if is {
            self.skip(name.len());
        }
        is
    }

    /// Takes the name that stands here.
    pub(super) fn name(&mut self, expected: &'static str) -> Result<String, ReadError> {
        let name = self.peek_name();
        if name.is_empty() {
            return Err(self.expected(expected));
        }
        self.skip(name.len());
        Ok(name.to_owned())
    }

    /// Takes the letters that stand here, whatever follows.
    pub(super) fn letters(&mut self) -> Vec<u8> {
        self.space();
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let letters = self.rest.get(..count).unwrap_or_default().to_vec();
        self.skip(count);
        letters
    }

    /// The word that stands here: in quotes, or up to white space, `"`, `!`, or a comma with none of a word's bytes behind it. Such a
    /// byte is in a word behind a backslash.
    pub(super) fn word(&mut self, expected: &'static str) -> Result<Word, ReadError> {
        self.space();
        self.word_until(expected, b"")
    }

    /// The same, ending at these bytes too, and at each comma that stands in no braces.
    pub(super) fn word_in_list(&mut self, expected: &'static str) -> Result<Word, ReadError> {
        self.space();
        self.word_until(expected, b"()")
    }

    /// The same within a line: the value of a variable.
    pub(super) fn value(&mut self, expected: &'static str) -> Result<Word, ReadError> {
        self.word_until(expected, b"")
    }

    fn word_until(&mut self, expected: &'static str, ends: &[u8]) -> Result<Word, ReadError> {
        if self.rest.first() == Some(&b'"') {
            return self.quoted();
        }
        let ends_word = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'"' | b'!' | 0);
        let mut length = 0;
        let mut braces = 0_usize;
        while let Some(byte) = self.rest.get(length) {
            let next = self.rest.get(length + 1).copied();
            match byte {
                b'\\' if matches!(next, Some(b' ' | b'\t' | b'"' | b'!' | b',')) => length += 2,
                b'\r' if next == Some(b'\n') => break,
                b',' if !ends.is_empty() && braces == 0 => break,
                b',' if next
                    .is_none_or(|next| ends_word(next) || next == b',' || next == b'\r') =>
                {
                    break;
                }
                byte if ends.contains(byte) || ends_word(*byte) => break,
                byte => {
                    braces = match byte {
                        b'{' => braces + 1,
                        b'}' => braces.saturating_sub(1),
                        _ => braces,
                    };
                    length += 1;
                }
            }
        }
        match self.rest.get(..length) {
            None | Some([]) => Err(self.expected(expected)),
            Some(text) => {
                let word = Word { text: escape::word(text) };
                self.skip(length);
                Ok(word)
            }
        }
    }

    /// A quoted text ends at the first quote without a backslash before it, or, where there is none, at the last quote of the text.
    fn quoted(&mut self) -> Result<Word, ReadError> {
        let inside = self.rest.get(1..).unwrap_or_default();
        let mut last = None;
        for (at, byte) in inside.iter().enumerate() {
            match byte {
                0 => break,
                b'"' => {
                    last = Some(at);
                    if at == 0 || inside.get(at - 1) != Some(&b'\\') {
                        break;
                    }
                }
                _ => {}
            }
        }
        let Some(end) = last else { return Err(self.error(Problem::Quote)) };
        let word = Word { text: escape::word(inside.get(..end).unwrap_or_default()) };
        self.skip(end + 2);
        Ok(word)
    }
}

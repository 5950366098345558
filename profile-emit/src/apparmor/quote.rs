//! Any path as an AppArmor pattern that matches it and nothing else.
//!
//! Two readers stand between the text and the kernel. The scanner replaces the escapes of a quoted string (`\ooo`, `\n`, …), but
//! a character that globs, however it was escaped, keeps a backslash before it (parser_misc.c, `processunquoted`); then the
//! pattern compiler takes `*?[]{}^,` for globbing unless a backslash stands before them, and `@{` for a variable
//! (parser_regex.c). So a character that globs gets a backslash, and everything that is neither plain text nor globbing is
//! written in octal. A backslash too: where `\\` stands before the closing quote, the scanner sees `\"` and reads on
//! (parser_lex.l, `QUOTED_ID`). The tests compile such patterns and run the automaton that the kernel would run.

use learner::policy::{Class, Part, Pattern};

/// A pattern in double quotes; `directory` says what may follow a path that may be a directory's.
pub fn pattern(pattern: &Pattern, directory: Directory) -> String {
    let mut text = String::from("\"");
    for part in &pattern.0 {
        match part {
            Part::Literal(bytes) => literal(&mut text, bytes.as_bytes()),
            Part::Class { class } => text.push_str(&class_text(*class)),
        }
    }
    let root = pattern.as_literal().is_some_and(|path| path.as_bytes() == b"/");
    if !root {
        text.push_str(match directory {
            Directory::No => "",
            Directory::Maybe => "{,/}",
            Directory::Yes => "/",
        });
    }
    text.push('"');
    text
}

/// AppArmor writes a directory's path with a slash at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Directory {
    /// It is none.
    No,
    /// The recording does not tell.
    Maybe,
    /// It is one.
    Yes,
}

fn literal(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'.'
            | b'_'
            | b'-'
            | b'+'
            | b'='
            | b'%'
            | b':'
            | b'~' => {
                text.push(char::from(*byte));
            }
            b'*' | b'?' | b'[' | b']' | b'{' | b'}' | b'^' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            other => text.push_str(&format!("\\{other:03o}")),
        }
    }
}

fn class_text(class: Class) -> String {
    match class {
        // tunables/kernelvars: one to seven digits.
        Class::Pid => "@{pid}".to_owned(),
        Class::Number => repeated("[0-9]", class.lengths()),
        Class::Mktemp => repeated("[a-zA-Z0-9_]", class.lengths()),
        Class::Hex => repeated("[0-9a-f]", class.lengths()),
        Class::Uuid => repeated("[-0-9a-f]", class.lengths()),
        Class::Stamp => repeated("[-0-9.:+_TZ]", class.lengths()),
        // One byte at least, and never a slash.
        Class::Name => "?*".to_owned(),
    }
}

/// So many characters of a set.
fn repeated(set: &str, lengths: std::ops::RangeInclusive<usize>) -> String {
    set.repeat(*lengths.start()) + &format!("{{,{set}}}").repeat(lengths.end() - lengths.start())
}

/// A profile's name: what is neither letter, digit nor one of `_.+-` becomes `_`, since engines and tools pass names on unquoted.
/// `unconfined` is no profile's name: for engines it means that none applies.
pub fn name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.+-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if name == "unconfined" {
        format!("learned-{name}")
    } else if name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name
    } else {
        format!("learned{name}")
    }
}

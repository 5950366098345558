//! Text that others chose: names of files and programs are made by whatever was recorded, and must not reach a terminal
//! as commands to it.

use std::borrow::Cow;

/// Without control characters, and without those that change the direction of what follows (Unicode UAX #9): each is
/// spelled as `\u{…}`.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
}

/// Text within an element or attribute of XML 1.0, which has no control characters.
pub(crate) fn xml(text: &str) -> String {
    safe(text)
        .chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\u{fffe}' | '\u{ffff}' => "\u{fffd}".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// A command line, words with spaces or quotes in quotes as a shell needs them.
pub(crate) fn command_line<'a>(words: impl IntoIterator<Item = Cow<'a, str>>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    let words: Vec<String> = words
        .into_iter()
        .map(|word| {
            if !word.is_empty() && word.chars().all(plain) {
                word.into_owned()
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        })
        .collect();
    words.join(" ")
}

/// `3 files`, `1 file`.
pub(crate) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        assert_eq!(safe("/tmp/café"), "/tmp/café");
        assert_eq!(safe("/tmp/\x1b[2J\n\u{202e}"), r"/tmp/\u{1b}[2J\u{a}\u{202e}");
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let line = command_line(["sh", "-c", "it's", ""].map(Cow::Borrowed));
        assert_eq!(line, r"sh -c 'it'\''s' ''");
    }
}

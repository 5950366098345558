//! The first reader of a word: which escapes are replaced in the text, and which are left to the pattern compiler (`super::glob`).
//!
//! `\ooo`, `\xhh`, `\dnnn`, `\a`, `\e`, `\f`, `\n`, `\r` and `\t` become their byte, and `\"` a quote. A number takes as many digits as
//! still make a byte, three at most, so `\777` is `\77` and a 7. A byte that globs, however it was written, keeps a backslash before it,
//! and NUL stays an escape. All others are left as they are: `\q`, `\ `, `\,` and `\\`.

/// Bytes that mean something to the pattern compiler.
const GLOBS: &[u8] = b"*?[]{}^,\\";

/// What the pattern compiler is given for a word, or for what stands between quotes.
pub(super) fn word(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        match after {
            [b'"', after @ ..] => {
                out.push(b'"');
                rest = after;
            }
            // Its second backslash begins no escape.
            [b'\\', after @ ..] => {
                out.extend(b"\\\\");
                rest = after;
            }
            _ => match escape(after) {
                Some((0, _)) | None => out.push(b'\\'),
                Some((value, length)) => {
                    if GLOBS.contains(&value) {
                        out.push(b'\\');
                    }
                    out.push(value);
                    rest = after.get(length..).unwrap_or_default();
                }
            },
        }
    }
    out
}

/// The byte that an escape stands for, and how long it is behind its backslash.
pub(super) fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let number = |digits: &[u8], base: u32, most: usize| -> Option<(u8, usize)> {
        let mut value = 0_u32;
        let mut length = 0;
        for byte in digits.iter().take(most) {
            let Some(digit) = char::from(*byte).to_digit(base) else { break };
            let more = value * base + digit;
            if more > u32::from(u8::MAX) {
                break;
            }
            value = more;
            length += 1;
        }
        u8::try_from(value).ok().filter(|_| length > 0).map(|value| (value, length))
    };
    Some(match text {
        [b'0'..=b'7', ..] => number(text, 8, 3)?,
        [b'x', digits @ ..] => number(digits, 16, 2).map(|(value, length)| (value, length + 1))?,
        [b'd', digits @ ..] => number(digits, 10, 3).map(|(value, length)| (value, length + 1))?,
        [b'a', ..] => (7, 1),
        [b'e', ..] => (27, 1),
        [b'f', ..] => (12, 1),
        [b'n', ..] => (b'\n', 1),
        [b'r', ..] => (b'\r', 1),
        [b't', ..] => (b'\t', 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::word;

    /// As `apparmor_parser -d` prints the words.
    #[test]
    fn words_are_those_of_the_parser() {
        for (text, expected) in [
            (r"/a\101b\x41\d65", &b"/aAbAA"[..]),
            (r"/a\052\x2a\d42", br"/a\*\*\*"),
            (r"/\777\400\0011", b"/\\?7 0\x011"),
            (r"/\x9g\xg\d300\d1234", b"/\tg\\xg\x1e0\\{4"),
            (r"/\0\000\x00\8", br"/\0\000\x00\8"),
            (r"/\q\ b\,c\!\v\b", br"/\q\ b\,c\!\v\b"),
            (r#"/\"\x22"#, b"/\"\""),
            (r"/\\x\134\\101", br"/\\x\\\\101"),
            (r"/\a\e\f\n\r\t", b"/\x07\x1b\x0c\n\r\t"),
            (r"/\", br"/\"),
        ] {
            assert_eq!(word(text.as_bytes()), expected, "{text}");
        }
    }
}

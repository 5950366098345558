//! Byte strings that survive JSON: paths and names that a program chose.
//!
//! A path may hold any byte but NUL, and JSON holds only Unicode. Text stays as it is, so that people and tools read
//! paths as they know them; a backslash becomes `\\` and each byte that is not part of valid UTF-8 becomes `\xNN`. The
//! mapping is one to one: two different byte strings never share a spelling, and only canonical spellings are read.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use triomphe::ThinArc;

/// A string of bytes, printed and stored in the escaped spelling that this module's text describes. Copies share the bytes: the same
/// few programs, and the same paths, stand in very many facts and rules, which is also why it is one word and its length is by the
/// bytes.
#[derive(Clone)]
pub struct ByteString(ThinArc<(), u8>);

impl ByteString {
    /// Takes the bytes as they are.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from(bytes.into())
    }

    /// The bytes, unescaped.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.slice
    }

    /// The bytes, unescaped, to be changed.
    pub fn into_bytes(self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    /// The spelling in recordings: text as it is, `\\` for a backslash, `\xNN` for a byte that is not text.
    pub fn escaped(&self) -> Cow<'_, str> {
        if let Ok(text) = std::str::from_utf8(self.as_bytes())
            && !text.contains('\\')
        {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(self.as_bytes().len() + 8);
        for chunk in self.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '\\' {
                    out.push('\\');
                }
                out.push(c);
            }
            for byte in chunk.invalid() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
        Cow::Owned(out)
    }

    /// Reads the escaped spelling; refuses one that [`ByteString::escaped`] would not have written.
    ///
    /// # Errors
    /// Says which escape is malformed or not canonical.
    pub fn from_escaped(text: &str) -> Result<Self, EscapeError> {
        if !text.contains('\\') {
            return Ok(Self::from(text));
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            bytes.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('\\') {
                bytes.push(b'\\');
                rest = after;
            } else if let Some(byte) = rest
                .strip_prefix('x')
                .and_then(|hex| hex.get(..2))
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            {
                bytes.push(byte);
                rest = &rest[3..];
            } else {
                return Err(EscapeError(text.to_owned()));
            }
        }
        bytes.extend_from_slice(rest.as_bytes());
        let read = Self::from(bytes);
        if read.escaped() == text { Ok(read) } else { Err(EscapeError(text.to_owned())) }
    }
}

/// A spelling that no byte string has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "malformed escape in {0:?}: expected \\\\ for a backslash or \\xNN for a byte that is not UTF-8"
)]
pub struct EscapeError(String);

impl fmt::Display for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.escaped())
    }
}

impl fmt::Debug for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.escaped())
    }
}

impl Default for ByteString {
    fn default() -> Self {
        Self::from("")
    }
}

impl PartialEq for ByteString {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for ByteString {}

impl PartialOrd for ByteString {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The bytes' order.
impl Ord for ByteString {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for ByteString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl From<&str> for ByteString {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<Vec<u8>> for ByteString {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&[u8]> for ByteString {
    fn from(bytes: &[u8]) -> Self {
        Self(ThinArc::from_header_and_slice((), bytes))
    }
}

impl AsRef<std::path::Path> for ByteString {
    fn as_ref(&self) -> &std::path::Path {
        use std::os::unix::ffi::OsStrExt;
        std::path::Path::new(std::ffi::OsStr::from_bytes(self.as_bytes()))
    }
}

impl Serialize for ByteString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.escaped())
    }
}

impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_escaped(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            let string = ByteString::new(bytes);
            let json = serde_json::to_string(&string).unwrap();
            prop_assert_eq!(serde_json::from_str::<ByteString>(&json).unwrap(), string);
        }

        #[test]
        fn the_order_is_that_of_the_bytes(a: Vec<u8>, b: Vec<u8>) {
            let strings = (ByteString::new(a.clone()), ByteString::new(b.clone()));
            prop_assert_eq!(strings.0.cmp(&strings.1), a.cmp(&b));
            prop_assert_eq!(strings.0 == strings.1, a == b);
        }

        #[test]
        fn reading_is_canonical(text in ".*") {
            if let Ok(read) = ByteString::from_escaped(&text) {
                prop_assert_eq!(read.escaped(), text);
            }
        }
    }

    #[test]
    fn text_stays_readable() {
        assert_eq!(ByteString::from("/tmp/ä b").escaped(), "/tmp/ä b");
        assert_eq!(ByteString::new(*b"/a\\\xff").escaped(), "/a\\\\\\xff");
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["\\", "\\x4", "\\x41", "\\xFF", "\\n", "\\xc3\\xa4"] {
            assert!(ByteString::from_escaped(text).is_err(), "{text}");
        }
    }
}

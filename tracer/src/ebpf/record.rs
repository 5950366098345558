//! A record as it arrives: a head, and byte strings behind it.

use zerocopy::FromBytes;

use crate::recording::ByteString;

use super::wire::{BYTES, PARTS, Record};

/// A record whose lengths have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrived<'a> {
    pub(super) head: Record,
    parts: [&'a [u8]; PARTS],
}

/// Which part of a record; `enum learn_part`, by the order in which the bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Base = 0,
    Name = 1,
    Base2 = 2,
    Name2 = 3,
    Root = 4,
}

/// The order in which the programs put each kind of record's parts.
const FILE: [Part; PARTS] = [Part::Root, Part::Name, Part::Base, Part::Name2, Part::Base2];
const EXEC: [Part; PARTS] = [Part::Base, Part::Root, Part::Name, Part::Base2, Part::Name2];

impl<'a> Arrived<'a> {
    /// Reads a record; `None` when its lengths contradict each other.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, mut rest) = Record::read_from_prefix(bytes).ok()?;
        if bytes.len() != usize::try_from(head.size).ok()? || rest.len() > BYTES {
            return None;
        }
        let order = match head.kind {
            super::wire::kind::EXEC | super::wire::kind::CONTAINER => EXEC,
            _ => FILE,
        };
        let mut parts: [&[u8]; PARTS] = [&[]; PARTS];
        for part in order {
            let length = usize::from(head.lengths[part as usize]);
            (parts[part as usize], rest) = rest.split_at_checked(length)?;
        }
        Some(Self { head, parts })
    }

    /// A string as the program gave it.
    pub(super) fn text(&self, part: Part) -> &'a [u8] {
        self.parts[part as usize]
    }

    /// A path that the kernel resolved.
    pub(super) fn path(&self, part: Part) -> ByteString {
        upright(self.parts[part as usize])
    }

    pub(super) fn says(&self, what: u16) -> bool {
        self.head.says & what != 0
    }
}

/// "sh/bin/usr/" → "/usr/bin/sh"; nothing → "/".
fn upright(backwards: &[u8]) -> ByteString {
    let names = backwards.strip_suffix(b"/").unwrap_or(backwards).rsplit(|byte| *byte == b'/');
    let mut path = Vec::with_capacity(backwards.len() + 1);
    for name in names {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    ByteString::new(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    fn bytes(kind: u32, lengths: [u16; PARTS], text: &[u8]) -> Vec<u8> {
        let size = u32::try_from(size_of::<Record>() + text.len()).unwrap();
        let mut bytes = Record { kind, size, lengths, ..Record::default() }.as_bytes().to_vec();
        bytes.extend_from_slice(text);
        bytes
    }

    #[test]
    fn paths_are_turned_upright() {
        assert_eq!(upright(b"sh/bin/usr/"), "/usr/bin/sh".into());
        assert_eq!(upright(b""), "/".into());
        assert_eq!(upright(b"x/"), "/x".into());
    }

    #[test]
    fn parts_are_found_by_their_lengths() {
        let bytes = bytes(2, [2, 4, 0, 0, 0], b"a/bcb/");
        let arrived = Arrived::read(&bytes);
        assert!(arrived.is_some(), "4 + 2 bytes");
        let arrived = arrived.unwrap();
        assert_eq!(
            (arrived.text(Part::Name), arrived.path(Part::Base)),
            (&b"a/bc"[..], "/b".into())
        );
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(Arrived::read(&bytes(2, [9, 0, 0, 0, 0], b"abc")), None);
        let mut short = bytes(2, [0; PARTS], b"abc");
        short.pop();
        assert_eq!(Arrived::read(&short), None);
        assert_eq!(Arrived::read(b"x"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _kept = Arrived::read(&bytes);
        }
    }
}

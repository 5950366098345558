//! The order of facts, without their spelling.
//!
//! Facts are ordered by the bytes of their JSON (see [`super::key`]). To spell a million of them, and to keep that while they are sorted,
//! takes more memory than the facts do; what differs between two mostly tells which is first.

use std::cmp::Ordering;

use super::{ByteString, Fact, What, key};

/// Compares facts as [`key`] orders them.
pub(super) fn compare(a: &Fact, b: &Fact) -> Ordering {
    quickly(a, b).unwrap_or_else(|| key(a).cmp(&key(b)))
}

/// The order of facts that differ in their program, in what kind they are of, in a file's path or in a call's number; `None` when that
/// does not tell it.
fn quickly(a: &Fact, b: &Fact) -> Option<Ordering> {
    if a.domain != b.domain {
        return strings(&a.domain, &b.domain);
    }
    if a.origin != b.origin {
        return None;
    }
    match (&a.what, &b.what) {
        (What::File { path: a, .. }, What::File { path: b, .. }) if a != b => strings(a, b),
        (
            What::Call { abi: abi_a, nr: a, name: Some(_), .. },
            What::Call { abi: abi_b, nr: b, name: Some(_), .. },
        ) if abi_a == abi_b && a != b => {
            // What follows a number is a comma, which comes before the digits.
            Some(a.to_string().cmp(&b.to_string()))
        }
        (a, b) => Some(kind(a).cmp(kind(b))).filter(|order| order.is_ne()),
    }
}

/// What JSON calls it; no name is the beginning of another.
fn kind(what: &What) -> &'static str {
    match what {
        What::Address { .. } => "address",
        What::Call { .. } => "call",
        What::Capability { .. } => "capability",
        What::Denied { .. } => "denied",
        What::Exec { .. } => "exec",
        What::File { .. } => "file",
        What::Signal { .. } => "signal",
        What::Socket { .. } => "socket",
    }
}

/// The order of the spelling of two strings that differ. What they begin with in common is spelled alike, when ASCII or nothing follows in
/// both; so the first byte that differs decides, when it stands for itself.
fn strings(a: &ByteString, b: &ByteString) -> Option<Ordering> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let next = |bytes: &[u8]| match bytes.get(at) {
        None => Some(b'"'),
        Some(byte @ (b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')) => Some(*byte),
        Some(_) => None,
    };
    Some(next(a)?.cmp(&next(b)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Abi;
    use crate::recording::{Access, Origin};
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = ByteString> {
        // Few different bytes, so that many begin alike; among them halves of characters, and what JSON or the format escapes.
        let bytes = prop::sample::select(&b"/a!\"\\\n~\x7f\xc3\xa9 "[..]);
        prop::collection::vec(bytes, 0..5).prop_map(ByteString::new)
    }

    fn what() -> impl Strategy<Value = What> {
        let access = prop::sample::select(&[Access::Read, Access::Rename][..]);
        let file = (name(), access, prop::option::of(name()));
        let call = (0_u32..120, prop::option::of(Just("read".into())));
        prop_oneof![
            4 => file.prop_map(|(path, access, target)| What::File { path, access, target }),
            2 => call.prop_map(|(nr, name)| What::Call { abi: Abi::X86_64, nr, name, args: None }),
            1 => name().prop_map(|path| What::Exec { path, interpreter: None, loader: None }),
            1 => Just(What::Signal { signal: 1, inside: true }),
            1 => Just(What::Socket { family: 1, kind: 1, protocol: 0 }),
            1 => Just(What::Denied { abi: Abi::X86_64, nr: 1, name: None, args: None }),
            1 => name().prop_map(|name| What::Capability {
                name: name.to_string().into(),
                initial_namespace: true,
                call: None,
                probe: false,
            }),
        ]
    }

    fn fact() -> impl Strategy<Value = Fact> {
        let origin = prop::sample::select(&[Origin::Entry, Origin::Exec][..]);
        (name(), origin, what()).prop_map(|(domain, origin, what)| Fact { domain, origin, what })
    }

    proptest! {
        #[test]
        fn facts_are_ordered_as_they_are_spelled(a in fact(), mut b in fact(), same: bool) {
            if same {
                b.domain.clone_from(&a.domain);
                b.origin = a.origin;
            }
            prop_assert_eq!(compare(&a, &b), key(&a).cmp(&key(&b)));
        }
    }
}

//! Paths of any bytes, and what is nearly the same.

use learner::policy::{Class, Part, Pattern};
use proptest::prelude::*;
use tracer::recording::ByteString;

/// The bytes that mean something to a reader between the text and the kernel.
const SPECIAL: &[u8] = b"*?[]{}^,\\\"@$#()|.+!-~:;<>= \t\n\r\x01\x7f\x80\xff&%'`01nxd";

fn byte() -> BoxedStrategy<u8> {
    prop_oneof![
        3 => prop::sample::select(SPECIAL),
        1 => 1..=255_u8,
        1 => b'a'..=b'c',
    ]
    .prop_filter("separates names", |byte| *byte != b'/')
    .boxed()
}

fn name() -> BoxedStrategy<Vec<u8>> {
    let like_a_pattern = prop::sample::select(
        &[
            "*",
            "**",
            "?",
            "[a-c]",
            "[^a]",
            "{a,b}",
            "{,/}",
            "@{HOME}",
            "@{pid}",
            "\\",
            "\\\\",
            "\\*",
            "\\052",
            "\\x2a",
            "\\d42",
            "a\\",
            "\\{",
            "@",
            "a b",
            "a,",
            "#a",
            "\"",
            "\\\"",
            "->",
            "(deleted)",
        ][..],
    );
    prop_oneof![
        3 => prop::collection::vec(byte(), 1..6),
        1 => like_a_pattern.prop_map(|text| text.as_bytes().to_vec()),
    ]
    .boxed()
}

/// A path as the kernel resolves one: names without NUL, one slash before each.
pub(crate) fn path() -> BoxedStrategy<Vec<u8>> {
    prop::collection::vec(name(), 1..4)
        .prop_map(|names| {
            names.into_iter().flat_map(|name| [b"/".to_vec(), name].concat()).collect()
        })
        .boxed()
}

/// A path in which some part may be of a class.
pub(crate) fn pattern() -> BoxedStrategy<Pattern> {
    let class = prop::sample::select(
        &[
            Class::Pid,
            Class::Number,
            Class::Mktemp,
            Class::Hex,
            Class::Uuid,
            Class::Stamp,
            Class::Name,
        ][..],
    );
    let literal = |bytes: Vec<u8>| Part::Literal(ByteString::new(bytes));
    prop_oneof![
        4 => path().prop_map(|path| Pattern::literal(&path)),
        1 => (path(), class, prop::option::of(name())).prop_map(move |(path, class, rest)| {
            let parts = [literal(path), Part::Class { class }];
            Pattern(parts.into_iter().chain(rest.map(literal)).collect())
        }),
    ]
    .boxed()
}

/// Paths that a pattern stands for, and paths that are nearly such.
pub(crate) fn probes(pattern: &Pattern, choice: &[u8; 4]) -> Vec<Vec<u8>> {
    let own = |class: Class| -> &[u8] {
        match class {
            Class::Pid => [&b"1"[..], b"12", b"4194304", b"99999"][usize::from(choice[0] % 4)],
            Class::Number => [&b"0"[..], b"007", b"1234567890", b"5"][usize::from(choice[0] % 4)],
            Class::Mktemp => {
                [&b"aZ9_bc"[..], b"tmp0123456789abc", b"ABCDEF0"][usize::from(choice[0] % 3)]
            }
            Class::Hex => [&b"0af"[..], b"0", b"deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"]
                [usize::from(choice[0] % 3)],
            Class::Uuid => b"550e8400-e29b-41d4-a716-446655440000",
            Class::Stamp => {
                [&b"2024-01-02T03:04:05Z"[..], b"1.2.3", b"7"][usize::from(choice[0] % 3)]
            }
            Class::Name => [&b"x"[..], b"a b*", b"\xff."][usize::from(choice[0] % 3)],
        }
    };
    let filled = |fill: &dyn Fn(Class) -> Vec<u8>| -> Vec<u8> {
        let part = |part: &Part| match part {
            Part::Literal(bytes) => bytes.as_bytes().to_vec(),
            Part::Class { class } => fill(*class),
        };
        pattern.0.iter().flat_map(part).collect()
    };
    let mut all = vec![filled(&|class| own(class).to_vec())];
    // One byte more or less than the class has, bytes that it does not have.
    for other in [
        &b""[..],
        b"x",
        b"12345678901",
        b"aaaaa",
        b"aaaaaaaaaaaaaaaaa",
        b"aaa/aaa",
        b"-1",
        b"abc-def",
    ] {
        all.push(filled(&|_| other.to_vec()));
    }
    let path = all[0].clone();
    let at = usize::from(choice[1]) % path.len();
    let mut changed = path.clone();
    changed[at] = choice[2].max(1);
    all.push(changed);
    let mut without = path.clone();
    without.remove(at);
    all.push(without);
    for more in [&b"/"[..], b"x", b"/x", b"\\", &[choice[3].max(1)]] {
        all.push([&path, more].concat());
    }
    all.push(path[..path.len() - 1].to_vec());
    // What its bytes would match if they were a pattern's.
    for (from, to) in [
        ("*", "aa"),
        ("?", "a"),
        ("[a-c]", "b"),
        ("{a,b}", "a"),
        ("\\", ""),
        ("\\", "\\\\"),
        ("{,/}", ""),
    ] {
        all.push(replace(&path, from.as_bytes(), to.as_bytes()));
    }
    all.retain(|path| !path.contains(&0));
    all
}

fn replace(path: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match path.windows(from.len()).position(|window| window == from) {
        Some(at) => [&path[..at], to, &path[at + from.len()..]].concat(),
        None => path.to_vec(),
    }
}

/// The pattern stands for the path, where numbers of processes are what the kernel gives: from 1 to 4999999, as
/// `@{pid}` has it, without zeros before.
pub(crate) fn stands_for(pattern: &Pattern, path: &[u8]) -> bool {
    fn from(parts: &[Part], path: &[u8]) -> bool {
        match parts {
            [] => path.is_empty(),
            [Part::Literal(bytes), rest @ ..] => {
                path.strip_prefix(bytes.as_bytes()).is_some_and(|path| from(rest, path))
            }
            [Part::Class { class }, rest @ ..] => (1..=path.len()).any(|n| {
                let is_pid = || path[0] != b'0' && (n < 7 || path[0] < b'5');
                class.holds(&path[..n])
                    && (*class != Class::Pid || is_pid())
                    && from(rest, &path[n..])
            }),
        }
    }
    from(&pattern.0, path)
}

#[test]
fn the_model_agrees_with_the_learner() {
    let pattern = Pattern(vec![Part::Literal("/proc/".into()), Part::Class { class: Class::Pid }]);
    for (path, holds) in
        [("/proc/1", true), ("/proc/4194304", true), ("/proc/x", false), ("/proc/", false)]
    {
        assert_eq!(stands_for(&pattern, path.as_bytes()), holds, "{path}");
        assert_eq!(pattern.matches(path.as_bytes()), holds, "{path}");
    }
    assert!(!stands_for(&pattern, b"/proc/01") && pattern.matches(b"/proc/01"));
}

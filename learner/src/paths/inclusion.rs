//! Whether a pattern has every path that another has, by their languages and not by their spelling.

use std::collections::BTreeSet;

use tracer::recording::ByteString;

use crate::policy::{Class, Part, Pattern};

/// A byte of a pattern: a set, which may be left out when the class has enough without it.
struct Step<'a> {
    holds: Box<dyn Fn(u8) -> bool + 'a>,
    optional: bool,
}

fn steps(pattern: &Pattern) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in &pattern.0 {
        match part {
            Part::Literal(bytes) => {
                for byte in bytes.as_bytes() {
                    steps.push(Step { holds: Box::new(move |b| b == *byte), optional: false });
                }
            }
            Part::Class { class } => {
                let (holds, least, most) = class.shape();
                for at in 0..most {
                    steps.push(Step { holds: Box::new(holds), optional: at >= least });
                }
            }
        }
    }
    steps
}

/// The places that can be reached from these without a byte.
fn closed(steps: &[Step<'_>], places: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    for mut place in places {
        while all.insert(place) && steps.get(place).is_some_and(|step| step.optional) {
            place += 1;
        }
    }
    all
}

fn after(steps: &[Step<'_>], places: &BTreeSet<usize>, byte: u8) -> BTreeSet<usize> {
    let next =
        places.iter().filter(|place| steps.get(**place).is_some_and(|step| (step.holds)(byte)));
    closed(steps, next.map(|place| place + 1))
}

/// Every path of one pattern is one of the other's; both by their segments, since no class crosses a `/`.
pub(super) fn includes(wide: &[Pattern], narrow: &[Pattern]) -> bool {
    wide.len() == narrow.len()
        && wide.iter().zip(narrow).all(|(wide, narrow)| segment(wide, narrow))
}

/// The same of a segment.
fn segment(wide: &Pattern, narrow: &Pattern) -> bool {
    if wide == narrow {
        return true;
    }
    if let Some(name) = narrow.as_literal() {
        return wide.matches(name.as_bytes());
    }
    let is_name = |part: &Part| *part == Part::Class { class: Class::Name };
    match wide.0.as_slice() {
        // Any name between what it begins and ends with.
        [name] if is_name(name) => true,
        [Part::Literal(begins), name] if is_name(name) => behind(begins, narrow, &"".into()),
        [name, Part::Literal(ends)] if is_name(name) => behind(&"".into(), narrow, ends),
        [Part::Literal(begins), name, Part::Literal(ends)] if is_name(name) => {
            behind(begins, narrow, ends)
        }
        _ => !narrow.0.iter().any(is_name) && of_languages(wide, narrow),
    }
}

/// Whatever the pattern stands for begins and ends so, with its class between.
fn behind(begins: &ByteString, pattern: &Pattern, ends: &ByteString) -> bool {
    let literal = |part: Option<&Part>| match part {
        Some(Part::Literal(bytes)) => bytes.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    literal(pattern.0.first()).starts_with(begins.as_bytes())
        && literal(pattern.0.last()).ends_with(ends.as_bytes())
}

/// Inclusion of the languages, by going through both automata together.
fn of_languages(wide: &Pattern, narrow: &Pattern) -> bool {
    let (wide, narrow) = (steps(wide), steps(narrow));
    // Bytes that no step tells apart behave alike.
    let mut alphabet: Vec<u8> = Vec::new();
    let mut kinds = BTreeSet::new();
    for byte in 0..=255 {
        let kind: Vec<bool> = wide.iter().chain(&narrow).map(|step| (step.holds)(byte)).collect();
        if kinds.insert(kind) {
            alphabet.push(byte);
        }
    }
    let mut seen = BTreeSet::new();
    let mut todo = vec![(closed(&narrow, [0]), closed(&wide, [0]))];
    while let Some((own, other)) = todo.pop() {
        if own.contains(&narrow.len()) && !other.contains(&wide.len()) {
            return false;
        }
        for byte in &alphabet {
            let next = after(&narrow, &own, *byte);
            if !next.is_empty() {
                let pair = (next, after(&wide, &other, *byte));
                if seen.insert(pair.clone()) {
                    todo.push(pair);
                }
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::segments;
    use super::*;
    use proptest::prelude::*;

    fn includes(wide: &Pattern, narrow: &Pattern) -> bool {
        super::includes(&segments(wide), &segments(narrow))
    }

    fn pattern(parts: &[(&str, Option<Class>)]) -> Pattern {
        let parts = parts.iter().flat_map(|(text, class)| {
            let literal = (!text.is_empty()).then(|| Part::Literal((*text).into()));
            literal.into_iter().chain(class.map(|class| Part::Class { class }))
        });
        Pattern(parts.collect())
    }

    #[test]
    fn languages_decide_and_not_spellings() {
        let name = pattern(&[("/a/", Some(Class::Name))]);
        let number = pattern(&[("/a/x", Some(Class::Number))]);
        let twice = pattern(&[("/a/", Some(Class::Number)), ("-", Some(Class::Number))]);
        let below = pattern(&[("/a/", Some(Class::Number)), ("/b", None)]);
        assert!(includes(&name, &number) && !includes(&number, &name));
        assert!(includes(&name, &twice) && !includes(&name, &below));
        assert!(includes(&pattern(&[("/a/", Some(Class::Stamp))]), &twice));
        assert!(!includes(&pattern(&[("/a/", Some(Class::Hex))]), &twice));
        assert!(includes(&number, &number));
        assert!(!includes(
            &pattern(&[("/a/", Some(Class::Mktemp))]),
            &pattern(&[("/a/", Some(Class::Pid))])
        ));
    }

    fn any() -> BoxedStrategy<Pattern> {
        let class = prop::sample::select(
            &[Class::Number, Class::Mktemp, Class::Hex, Class::Stamp, Class::Name][..],
        );
        prop::collection::vec(("[a1/-]{0,2}", prop::option::of(class)), 1..3)
            .prop_map(|parts| {
                let parts: Vec<(&str, Option<Class>)> =
                    parts.iter().map(|(t, c)| (t.as_str(), *c)).collect();
                pattern(&parts)
            })
            .boxed()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_included_is_matched(wide in any(), narrow in any(), paths in prop::collection::vec("[a1/-]{0,9}", 40)) {
            let holds = includes(&wide, &narrow);
            for path in paths.iter().filter(|path| narrow.matches(path.as_bytes())) {
                prop_assert!(!holds || wide.matches(path.as_bytes()), "{} {} {}", wide, narrow, path);
            }
            prop_assert!(includes(&narrow, &narrow));
        }
    }
}

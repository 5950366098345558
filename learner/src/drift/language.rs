//! Whether all paths that one pattern stands for are paths that others stand for.

use std::collections::{BTreeMap, HashSet, VecDeque};

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;

/// So large may an automaton get, in bytes. Patterns come from strangers.
const LARGEST: usize = 1 << 20;
/// So many pairs of states are looked at.
const PAIRS: usize = 100_000;

/// The paths that some patterns stand for.
#[derive(Clone, Debug)]
pub struct Language(dense::DFA<Vec<u32>>);

impl Language {
    /// Of regular expressions over bytes, in the syntax of the regex crate, each of which must fit the whole path. `None` when
    /// one is none, or together they are too intricate.
    pub fn of(expressions: &[String]) -> Option<Self> {
        let whole: Vec<String> =
            expressions.iter().map(|expression| format!(r"(?s-u)\A(?:{expression})\z")).collect();
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .determinize_size_limit(Some(LARGEST))
            .dfa_size_limit(Some(LARGEST));
        dense::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false).unicode(false))
            .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
            .build_many(&whole)
            .ok()
            .map(Self)
    }

    /// The path is one of them.
    pub fn holds(&self, path: &[u8]) -> bool {
        let Some(mut state) = self.start() else { return false };
        for byte in path {
            state = self.0.next_state(state, *byte);
        }
        self.ends(state)
    }

    /// A path of these that is none of the others; `Err` when nobody knows.
    pub fn beyond(&self, other: &Self) -> Result<Option<Vec<u8>>, TooIntricate> {
        let (Some(a), Some(b)) = (self.start(), other.start()) else { return Err(TooIntricate) };
        let mut met = HashSet::from([(a, b)]);
        let mut way: BTreeMap<(StateID, StateID), (u8, (StateID, StateID))> = BTreeMap::new();
        let mut next = VecDeque::from([(a, b)]);
        while let Some(pair) = next.pop_front() {
            if self.ends(pair.0) && !other.ends(pair.1) {
                return Ok(Some(path_to(pair, &way)));
            }
            if self.0.is_dead_state(pair.0) {
                continue;
            }
            if met.len() > PAIRS {
                return Err(TooIntricate);
            }
            for byte in 0..=u8::MAX {
                let to = (self.0.next_state(pair.0, byte), other.0.next_state(pair.1, byte));
                if met.insert(to) {
                    way.insert(to, (byte, pair));
                    next.push_back(to);
                }
            }
        }
        Ok(None)
    }

    fn start(&self) -> Option<StateID> {
        self.0.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()
    }

    fn ends(&self, state: StateID) -> bool {
        self.0.is_match_state(self.0.next_eoi_state(state))
    }
}

/// The patterns are too intricate to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooIntricate;

type Pair = (StateID, StateID);

fn path_to(end: Pair, way: &BTreeMap<Pair, (u8, Pair)>) -> Vec<u8> {
    let mut path = Vec::new();
    let mut at = end;
    while let Some((byte, before)) = way.get(&at) {
        path.push(*byte);
        at = *before;
    }
    path.reverse();
    path
}

/// Bytes as a regular expression that fits them and nothing else.
pub fn literal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!(r"\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expression() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("a"),
            Just("b"),
            Just("[^/]*"),
            Just("[ab]"),
            Just("/"),
            Just(".*"),
            Just("(?:a|/b)")
        ];
        proptest::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
    }

    fn language(expression: &str) -> Language {
        Language::of(&[expression.to_owned()]).unwrap()
    }

    #[test]
    fn bytes_are_only_themselves() {
        let odd = b"/\xff*[a]\n?".as_slice();
        let own = language(&literal(odd));
        assert!(own.holds(odd) && !own.holds(b"/\xffx[a]\n?") && !own.holds(b""));
        let any = language("/[^/]*");
        assert_eq!(own.beyond(&any), Ok(None));
        assert!(
            matches!(any.beyond(&own), Ok(Some(path)) if any.holds(&path) && !own.holds(&path))
        );
        assert!(Language::of(&["(".to_owned()]).is_none());
    }

    proptest! {
        #[test]
        fn what_is_beyond_is_shown_and_what_is_not_is_nowhere(
            a in expression(), b in expression(), c in expression(), paths in proptest::collection::vec("[ab/]{0,5}", 20),
        ) {
            let (a, b, c) = (language(&a), language(&b), language(&c));
            match a.beyond(&b) {
                Ok(Some(path)) => prop_assert!(a.holds(&path) && !b.holds(&path)),
                Ok(None) => {
                    prop_assert!(paths.iter().all(|p| !a.holds(p.as_bytes()) || b.holds(p.as_bytes())));
                    if b.beyond(&c) == Ok(None) {
                        prop_assert_eq!(a.beyond(&c), Ok(None));
                    }
                }
                Err(_) => prop_assert!(false, "these are simple"),
            }
            prop_assert_eq!(a.beyond(&a), Ok(None));
        }

        #[test]
        fn any_text_is_an_expression_or_none(text in ".{0,30}") {
            let _ = Language::of(&[text]);
        }
    }
}

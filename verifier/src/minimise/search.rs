//! Which groups of rules are tried without.

use std::collections::{BTreeSet, VecDeque};

/// So many rules that were asked for are tried without at once. A command that goes on after a refusal tells of several.
const GROUP: usize = 8;

/// What a run without some rules showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trial {
    /// The command did as under the whole profile.
    pub(super) passed: bool,
    /// The rules that it was refused for.
    pub(super) blamed: BTreeSet<usize>,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    /// Groups to be tried, none of them empty.
    groups: VecDeque<BTreeSet<usize>>,
    dropped: BTreeSet<usize>,
    needed: BTreeSet<usize>,
    at_times: BTreeSet<usize>,
    untested: BTreeSet<usize>,
}

impl Search {
    /// `unused` are those that can probably be dropped, `used` those that probably can't.
    pub(super) fn new(unused: BTreeSet<usize>, used: BTreeSet<usize>) -> Self {
        let used: Vec<usize> = used.into_iter().collect();
        let groups = std::iter::once(unused)
            .chain(used.chunks(GROUP).map(|group| group.iter().copied().collect()))
            .filter(|group: &BTreeSet<usize>| !group.is_empty());
        Self {
            groups: groups.collect(),
            dropped: BTreeSet::new(),
            needed: BTreeSet::new(),
            at_times: BTreeSet::new(),
            untested: BTreeSet::new(),
        }
    }

    /// The next group to be tried without, besides those that are dropped already.
    pub(super) fn next(&mut self) -> Option<BTreeSet<usize>> {
        self.groups.front().cloned()
    }

    /// What a run without this group, the next one, and without those that are dropped already showed.
    pub(super) fn tried(&mut self, group: &BTreeSet<usize>, trial: &Trial) {
        if !trial.passed && self.restore(&trial.blamed) && trial.blamed.is_disjoint(group) {
            // It says nothing of the group.
            return;
        }
        self.groups.pop_front();
        if trial.passed {
            self.dropped.extend(group);
            return;
        }
        let blamed: BTreeSet<usize> = trial.blamed.intersection(group).copied().collect();
        let rest: BTreeSet<usize> = group.difference(&blamed).copied().collect();
        if !blamed.is_empty() {
            self.needed.extend(blamed);
            if !rest.is_empty() {
                self.groups.push_front(rest);
            }
        } else if group.len() == 1 {
            self.needed.extend(group);
        } else {
            let (one, other): (Vec<_>, Vec<_>) =
                group.iter().enumerate().partition(|(at, _)| at * 2 < group.len());
            for half in [other, one] {
                self.groups.push_front(half.into_iter().map(|(_, rule)| *rule).collect());
            }
        }
    }

    /// What a run passed without and another was refused is needed at times: by a command whose calls depend on timing. Whether
    /// there was any of it among these.
    pub(super) fn restore(&mut self, blamed: &BTreeSet<usize>) -> bool {
        let back: BTreeSet<usize> = self.dropped.intersection(blamed).copied().collect();
        self.dropped.retain(|rule| !back.contains(rule));
        self.needed.extend(&back);
        self.at_times.extend(&back);
        !back.is_empty()
    }

    /// Nothing more is tried.
    pub(super) fn give_up(&mut self) {
        self.untested.extend(self.groups.drain(..).flatten());
    }

    pub(super) fn dropped(&self) -> &BTreeSet<usize> {
        &self.dropped
    }

    pub(super) fn needed(&self) -> &BTreeSet<usize> {
        &self.needed
    }

    /// Those of the needed that some runs passed without.
    pub(super) fn at_times(&self) -> &BTreeSet<usize> {
        &self.at_times
    }

    pub(super) fn untested(&self) -> &BTreeSet<usize> {
        &self.untested
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Searches with a command that needs some rules, and tells of at most so many refusals in a run.
    fn search(
        rules: usize,
        guessed: &BTreeSet<usize>,
        needs: &BTreeSet<usize>,
        tells: usize,
    ) -> (Search, usize) {
        let all: BTreeSet<usize> = (0..rules).collect();
        let mut search = Search::new(&all - guessed, guessed & &all);
        let mut runs = 0;
        while let Some(group) = search.next() {
            let missed: BTreeSet<usize> = &(search.dropped() | &group) & needs;
            let blamed = missed.iter().copied().take(tells).collect();
            search.tried(&group, &Trial { passed: missed.is_empty(), blamed });
            runs += 1;
            assert!(runs < 10_000);
        }
        (search, runs)
    }

    #[test]
    fn a_good_guess_takes_few_runs() {
        let needs: BTreeSet<usize> = (0..80).collect();
        let (search, runs) = search(120, &needs, &needs, usize::MAX);
        assert_eq!((search.needed(), search.dropped().len()), (&needs, 40));
        assert_eq!(runs, 1 + 80 / GROUP);
    }

    #[test]
    fn what_is_given_up_is_neither_dropped_nor_needed() {
        let mut search = Search::new(BTreeSet::from([1, 2]), BTreeSet::from([3]));
        let group = search.next().unwrap();
        search.tried(&group, &Trial { passed: true, blamed: BTreeSet::new() });
        search.give_up();
        assert_eq!(search.dropped(), &BTreeSet::from([1, 2]));
        assert_eq!(search.untested(), &BTreeSet::from([3]));
        assert_eq!((search.next(), search.needed().len()), (None, 0));
    }

    #[test]
    fn what_is_needed_at_times_comes_back() {
        let mut search = Search::new(BTreeSet::from([1, 2]), BTreeSet::from([3, 4]));
        let group = search.next().unwrap();
        search.tried(&group, &Trial { passed: true, blamed: BTreeSet::new() });
        // Now the command asks for one that it has passed without: that says nothing of the others.
        let group = search.next().unwrap();
        search.tried(&group, &Trial { passed: false, blamed: BTreeSet::from([1]) });
        assert_eq!(search.next(), Some(group.clone()));
        // And then for the other, together with one of the group.
        search.tried(&group, &Trial { passed: false, blamed: BTreeSet::from([2, 3]) });
        assert_eq!(search.next(), Some(BTreeSet::from([4])));
        search.tried(&BTreeSet::from([4]), &Trial { passed: true, blamed: BTreeSet::new() });
        assert_eq!(search.next(), None);
        assert_eq!(search.dropped(), &BTreeSet::from([4]));
        assert_eq!(search.needed(), &BTreeSet::from([1, 2, 3]));
        assert_eq!(search.at_times(), &BTreeSet::from([1, 2]));
    }

    proptest! {
        /// Whatever the guess, and however little a refusal tells, exactly what is needed is left.
        #[test]
        fn what_is_left_is_what_is_needed(
            rules in 0_usize..60,
            guessed in proptest::collection::btree_set(0_usize..60, 0..60),
            needs in proptest::collection::btree_set(0_usize..60, 0..60),
            tells in 0_usize..3,
        ) {
            let all: BTreeSet<usize> = (0..rules).collect();
            let needs = &needs & &all;
            let (search, _) = search(rules, &guessed, &needs, tells);
            prop_assert_eq!(search.needed(), &needs);
            prop_assert_eq!(search.dropped(), &(&all - &needs));
        }
    }
}

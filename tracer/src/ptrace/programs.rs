//! What the recorder knows of programs: whether the next process that runs one is likely to teach anything.

use std::collections::HashMap;

use crate::tally::DomainId;

/// So many processes in a row have run a program to the end and brought no new calls before the next one's known calls run free from
/// its begin on.
const QUIET: u32 = 3;

/// The programs that were run.
#[derive(Debug, Default)]
pub(super) struct Programs(HashMap<DomainId, Program>);

#[derive(Debug, Default)]
struct Program {
    /// Processes that brought no new calls, since the last that did.
    quiet: u32,
    /// It makes processes, which are not to inherit what it knows.
    launches: bool,
}

impl Programs {
    /// A process no longer runs a program; `taught` when it brought new calls.
    pub(super) fn ended(&mut self, program: DomainId, taught: bool) {
        let known = self.0.entry(program).or_default();
        known.quiet = if taught { 0 } else { known.quiet + 1 };
    }

    /// A process makes another one.
    pub(super) fn launches(&mut self, program: DomainId) {
        self.0.entry(program).or_default().launches = true;
    }

    /// The next process that runs it is not expected to bring new calls.
    pub(super) fn is_known(&self, program: DomainId) -> bool {
        self.0.get(&program).is_some_and(|known| known.quiet >= QUIET && !known.launches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_teach_or_launch_are_not_known() {
        let mut programs = Programs::default();
        (0..QUIET).for_each(|_| programs.ended(1, false));
        assert!(programs.is_known(1) && !programs.is_known(2));
        programs.ended(1, true);
        assert!(!programs.is_known(1));
        (0..QUIET).for_each(|_| programs.ended(1, false));
        assert!(programs.is_known(1));
        programs.launches(1);
        assert!(!programs.is_known(1));
    }
}

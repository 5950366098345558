//! Rows of counters: successes of native calls of which nothing is told but their number, by the call's number. The kernel counts there what it
//! has counted by its key once.

use super::wire::{COUNTING, CallKey, Count, Row, RowKey, outcome};

/// How often each call was counted in a row of `owner`'s.
pub(super) fn of_row(owner: &RowKey, row: &Row) -> impl Iterator<Item = (CallKey, u64)> {
    (0..).zip(row).filter_map(|(nr, counter)| {
        let count = counter & ((1 << COUNTING) - 1);
        let key = CallKey {
            domain: owner.domain,
            nr,
            session: owner.session,
            phase: owner.phase,
            outcome: outcome::OK,
            ..CallKey::default()
        };
        (count > 0).then_some((key, count))
    })
}

/// Adds what a row has counted.
pub(super) fn add(count: &mut Count, more: Option<u64>) {
    count.count = count.count.saturating_add(more.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebpf::wire::COLUMNS;

    #[test]
    fn a_counter_in_use_counts_without_its_mark() {
        let owner = RowKey { domain: 7, session: 4, phase: 1, ..RowKey::default() };
        let mut row = [0; COLUMNS];
        row[110] = (2 << COUNTING) + 5;
        // It is in use, and nothing has come since.
        row[39] = 1 << COUNTING;
        let key = CallKey { domain: 7, nr: 110, session: 4, phase: 1, ..CallKey::default() };
        assert_eq!(of_row(&owner, &row).collect::<Vec<_>>(), [(key, 5)]);
    }
}

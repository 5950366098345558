//! What incidence data say of what was not seen: estimators of species richness, which have the same question.
//!
//! The data are counts of counts: of `m` sampling units, how many things were seen in exactly `k` of them. Nothing is assumed of how
//! often a thing occurs, but that the units are drawn from what there is to be seen.

use std::collections::BTreeMap;

/// In how many units things were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incidence {
    units: u64,
    /// How many things were seen in exactly so many units.
    counts: BTreeMap<u64, u64>,
}

impl Incidence {
    /// Counts things by the number of units that saw each; one that no unit saw counts for nothing.
    pub fn new(units: u64, of_each: impl IntoIterator<Item = u64>) -> Self {
        let mut counts = BTreeMap::new();
        for seen in of_each.into_iter().filter(|seen| *seen > 0) {
            *counts.entry(seen.min(units)).or_default() += 1;
        }
        Self { units, counts }
    }

    /// How many units there are: m.
    pub fn units(&self) -> u64 {
        self.units
    }

    /// How many things were seen: S.
    pub fn seen(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many things were seen in exactly `k` units: Qk.
    pub fn seen_in(&self, k: u64) -> u64 {
        self.counts.get(&k).copied().unwrap_or_default()
    }

    /// How many times something was seen in a unit: U.
    pub fn incidences(&self) -> u64 {
        self.counts.iter().map(|(k, n)| k * n).sum()
    }

    /// The part of all incidences to come that is of things which were seen (Chao and Jost, Ecology 93, 2012; for incidences Chao et
    /// al., Ecological Monographs 84, 2014, equation 4a). `None` of fewer than two units, or when nothing was seen.
    pub fn coverage(&self) -> Option<f64> {
        let (m, u) = (real(self.units), real(self.incidences()));
        let (q1, q2) = (real(self.seen_in(1)), real(self.seen_in(2)));
        if self.units < 2 || u == 0.0 {
            return None;
        }
        if q1 == 0.0 {
            return Some(1.0);
        }
        // Without doubletons the same expression of the bias-corrected counts.
        let (a, b) =
            if q2 > 0.0 { ((m - 1.0) * q1, 2.0 * q2) } else { ((m - 1.0) * (q1 - 1.0), 2.0) };
        Some(1.0 - q1 / u * (a / (a + b)))
    }

    /// How many things there are, at least: Chao2 (Chao, Biometrics 43, 1987), bias-corrected when nothing was seen in exactly two
    /// units (Chao and Colwell, SORT 41, 2017). `None` of fewer than two units.
    pub fn richness(&self) -> Option<f64> {
        (self.units >= 2).then(|| real(self.seen()) + self.unseen())
    }

    fn unseen(&self) -> f64 {
        let m = real(self.units);
        let (q1, q2) = (real(self.seen_in(1)), real(self.seen_in(2)));
        let part = if q2 > 0.0 { q1 * q1 / (2.0 * q2) } else { q1 * (q1 - 1.0) / 2.0 };
        (m - 1.0) / m * part
    }

    /// How many things that were not seen the next unit is expected to show: Q1/m (Good, Biometrika 40, 1953). `None` of no units.
    pub fn new_in_next(&self) -> Option<f64> {
        (self.units > 0).then(|| real(self.seen_in(1)) / real(self.units))
    }

    /// How many things a sample of `n` of these units is expected to show: rarefaction (Shinozaki 1963; Colwell et al., Journal of
    /// Plant Ecology 5, 2012, equation 17).
    pub fn expected_in(&self, n: u64) -> f64 {
        let (m, n) = (self.units, n.min(self.units));
        let mut missed = 1.0;
        let mut j = 0;
        let mut all = 0.0;
        for (k, count) in &self.counts {
            // The chance that none of k units is among the n: the product of (m-n-j)/(m-j) for j below k.
            while j < *k {
                missed *= real((m - n).saturating_sub(j)) / real(m - j);
                j += 1;
            }
            all += real(*count) * (1.0 - missed);
        }
        all
    }

    /// How many new things `more` further units are expected to show (Colwell et al. 2012, equation 18).
    pub fn new_in(&self, more: u64) -> f64 {
        let (m, q1, unseen) = (real(self.units), real(self.seen_in(1)), self.unseen());
        if self.units < 2 || unseen <= 0.0 {
            return 0.0;
        }
        unseen * (1.0 - (1.0 - q1 / (m * unseen + q1)).powf(real(more)))
    }
}

/// A count as a real number; counts stay far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(super) fn real(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    /// Ants at 2000 m in Costa Rica: 200 plots and 14 species, 1 of them in one plot and 2 in two (Longino and Colwell, Ecosphere 2,
    /// 2011; the data set `ant` of the R package iNEXT): 14 + 199/200 · 1²/(2·2).
    #[test]
    fn published_ants() {
        let of_each = [1, 2, 2].into_iter().chain([3; 11]);
        let ants = Incidence::new(200, of_each);
        assert_eq!((ants.seen(), ants.seen_in(1), ants.seen_in(2)), (14, 1, 2));
        assert!(near(ants.richness().unwrap(), 14.24875));
        assert!(near(ants.new_in_next().unwrap(), 0.005));
    }

    /// By hand: five units; things seen in 1, 1, 1, 2, 2, 3, 5, 5 of them. U = 20, Q1 = 3, Q2 = 2.
    #[test]
    fn by_hand() {
        let data = Incidence::new(5, [1, 1, 1, 2, 2, 3, 5, 5]);
        assert_eq!((data.seen(), data.incidences()), (8, 20));
        // 1 − 3/20 · 12/(12 + 4)
        assert!(near(data.coverage().unwrap(), 0.8875));
        // 8 + 4/5 · 9/4
        assert!(near(data.richness().unwrap(), 9.8));
        assert!(near(data.new_in_next().unwrap(), 0.6));
        // One unit shows a thing of k with chance k/5: (3 + 4 + 3 + 10)/5.
        assert!(near(data.expected_in(1), 4.0));
        // Four units miss a thing of one with chance 1/5.
        assert!(near(data.expected_in(4), 8.0 - 3.0 / 5.0));
        // 1.8 · (1 − (1 − 3/(5·1.8 + 3))^1)
        assert!(near(data.new_in(1), 1.8 * 0.25));
    }

    /// By hand, bias-corrected: four units; 1, 1, 1, 3, 4. U = 10, Q1 = 3, Q2 = 0.
    #[test]
    fn without_doubletons() {
        let data = Incidence::new(4, [1, 1, 1, 3, 4]);
        // 5 + 3/4 · 3·2/2
        assert!(near(data.richness().unwrap(), 7.25));
        // 1 − 3/10 · 6/(6 + 2)
        assert!(near(data.coverage().unwrap(), 0.775));
        assert!(near(Incidence::new(4, [1, 3, 4]).richness().unwrap(), 3.0));
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        for data in [Incidence::new(0, []), Incidence::new(1, [1, 1])] {
            assert_eq!((data.coverage(), data.richness()), (None, None), "{data:?}");
            assert!(near(data.new_in(7), 0.0));
        }
        assert_eq!(Incidence::new(0, []).new_in_next(), None);
        assert_eq!(Incidence::new(9, []).coverage(), None);
        assert_eq!(Incidence::new(3, [3, 3]).coverage(), Some(1.0));
    }

    proptest! {
        #[test]
        fn estimates_keep_their_bounds(m in 2_u64..40, of_each in prop::collection::vec(0_u64..60, 0..80)) {
            let data = Incidence::new(m, of_each);
            let seen = real(data.seen());
            prop_assert!(data.richness().unwrap() >= seen);
            if let Some(coverage) = data.coverage() {
                prop_assert!((0.0..=1.0).contains(&coverage), "{}", coverage);
            }
            let curve: Vec<f64> = (0..=m).map(|n| data.expected_in(n)).collect();
            prop_assert!(near(curve[0], 0.0) && near(curve[curve.len() - 1], seen));
            prop_assert!(curve.is_sorted_by(|a, b| *a <= *b + 1e-9), "more units show no less");
            let steps: Vec<f64> = curve.windows(2).map(|two| two[1] - two[0]).collect();
            prop_assert!(steps.is_sorted_by(|a, b| *a + 1e-9 >= *b), "and ever less that is new");
            // The last unit showed what the first one to come is expected to show.
            prop_assert!((steps[steps.len() - 1] - data.new_in_next().unwrap()).abs() < 1e-9);
            prop_assert!(data.new_in(5) <= data.new_in(50) + 1e-9 && data.new_in(5000) <= data.richness().unwrap() - seen + 1e-9);
        }

        /// Rarefaction is the mean over all samples of that size.
        #[test]
        fn rarefaction_is_a_mean(units in prop::collection::vec(prop::collection::btree_set(0_u8..12, 0..8), 2..7), n in 1_usize..6) {
            let m = units.len();
            let n = n.min(m);
            let of_each = (0_u8..12).map(|thing| units.iter().filter(|unit| unit.contains(&thing)).count() as u64);
            let data = Incidence::new(m as u64, of_each);
            let samples: Vec<usize> = (0_usize..1 << m).filter(|s| s.count_ones() as usize == n).collect();
            let shown = |sample: usize| {
                let chosen = units.iter().enumerate().filter(|(at, _)| sample >> at & 1 == 1);
                chosen.flat_map(|(_, unit)| unit).collect::<std::collections::BTreeSet<_>>().len() as u64
            };
            let total: u64 = samples.iter().map(|sample| shown(*sample)).sum();
            prop_assert!((real(total) / real(samples.len() as u64) - data.expected_in(n as u64)).abs() < 1e-9);
        }
    }
}

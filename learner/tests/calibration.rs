//! The estimators against what comes: units are split in half at random, and what the first half says of the second is compared with
//! what the second has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use learner::completeness::estimate::Incidence;

/// A generator of numbers that are the same each time (Knuth's MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Units that each need a thing with a chance of its own.
fn units(numbers: &mut Numbers, how_many: u64, chances_in_1000: &[u64]) -> Vec<BTreeSet<usize>> {
    (0..how_many)
        .map(|_| {
            let needs = |(at, chance): (usize, &u64)| (numbers.below(1000) < *chance).then_some(at);
            chances_in_1000.iter().enumerate().filter_map(needs).collect()
        })
        .collect()
}

/// Mean predicted and mean actual number of new things in the second half, and how often the truth was within the bound.
fn halves(
    numbers: &mut Numbers,
    units: &[BTreeSet<usize>],
    things: usize,
    splits: u32,
) -> (f64, f64) {
    let (mut predicted, mut actual) = (0.0, 0.0);
    for _ in 0..splits {
        let mut order: Vec<usize> = (0..units.len()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, usize::try_from(numbers.below(at as u64 + 1)).unwrap());
        }
        let (first, second) = order.split_at(order.len() / 2);
        let seen = |half: &[usize], thing| {
            half.iter().filter(|u| units[**u].contains(&thing)).count() as u64
        };
        let data = Incidence::new(first.len() as u64, (0..things).map(|thing| seen(first, thing)));
        predicted += data.new_in(second.len() as u64);
        let new = (0..things).filter(|thing| seen(first, *thing) == 0 && seen(second, *thing) > 0);
        actual += f64::from(u32::try_from(new.count()).unwrap());
    }
    (predicted / f64::from(splits), actual / f64::from(splits))
}

#[test]
fn the_first_half_tells_of_the_second() {
    let mut numbers = Numbers(7);
    // Things that all need, some, and few: as 1/rank; all alike; and hardly any rare ones.
    let zipf: Vec<u64> = (1..=400).map(|rank| 1000 / rank).collect();
    let alike = vec![30; 200];
    let common: Vec<u64> = [vec![700; 100], vec![10; 20]].concat();
    for (name, chances) in [("zipf", zipf), ("alike", alike), ("common", common)] {
        let units = units(&mut numbers, 60, &chances);
        let (predicted, actual) = halves(&mut numbers, &units, chances.len(), 200);
        println!("{name}: predicted {predicted:.1}, came {actual:.1}");
        assert!(actual > 1.0, "{name}: there was something to predict");
        assert!(
            (predicted - actual).abs() < 0.25 * actual + 1.0,
            "{name}: {predicted} for {actual}"
        );
    }
}

#[test]
fn the_bound_for_no_news_holds() {
    // Where nothing was seen in one unit only, the next one brings news less often than 3/m says, but for one time in twenty.
    let mut numbers = Numbers(11);
    let chances: Vec<u64> = [vec![900; 50], vec![20; 2]].concat();
    let (mut said, mut broken) = (0, 0);
    for _ in 0..800 {
        let seen = units(&mut numbers, 40, &chances);
        let next = units(&mut numbers, 200, &chances);
        let count = |thing| seen.iter().filter(|unit| unit.contains(&thing)).count() as u64;
        let counts: Vec<u64> = (0..chances.len()).map(count).collect();
        if counts.contains(&1) {
            continue;
        }
        said += 1;
        let news = next.iter().filter(|unit| unit.iter().any(|thing| counts[*thing] == 0)).count();
        broken += u32::from(news * 40 > 3 * next.len());
    }
    assert!(said > 80 && broken * 20 <= said * 2, "{broken} of {said}");
}

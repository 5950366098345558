//! Test-suite saturation as a text, for `learn show`.

use learner::completeness::{Decimal, Estimate, Saturation};

use super::table::table;
use super::text::count;

/// The heading, and a table where something can be estimated.
pub(crate) fn text(of: &Saturation) -> String {
    let units = count(usize::try_from(of.units).unwrap_or(usize::MAX), "unit");
    if of.units < 2 {
        return format!(
            "\ntest-suite saturation: {units}; of fewer than two nothing is estimated: record more runs, or mark units\n"
        );
    }
    let mut out = format!("\ntest-suite saturation over {units}: {}\n", verdict(&of.all));
    let heads =
        ["", "needs", "in one unit only", "coverage", "expected", "new in the next", "chance"];
    let mut rows = vec![row("all", &of.all)];
    rows.extend(of.kinds.iter().map(|(kind, estimate)| row(kind.name(), estimate)));
    rows.extend(of.programs.iter().map(|(path, estimate)| row(&path.escaped(), estimate)));
    out.push_str(&table(&heads, rows));
    let points: Vec<String> =
        of.curve.iter().map(|p| format!("{} {:.1}", p.units, p.needs.value())).collect();
    out.push_str(&format!("\nneeds by units: {}\n", points.join(", ")));
    if of.outside > 0 {
        out.push_str(&format!("{} more were seen outside of units only\n", of.outside));
    }
    out
}

fn verdict(of: &Estimate) -> String {
    match (of.chance, of.chance_below) {
        (_, Some(below)) => format!(
            "no unit needed something that no other did; the next one will with a chance below {} (95 % confidence)",
            percent(below)
        ),
        (Some(chance), None) => {
            format!("the next one needs something new with a chance of about {}", percent(chance))
        }
        (None, None) => String::new(),
    }
}

fn row(name: &str, of: &Estimate) -> Vec<String> {
    let number =
        |value: Option<Decimal>| value.map_or_else(String::new, |v| format!("{:.1}", v.value()));
    let chance = match of.chance_below {
        Some(below) => format!("< {}", percent(below)),
        None => of.chance.map(percent).unwrap_or_default(),
    };
    vec![
        name.to_owned(),
        of.seen.to_string(),
        of.in_one.to_string(),
        of.coverage.map(percent).unwrap_or_default(),
        number(of.expected),
        of.new_in_next.map_or_else(String::new, |v| format!("{:.2}", v.value())),
        chance,
    ]
}

fn percent(part: Decimal) -> String {
    format!("{:.1} %", part.value() * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_news_is_a_bound_and_no_certainty() {
        let of = Saturation {
            units: 40,
            all: Estimate {
                seen: 7,
                chance: Some(Decimal::new(0.0)),
                chance_below: Some(Decimal::new(0.075)),
                ..Estimate::default()
            },
            ..Saturation::default()
        };
        let said = text(&of);
        assert!(
            said.contains("over 40 units") && said.contains("a chance below 7.5 % (95 %"),
            "{said}"
        );
        assert!(text(&Saturation { units: 1, ..of }).contains("1 unit; of fewer than two nothing"));
    }
}

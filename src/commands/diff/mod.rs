//! `learn diff`: how what is allowed differs between two sides.
//!
//! - [`sides`]: what is given, read as what it allows
//! - [`accepted`]: drift that somebody has accepted
//! - [`report`]: the differences as text, JSON, Markdown, SARIF and JUnit

mod accepted;
mod report;
mod sides;

use learner::drift::risk::Level;
use learner::drift::{Difference, Drift};

use crate::cli::{Diff, FailOn, Report};
use crate::exit::{Condition, Exit, Failure};
use crate::ui::{self, Ui};

use report::Compared;
use sides::Named;

/// As diff(1): something differs.
const DIFFERENT: u8 = 1;
/// As diff(1): trouble.
pub(crate) const TROUBLE: u8 = 2;

/// Compares. What can't be read or compared ends with [`TROUBLE`].
pub(crate) fn run(args: &Diff, ui: Ui) -> Exit {
    compare(args, ui).unwrap_or_else(|failure| {
        ui.error(&failure.error);
        Exit::Status(TROUBLE)
    })
}

fn compare(args: &Diff, ui: Ui) -> Result<Exit, Failure> {
    let (old, new) = match (&args.subset_of, args.sides.as_slice()) {
        (Some(old), [new]) => (old, new),
        (None, [old, new]) => (old, new),
        (Some(_), _) => return Err(usage("with --subset-of give one side more")),
        (None, _) => return Err(usage("give two sides, OLD and NEW")),
    };
    let (old, new) = (sides::read(old, args)?, sides::read(new, args)?);
    if old.side.kinds().is_disjoint(&new.side.kinds()) {
        let tells = |of: &Named| {
            let kinds: Vec<&str> = of.side.kinds().iter().map(|kind| kind.name()).collect();
            format!("{} tells of {}", of.name, kinds.join(", "))
        };
        return Err(Failure::because(
            Condition::Input,
            format_args!("nothing to compare: {}, and {}", tells(&old), tells(&new)),
        ));
    }
    let mut drift = Drift::between(&old.side, &new.side);
    if args.subset_of.is_some() {
        drift.differences.retain(|difference| difference.widens);
    }
    if let Some(path) = &args.accept {
        accepted::leave_out(&mut drift, path, args.today.as_deref(), ui)?;
    }
    let failing = |difference: &Difference| match args.fail_on {
        FailOn::Any => true,
        FailOn::Widened => difference.widens,
        FailOn::RiskHigh => difference.widens && difference.risk == Level::High,
        FailOn::RiskMedium => difference.widens && difference.risk >= Level::Medium,
        FailOn::Never => false,
    };
    let is_within = drift.excess().next().is_none();
    if args.subset_of.is_some() && is_within && !old.side.told_wider.is_disjoint(&new.side.kinds())
    {
        for note in &old.notes {
            ui.say(note);
        }
        return Err(Failure::because(
            Condition::Input,
            format_args!(
                "not proved: {} denies parts of what it allows, which is told as allowed; nothing of {} exceeds the rest",
                old.name, new.name
            ),
        ));
    }
    let compared = Compared {
        old: &old,
        new: &new,
        subset: args.subset_of.is_some(),
        drift: &drift,
        failing: &failing,
    };
    ui::product(&match args.format {
        Report::Text => compared.text().into_bytes(),
        Report::Json => super::json(&compared.json())?,
        Report::Markdown => compared.markdown().into_bytes(),
        Report::Sarif => super::json(&compared.sarif())?,
        Report::Junit => compared.junit().into_bytes(),
    })?;
    for note in compared.notes() {
        ui.say(note);
    }
    for kind in &drift.not_compared {
        ui.detail(&format_args!("not compared, since only one side tells of it: {}", kind.name()));
    }
    Ok(match drift.differences.iter().any(failing) {
        true => Exit::Status(DIFFERENT),
        false => Exit::Success,
    })
}

fn usage(what: &str) -> Failure {
    Failure::because(Condition::Input, format_args!("{what}; see learn diff --help"))
}

//! `learn show`

use learner::completeness::Saturation;
use learner::domains::{self, Domains};
use serde::Serialize;
use tracer::recording::{Recording, Summary};

use super::json;
use crate::cli::{Format, Graph, Show};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::ui;

/// What is shown: docs/show.md.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    summary: Summary,
    saturation: Saturation,
    graph: Domains,
}

/// Prints what a recording knows.
pub(crate) fn run(args: &Show) -> Result<Exit, Failure> {
    let recording = Recording::read(&args.file)?;
    let summary = Summary::of(&recording);
    let settings = project::settings(None)?;
    let options = learner::Options { settings, ..learner::Options::default() };
    let policy = learner::learn(&recording, &options);
    let domains = domains::of(&policy);
    if let Some(language) = args.graph {
        let picture = match language {
            Graph::Dot => ui::graph::dot(&domains),
            Graph::Svg => ui::graph::svg(&domains),
        };
        ui::product(picture.as_bytes())?;
        return Ok(Exit::Success);
    }
    let saturation = policy.saturation;
    ui::product(&match args.format {
        Format::Text => (ui::summary::text(&summary)
            + &ui::domains::text(&domains)
            + &ui::saturation::text(&saturation))
            .into_bytes(),
        Format::Json => json(&Shown { summary, saturation, graph: domains })?,
    })?;
    Ok(Exit::Success)
}

//! Programs that are run. Never generalised.

use tracer::recording::{What, succeeded};

use crate::Seens;
use crate::evidence::gather;
use crate::policy::{ExecRule, Rule};

/// The exec rules.
pub(crate) fn rules(facts: &[Seens<'_>]) -> Vec<Rule<ExecRule>> {
    gather(facts, |(fact, runs, _)| match &fact.what {
        What::Exec { path, interpreter, loader } if succeeded(runs) => Some(ExecRule {
            path: path.clone(),
            interpreter: interpreter.clone(),
            loader: loader.clone(),
        }),
        _ => None,
    })
}

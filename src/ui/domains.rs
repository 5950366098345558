//! Which programs would be worth a profile of their own, for `learn show`.

use learner::domains::Domains;

use super::table::table;

/// Nothing, when there is no proposal.
pub(crate) fn text(domains: &Domains) -> String {
    let rows: Vec<Vec<String>> = domains
        .domains
        .iter()
        .filter_map(|domain| {
            let proposal = domain.proposal.as_ref()?;
            let through = domain.only_through.as_ref().map(ToString::to_string);
            let less = |because: &String| {
                because.split_once(" (").map_or(because.clone(), |(what, _)| what.to_owned())
            };
            Some(vec![
                domain.program.to_string(),
                through.unwrap_or_default(),
                proposal.because.iter().map(less).collect::<Vec<_>>().join(", "),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = ["program", "reached through", "what it would take from it"];
    format!("\nprograms that a profile of their own would limit\n{}\n", table(&heads, rows))
}

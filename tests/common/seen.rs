//! What a recording knows, in a form that two recorders can be compared in.

use std::collections::BTreeSet;

use tracer::recording::{Args, Fact, Recording, Seen, What};

/// Calls as `abi name`.
pub(crate) fn calls(recording: &Recording) -> BTreeSet<String> {
    facts(recording)
        .filter_map(|(fact, _)| match &fact.what {
            What::Call { abi, nr, name, .. } => Some(format!(
                "{abi} {}",
                name.as_ref().map_or_else(|| nr.to_string(), ToString::to_string)
            )),
            _ => None,
        })
        .collect()
}

/// Combinations of arguments as `abi name index=value …`, or `abi name many`.
pub(crate) fn arguments(recording: &Recording) -> BTreeSet<String> {
    facts(recording)
        .filter_map(|(fact, _)| match &fact.what {
            What::Call { abi, name: Some(name), args: Some(args), .. } => {
                let words: Vec<String> = match args {
                    Args::Values(all) => all.iter().map(|(at, v)| format!("{at}={v:#x}")).collect(),
                    Args::Many => vec!["many".to_owned()],
                };
                Some(format!("{abi} {name} {}", words.join(" ")))
            }
            _ => None,
        })
        .collect()
}

/// Granted accesses to files as `access path`, with made-up names as [`comparable`] has them.
pub(crate) fn files(recording: &Recording) -> BTreeSet<String> {
    granted(recording)
        .filter_map(|fact| match &fact.what {
            What::File { path, access, .. } => {
                Some(format!("{} {}", word(access), comparable(&path.escaped())))
            }
            _ => None,
        })
        .collect()
}

/// Paths of granted accesses, and of the programs that were run.
pub(crate) fn paths(recording: &Recording) -> BTreeSet<String> {
    granted(recording)
        .filter_map(|fact| match &fact.what {
            What::File { path, .. } | What::Exec { path, .. } => Some(comparable(&path.escaped())),
            _ => None,
        })
        .collect()
}

/// The facts of one program in the words of samples/facts.h.
pub(crate) fn words(recording: &Recording, domain: &std::path::Path) -> BTreeSet<String> {
    facts(recording)
        .filter(|(fact, _)| <_ as AsRef<std::path::Path>>::as_ref(&fact.domain) == domain)
        .filter_map(|(fact, seen)| match &fact.what {
            What::Call { abi, name: Some(name), .. } => Some(format!("call {abi} {name}")),
            What::File { path, access, .. } if seen.succeeded() => {
                Some(format!("file {} {}", word(access), path.escaped()))
            }
            What::Socket { family, kind, protocol } => {
                Some(format!("socket {family} {kind} {protocol}"))
            }
            _ => None,
        })
        .collect()
}

fn facts(recording: &Recording) -> impl Iterator<Item = (&Fact, &Seen)> {
    recording.sorted().into_iter().flat_map(|(fact, runs)| runs.values().map(move |s| (fact, s)))
}

fn granted(recording: &Recording) -> impl Iterator<Item = &Fact> {
    facts(recording).filter(|(_, seen)| seen.succeeded()).map(|(fact, _)| fact)
}

/// An access in the file format's word.
fn word(access: &tracer::recording::Access) -> String {
    serde_json::to_value(access).unwrap().as_str().unwrap().to_owned()
}

/// A path in which two runs of a deterministic program agree: numbers (process ids, descriptors) are `#`, and what
/// mkstemp(3) or Python's tempfile makes up is `*`.
pub(crate) fn comparable(path: &str) -> String {
    let mut out = String::new();
    for name in path.split('/').skip(usize::from(path.starts_with('/'))) {
        let name = made_up(&out, name).unwrap_or_else(|| numbers(name));
        out.push('/');
        out.push_str(&name);
    }
    out
}

/// Where names are made up (the end of the directory's path), what stands before the made-up part, how long that is.
const MADE_UP: [(&str, &str, usize); 9] = [
    // git: trying what the file system can do, then objects, packs and their lists.
    ("/.git", "t", 6),
    ("/info", "refs_", 6),
    ("/info", "packs_", 6),
    ("", "tmp_obj_", 6),
    ("", "tmp_pack_", 6),
    ("", "tmp_idx_", 6),
    ("", "tmp_rev_", 6),
    // Python's tempfile: its files, and trying whether a directory can be written to.
    ("", "tmp", 8),
    ("/python-subprocess", "", 8),
];

fn made_up(directory: &str, name: &str) -> Option<String> {
    MADE_UP.iter().find_map(|(place, prefix, length)| {
        let rest = name.strip_prefix(prefix).filter(|_| directory.ends_with(place))?;
        let (made_up, rest) = rest.split_at_checked(*length)?;
        (made_up.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && (rest.is_empty() || rest.starts_with('.')))
        .then(|| format!("{prefix}*{rest}"))
    })
}

fn numbers(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            _ => out.push(c),
        }
    }
    out
}

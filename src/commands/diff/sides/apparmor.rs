//! AppArmor profiles, as text.

use std::path::Path;

use profile_emit::apparmor::read::includes::Directory;
use profile_emit::apparmor::read::profiles::{Resolved, profiles};
use profile_emit::apparmor::read::{read, side};

use super::super::super::unusable;
use super::Reading;
use crate::exit::Failure;

/// Whether a text means to be a profile: it has what begins one, or what stands before the first.
pub(super) fn looks_like_one(text: &[u8]) -> bool {
    let begins = |line: &[u8]| {
        let line = line.trim_ascii_start();
        let words: [&[u8]; 6] = [b"profile ", b"abi ", b"include ", b"#include ", b"@{", b"hat "];
        words.iter().any(|word| line.starts_with(word))
            || line.starts_with(b"/") && line.trim_ascii_end().ends_with(b"{")
    };
    !text.contains(&0) && text.split(|byte| *byte == b'\n').any(begins)
}

/// What a profile of a text allows: its only one, or the one of this name.
pub(super) fn reading(path: &Path, text: &[u8], name: Option<&str>) -> Result<Reading, Failure> {
    let shown = path.to_string_lossy();
    let read = read(&shown, text, &Directory::default()).and_then(|file| profiles(&file));
    let all = read.map_err(|e| unusable(path, &e))?;
    let chosen = pick(&all, name).map_err(|why| unusable(path, &why))?;
    let (side, mut notes) = side::side(chosen).map_err(|e| unusable(path, &e))?;
    let below = format!("{}//", chosen.name);
    let children = all.iter().filter(|profile| profile.name.to_string().starts_with(&below));
    let children: Vec<String> = children.map(|profile| profile.name.to_string()).collect();
    if !children.is_empty() {
        notes.push(format!(
            "not compared: the child profiles {}; give FILE#NAME for each",
            children.join(", ")
        ));
    }
    notes.sort();
    Ok(Reading { form: "AppArmor profile", side, notes })
}

fn pick<'a>(all: &'a [Resolved], name: Option<&str>) -> Result<&'a Resolved, String> {
    let wanted = |profile: &&Resolved| {
        let own = profile.name.to_string();
        name.map_or(!own.contains("//"), |name| own == name)
    };
    let mut found = all.iter().filter(wanted);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        _ if all.is_empty() => Err("no profile is in it".to_owned()),
        _ => {
            let names: Vec<String> = all.iter().map(|profile| profile.name.to_string()).collect();
            Err(format!("which profile? give FILE#NAME with one of {}", names.join(", ")))
        }
    }
}

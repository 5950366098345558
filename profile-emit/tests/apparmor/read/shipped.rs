//! What Debian ships: every profile and abstraction is read, and the parser finds profiles of the same names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use profile_emit::apparmor::read::includes::{Directory, is_left_out};
use profile_emit::apparmor::read::profiles::profiles;
use profile_emit::apparmor::read::{read, side};

const BASE: &str = "/etc/apparmor.d";
const EXTRA: &str = "/usr/share/apparmor/extra-profiles";

/// Files that are not read, and why: those that the parser refuses as well.
const REFUSED: [(&str, &str); 0] = [];

/// The files of a directory, and of those in it.
fn files(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else if !is_left_out(path.file_name().unwrap().to_str().unwrap()) {
            all.push(path);
        }
    }
    all.sort();
}

/// A text with each file in it: a profile as it is, what profiles include in a profile.
fn text(path: &Path) -> Option<Vec<u8>> {
    let own = path.strip_prefix(BASE).unwrap_or(path).to_str().unwrap();
    let (directory, _) = own.split_once('/').unwrap_or_default();
    match directory {
        "abi" | "disable" | "force-complain" | "cache" => None,
        "tunables" => Some(format!("include <tunables/global>\ninclude <{own}>\n").into()),
        "abstractions" | "apache2.d" | "local" => Some(
            format!("include <tunables/global>\nprofile test {{\n  include <{own}>\n}}\n").into(),
        ),
        _ => Some(std::fs::read(path).unwrap()),
    }
}

/// The names of the profiles in a text, or what the parser has against it.
fn parser(text: &[u8], arguments: &[&str]) -> Result<BTreeSet<String>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let output = Command::new("apparmor_parser").args(arguments).arg(file.path()).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// The names of the profiles in a text, each of which has a side.
fn reader(name: &str, text: &[u8]) -> Result<BTreeSet<String>, String> {
    let file = read(name, text, &Directory::default()).map_err(|error| error.to_string())?;
    let all = profiles(&file).map_err(|error| error.to_string())?;
    for profile in &all {
        side::side(profile).map_err(|error| error.to_string())?;
    }
    Ok(all.iter().map(|profile| profile.name.to_string()).collect())
}

#[test]
#[ignore = "needs apparmor-profiles: run by make test"]
fn what_is_shipped_is_read_as_the_parser_reads_it() {
    let mut all = Vec::new();
    files(Path::new(BASE), &mut all);
    files(Path::new(EXTRA), &mut all);
    let mut refused = BTreeSet::new();
    let mut count = 0;
    for path in &all {
        let Some(text) = text(path) else { continue };
        count += 1;
        let name = path.to_str().unwrap();
        match (reader(name, &text), parser(&text, &["-N"])) {
            (Ok(read), Ok(names)) => assert_eq!(read, names, "{name}"),
            (Err(error), names) => {
                refused.insert((name.to_owned(), error, names.err()));
            }
            (Ok(_), Err(error)) => panic!("{name} is read, but the parser says: {error}"),
        }
    }
    assert!(count > 250, "{count} of {}", all.len());
    let told: BTreeSet<&str> = refused.iter().map(|(name, ..)| name.as_str()).collect();
    let known: BTreeSet<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    assert_eq!(told, known, "{refused:#?}");
}

//! learn.toml: what a project says of its places.

use std::collections::BTreeSet;
use std::path::Path;

use learner::Settings;
use serde::Deserialize;
use tracer::recording::ByteString;

use crate::exit::{Condition, Failure};

/// The file that is read where none is named.
const FILE: &str = "learn.toml";

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Project {
    #[serde(default)]
    paths: Paths,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paths {
    #[serde(default)]
    volatile: Vec<String>,
    #[serde(default)]
    sensitive: Vec<String>,
}

/// Reads the file that is named, or learn.toml where there is one.
pub(crate) fn settings(named: Option<&Path>) -> Result<Settings, Failure> {
    let path = named.unwrap_or(Path::new(FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Settings::default());
        }
        Err(error) => return Err(unusable(path, &error)),
    };
    read(&text).map_err(|why| unusable(path, &why))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    let why = why.to_string();
    let why = why.trim_end().replace('\n', " ");
    Failure::because(
        Condition::Input,
        format_args!(
            "{}: {why}; docs/policy.md#a-projects-own-places says what it may hold",
            path.display()
        ),
    )
}

fn read(text: &str) -> Result<Settings, String> {
    let project: Project = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| {
            let before = &text.as_bytes()[..span.start.min(text.len())];
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        });
        let line = line.map_or_else(String::new, |line| format!("line {line}: "));
        format!("{line}{}", error.message())
    })?;
    let Paths { volatile, sensitive } = project.paths;
    Ok(Settings { volatile: places(volatile, false)?, sensitive: places(sensitive, true)? })
}

/// Paths as the kernel has them, so that each means what it says.
fn places(all: Vec<String>, patterns: bool) -> Result<BTreeSet<ByteString>, String> {
    let mut places = BTreeSet::new();
    for place in all {
        let names = place.strip_prefix('/').unwrap_or_default();
        let tree = names.strip_suffix('/').unwrap_or(names);
        let plain = |name: &str| {
            let wild = name.contains('*') && !(patterns && name == "*");
            !matches!(name, "" | "." | "..") && !wild
        };
        if !place.starts_with('/') || !tree.split('/').all(plain) {
            let wild = if patterns { ", or * for one name" } else { "" };
            return Err(format!("{place:?}: expected an absolute path of plain names{wild}"));
        }
        // A volatile tree is one whether a slash ends it or not.
        let kept = if patterns { place.as_str() } else { place.trim_end_matches('/') };
        places.insert(kept.into());
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let of = read(
            "[paths]\nvolatile = ['/srv/spool/', '/var/x']\nsensitive = ['/srv/keys/', '/home/*/token']\n",
        );
        let set = |places: [&str; 2]| places.map(Into::into).into();
        let expected = Settings {
            volatile: set(["/srv/spool", "/var/x"]),
            sensitive: set(["/srv/keys/", "/home/*/token"]),
        };
        assert_eq!(of, Ok(expected));
        assert_eq!(read(""), Ok(Settings::default()));
    }

    #[test]
    fn whatever_is_not_understood_is_refused() {
        for (text, says) in [
            ("[path]", "line 1: unknown field `path`"),
            ("[paths]\nvolatiles = []", "line 2: unknown field `volatiles`"),
            ("[paths]\nvolatile = 'x'", "line 2: "),
            ("[paths", "line 1: "),
            ("[paths]\nvolatile = ['tmp']", "\"tmp\": expected an absolute path"),
            ("[paths]\nvolatile = ['/']", "\"/\": expected"),
            ("[paths]\nvolatile = ['/a/../b']", "\"/a/../b\": expected"),
            ("[paths]\nvolatile = ['/a/*']", "\"/a/*\": expected"),
            ("[paths]\nsensitive = ['/a/x*']", "or * for one name"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

//! Where the files are that includes name.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use super::ast::IncludeName;

/// So large may a file be.
const LARGEST: u64 = 8 << 20;

/// Where the files are that includes name.
pub trait Includes {
    /// The files that a name stands for, each with the name that errors tell: one, or those of a directory in the order of their
    /// names. `None` where there is nothing.
    ///
    /// # Errors
    /// With the reason, when there is something that can't be read.
    fn find(&self, name: &IncludeName) -> Result<Option<Vec<Found>>, String>;
}

/// A file that is included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What errors call it, and what tells whether it was read already.
    pub name: String,
    /// What is in it.
    pub text: Vec<u8>,
}

/// A directory as `apparmor_parser` takes one: `<…>` is in it, and `"…"` an absolute path.
///
/// Only regular files of 8 MiB at most are read. Of a directory's files those are left out that `apparmor_parser` leaves out: hidden ones, `README`, and
/// what editors and package managers leave behind; directories in it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    base: PathBuf,
}

impl Directory {
    /// With another base directory than the usual one.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }
}

impl Default for Directory {
    /// `/etc/apparmor.d`, as apparmor.d(5) has it.
    fn default() -> Self {
        Self::new("/etc/apparmor.d")
    }
}

impl Includes for Directory {
    fn find(&self, name: &IncludeName) -> Result<Option<Vec<Found>>, String> {
        let path = match name {
            // `</etc/x>` is below the base directory too.
            IncludeName::Magic(name) => self.base.join(name.trim_start_matches('/')),
            IncludeName::Path(name) if name.starts_with('/') => PathBuf::from(name),
            IncludeName::Path(_) => {
                return Err(
                    "it is relative to wherever the parser runs: write <…> or an absolute path"
                        .to_owned(),
                );
            }
        };
        let path = plain(&path);
        let kind = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        if !kind.is_dir() {
            return Ok(Some(vec![read(&path)?]));
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(|error| error.to_string())? {
            names.push(entry.map_err(|error| error.to_string())?.path());
        }
        names.sort();
        let is_read = |path: &&PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            name.is_some_and(|name| !is_left_out(&name)) && path.is_file()
        };
        names.iter().filter(is_read).map(|path| read(path)).collect::<Result<_, _>>().map(Some)
    }
}

/// Without `.` and `..`, where these say nothing of links.
fn plain(path: &Path) -> PathBuf {
    let is_here = |component: &Component<'_>| matches!(component, Component::CurDir);
    path.components().filter(|component| !is_here(component)).collect()
}

fn read(path: &Path) -> Result<Found, String> {
    let tell = |error: std::io::Error| format!("{}: {error}", path.display());
    // A FIFO or a device would never end.
    if !std::fs::metadata(path).map_err(tell)?.is_file() {
        return Err(format!("{} is no regular file", path.display()));
    }
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(tell)?;
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(tell)?;
    if text.len() as u64 > LARGEST {
        return Err(format!("{} is larger than {LARGEST} bytes", path.display()));
    }
    Ok(Found { name: path.display().to_string(), text })
}

/// Names that `apparmor_parser` passes over in a directory, as it says itself ("Ignoring: …").
pub fn is_left_out(name: &str) -> bool {
    const ENDINGS: [&str; 12] = [
        ".dpkg-new",
        ".dpkg-old",
        ".dpkg-dist",
        ".dpkg-bak",
        ".dpkg-remove",
        ".pacsave",
        ".pacnew",
        ".rpmnew",
        ".rpmsave",
        ".orig",
        ".rej",
        "~",
    ];
    name.starts_with('.') || name == "README" || ENDINGS.iter().any(|end| name.ends_with(end))
}

/// Files by the name that stands between `<` and `>`: for texts that have no directory.
impl Includes for BTreeMap<String, Vec<u8>> {
    fn find(&self, name: &IncludeName) -> Result<Option<Vec<Found>>, String> {
        let (IncludeName::Magic(name) | IncludeName::Path(name)) = name;
        let found =
            |(name, text): (&String, &Vec<u8>)| Found { name: name.clone(), text: text.clone() };
        if let Some(one) = self.get_key_value(name) {
            return Ok(Some(vec![found(one)]));
        }
        let is_in = |file: &str| {
            let below = file.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('/'));
            below.is_some_and(|rest| !rest.contains('/') && !is_left_out(rest))
        };
        let all: Vec<Found> = self.iter().filter(|(file, _)| is_in(file)).map(found).collect();
        Ok(Some(all).filter(|all| !all.is_empty()))
    }
}

//! Files that appear whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is written beside its place, and put there when it is finished. Dropped before, it leaves nothing.
///
/// What was there is replaced when it is a regular file; anything else (a directory, a device, a pipe) is left alone. A
/// symbolic link stays, and the file that it leads to is replaced.
#[derive(Debug)]
pub struct WholeFile {
    file: NamedTempFile<File>,
    place: PathBuf,
}

impl WholeFile {
    /// Starts a file.
    ///
    /// # Errors
    /// When its directory can't be written, or something other than a regular file is in its place.
    pub fn create(path: &Path) -> io::Result<Self> {
        let place = place(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o644);
        let file = tempfile::Builder::new()
            .prefix(".learn-")
            .make_in(beside(&place), |path| options.open(path))?;
        Ok(Self { file, place })
    }

    /// Whether a file could be written here, by starting one.
    ///
    /// # Errors
    /// As [`WholeFile::create`].
    pub fn check(path: &Path) -> io::Result<()> {
        Self::create(path).map(drop)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When the system can't write or move it.
    pub fn finish(self) -> io::Result<()> {
        // Before the name: a crash must not leave a whole name with half a file.
        self.file.as_file().sync_all()?;
        self.file.persist(&self.place).map_err(|e| e.error)?;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The directory that something is in.
pub fn beside(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The reason without the temporary directory's name, which tells a user nothing.
pub(crate) fn without_path(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other => error,
        kind => kind.into(),
    }
}

fn place(path: &Path) -> io::Result<PathBuf> {
    if path.file_name().is_none() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let place = if path.is_symlink() { path.canonicalize()? } else { path.to_owned() };
    match std::fs::metadata(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(place),
        Err(error) => Err(error),
        Ok(found) if found.is_file() => Ok(place),
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appears_when_it_is_finished_and_not_before() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("file");
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        drop(WholeFile::create(&path).unwrap());
        assert_eq!(std::fs::read_dir(room.path()).unwrap().count(), 1);
    }

    #[test]
    fn replaces_nothing_but_files() {
        let room = tempfile::tempdir().unwrap();
        for place in [Path::new("/dev/null"), room.path(), Path::new("/"), Path::new("..")] {
            assert!(WholeFile::check(place).is_err(), "{}", place.display());
        }
        let missing = WholeFile::check(&room.path().join("no/file")).unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(2), "{missing}");
    }

    #[test]
    fn writes_through_a_symbolic_link() {
        let room = tempfile::tempdir().unwrap();
        let (path, link) = (room.path().join("file"), room.path().join("link"));
        std::fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        let mut file = WholeFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }
}

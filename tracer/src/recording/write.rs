//! Writing a recording: whole or not at all.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Completion, End, Footer, Header, Line, Recording, UNCHECKED, digits};
use crate::whole::WholeFile;

/// Why a recording could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write the recording {path}: {source}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Compression by the file's ending.
enum Output {
    Plain(BufWriter<WholeFile>),
    Zstd(Box<zstd::Encoder<'static, BufWriter<WholeFile>>>),
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(w) => w.write(buf),
            Self::Zstd(w) => w.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(w) => w.flush(),
            Self::Zstd(w) => w.flush(),
        }
    }
}

/// Writes a recording line by line into a temporary file beside its target, which appears when it is finished.
///
/// The caller gives the lines in order. A path that ends in `.zst` is compressed. When the writer is dropped before
/// [`Writer::finish`], nothing remains.
pub struct Writer {
    output: Output,
    path: PathBuf,
    digest: Sha256,
    facts: u64,
}

impl Writer {
    /// Starts a file with its header.
    ///
    /// # Errors
    /// When the directory can't be written, or something other than a regular file is in the file's place.
    pub fn create(path: &Path, header: &Header) -> Result<Self, WriteError> {
        let fail = |source| WriteError { path: path.to_owned(), source };
        let file = WholeFile::create(path).map_err(fail)?;
        let buffer = BufWriter::with_capacity(1 << 16, file);
        let output = if path.extension().is_some_and(|e| e == "zst") {
            Output::Zstd(Box::new(zstd::Encoder::new(buffer, 3).map_err(fail)?))
        } else {
            Output::Plain(buffer)
        };
        let mut writer = Self { output, path: path.to_owned(), digest: Sha256::new(), facts: 0 };
        writer.json(header)?;
        Ok(writer)
    }

    /// Adds a fact's line.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn line(&mut self, line: &Line) -> Result<(), WriteError> {
        self.facts += 1;
        self.json(line)
    }

    /// Adds the footer, and puts the file in its place.
    ///
    /// # Errors
    /// When the file can't be written or moved.
    pub fn finish(mut self, runs: BTreeMap<String, Completion>) -> Result<(), WriteError> {
        let end = End { facts: self.facts, runs, sha256: "0".repeat(64) };
        let mut footer = Footer { end };
        let text = self.text(&footer)?;
        self.digest.update(&text[..text.len() - UNCHECKED]);
        footer.end.sha256 = digits(self.digest.clone());
        let text = self.text(&footer)?;
        self.write(&text)?;
        let path = self.path;
        let fail = |source| WriteError { path: path.clone(), source };
        let buffer = match self.output {
            Output::Plain(buffer) => buffer,
            Output::Zstd(encoder) => encoder.finish().map_err(fail)?,
        };
        let file = buffer.into_inner().map_err(|e| fail(e.into_error()))?;
        file.finish().map_err(fail)
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Result<(), WriteError> {
        let text = self.text(value)?;
        self.digest.update(&text);
        self.write(&text)
    }

    fn text(&self, value: &impl serde::Serialize) -> Result<Vec<u8>, WriteError> {
        let fail = |e: serde_json::Error| WriteError { path: self.path.clone(), source: e.into() };
        let mut text = serde_json::to_vec(value).map_err(fail)?;
        text.push(b'\n');
        Ok(text)
    }

    fn write(&mut self, text: &[u8]) -> Result<(), WriteError> {
        let fail = |source| WriteError { path: self.path.clone(), source };
        self.output.write_all(text).map_err(fail)
    }
}

/// Writes a recording that is in memory.
///
/// # Errors
/// As [`Writer`] does.
pub fn write_file(path: &Path, recording: &Recording) -> Result<(), WriteError> {
    let mut writer = Writer::create(path, &recording.header())?;
    for line in recording.lines() {
        writer.line(line)?;
    }
    writer.finish(recording.completions.clone())
}

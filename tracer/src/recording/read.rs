//! Reading a recording, line by line, from anyone: nothing is trusted, and every complaint names the line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::share::Shared;
use super::version1::{self, Line1, Names};
use super::{AFTER_CHECKSUM, End, FORMAT, Fact, Footer, Header, Line, UNCHECKED, VERSION, digits};

/// The longest line that is read, in bytes. A fact holds at most two paths; a header holds one entry a run.
const LONGEST_LINE: u64 = 64 << 20;

/// Why a recording could not be read. Every message begins with the file and, where there is one, the line.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The first line is no header.
    #[error(
        "{path}:1: not a recording: expected a header line with \"format\":\"{FORMAT}\"; make one with `learn record`"
    )]
    NotARecording {
        /// The file.
        path: PathBuf,
    },
    /// A newer `learn` wrote it.
    #[error(
        "{path}:1: recording format {found} is newer than {VERSION}, the newest that this learn reads; update learn"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u64,
    },
    /// The footer is missing.
    #[error(
        "{path}:{line}: the recording is truncated: expected a footer line; record again, or copy the file again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The line where the file ends.
        line: u64,
    },
    /// A line is not what it should be.
    #[error("{path}:{line}: {what}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}

/// A file's text. zstd is recognised by its magic number.
fn input(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let zstd = file.fill_buf()?.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    Ok(if zstd {
        Box::new(BufReader::new(zstd::Decoder::with_buffer(file)?))
    } else {
        Box::new(file)
    })
}

/// A recording file that is being read.
pub struct Reader {
    input: Box<dyn BufRead>,
    path: PathBuf,
    header: Header,
    /// The units of a file of version 1.
    names: Option<Names>,
    /// What lines before had too.
    shared: Shared,
    digest: Sha256,
    line: u64,
    facts: u64,
    last: Vec<u8>,
    key_end: usize,
    spelled: Vec<u8>,
    end: Option<End>,
    buffer: Vec<u8>,
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let fail = |source| ReadError::Io { path: path.to_owned(), source };
        let mut reader = Self {
            input: input(path).map_err(fail)?,
            path: path.to_owned(),
            header: Header::new(Default::default()),
            names: None,
            shared: Shared::default(),
            digest: Sha256::new(),
            line: 0,
            facts: 0,
            last: Vec::new(),
            key_end: 0,
            spelled: Vec::new(),
            end: None,
            buffer: Vec::new(),
        };
        let path = || path.to_owned();
        if !reader.fetch()? {
            return Err(ReadError::NotARecording { path: path() });
        }
        let value: serde_json::Value = serde_json::from_slice(&reader.buffer)
            .map_err(|_not_json| ReadError::NotARecording { path: path() })?;
        if value.get("format").and_then(|f| f.as_str()) != Some(FORMAT) {
            return Err(ReadError::NotARecording { path: path() });
        }
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(VERSION) => {
                return Err(ReadError::Newer { path: path(), found });
            }
            Some(_) => {}
            None => return Err(reader.malformed("the header has no version number")),
        }
        drop(value);
        reader.header = serde_json::from_slice(&reader.buffer).map_err(|e| reader.malformed(e))?;
        reader.spelled = serde_json::to_vec(&reader.header).unwrap_or_default();
        reader.expect_spelling()?;
        reader.digest.update(&reader.buffer);
        if reader.header.version == 1 {
            if reader.header.runs.values().any(|run| !run.units.is_empty()) {
                return Err(reader.malformed("version 1 has no units in its header"));
            }
            let names = version1::names(input(&reader.path).map_err(fail)?);
            for (id, names) in &names {
                if let Some(run) = reader.header.runs.get_mut(id) {
                    run.units.clone_from(names);
                }
            }
            reader.names = Some(names);
        }
        Ok(reader)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next fact, or `None` when the footer has been read and found true.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn next_line(&mut self) -> Result<Option<Line>, ReadError> {
        if self.end.is_some() {
            return Ok(None);
        }
        if !self.fetch()? || self.buffer.last() != Some(&b'\n') {
            return Err(ReadError::Truncated { path: self.path.clone(), line: self.line });
        }
        if self.buffer.starts_with(b"{\"end\":") {
            self.read_footer()?;
            return Ok(None);
        }
        let line = self.read_line()?;
        if self.buffer[..self.key_end] <= self.last[..] && self.facts > 0 {
            return Err(
                self.malformed("facts are not sorted: expected each fact once, in byte order")
            );
        }
        if line.runs.is_empty() {
            return Err(self.malformed("no run saw this fact: expected at least one in \"runs\""));
        }
        if let Some(id) = line.runs.keys().find(|id| !self.header.runs.contains_key(id.as_str())) {
            return Err(self.malformed(format!("run {id:?} is not in the header")));
        }
        let unknown = |id: &str, seen: &super::Seen| {
            let names = self.header.runs.get(id).map_or(0, |run| run.units.len());
            seen.units.last().is_some_and(|last| last as usize >= names)
        };
        if let Some((id, _)) = line.runs.iter().find(|(id, seen)| unknown(id, seen)) {
            return Err(self.malformed(format!(
                "run {id:?} has fewer units in the header than this fact says"
            )));
        }
        self.last.clear();
        self.last.extend_from_slice(&self.buffer[..self.key_end]);
        self.facts += 1;
        self.digest.update(&self.buffer);
        Ok(Some(self.shared.share(line)))
    }

    /// The bytes by which the fact that was read last is ordered: its line up to what the runs saw.
    pub fn key(&self) -> &[u8] {
        &self.last
    }

    /// How the runs ended; reads what is left of the file first.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn end(mut self) -> Result<End, ReadError> {
        while self.next_line()?.is_some() {}
        let path = self.path;
        self.end.ok_or(ReadError::Truncated { path, line: self.line })
    }

    fn read_footer(&mut self) -> Result<(), ReadError> {
        let footer: Footer = serde_json::from_slice(&self.buffer).map_err(|e| self.malformed(e))?;
        self.spelled = serde_json::to_vec(&footer).unwrap_or_default();
        self.expect_spelling()?;
        let end = footer.end;
        if end.facts != self.facts {
            let what =
                format!("the footer counts {} facts, the file has {}", end.facts, self.facts);
            return Err(self.malformed(what));
        }
        if !self.buffer.ends_with(AFTER_CHECKSUM) || self.buffer.len() < UNCHECKED {
            return Err(self.malformed("expected the checksum to end the footer"));
        }
        self.digest.update(&self.buffer[..self.buffer.len() - UNCHECKED]);
        let sha256 = digits(self.digest.clone());
        if end.sha256 != sha256 {
            return Err(
                self.malformed("the checksum does not match: the file was changed or damaged")
            );
        }
        if !end.runs.keys().eq(self.header.runs.keys()) {
            return Err(self.malformed("the footer's runs are not the header's"));
        }
        if self.fetch()? {
            return Err(self.malformed("expected the file to end after its footer"));
        }
        self.end = Some(end);
        Ok(())
    }

    /// Reads the buffer's line of a fact, and checks its spelling.
    fn read_line(&mut self) -> Result<Line, ReadError> {
        let Some(names) = self.names.take() else {
            let line: Line = serde_json::from_slice(&self.buffer).map_err(|e| self.malformed(e))?;
            self.check_spelling(&line.fact, &line.runs)?;
            return Ok(line);
        };
        let line: Line1 = serde_json::from_slice(&self.buffer).map_err(|e| self.malformed(e))?;
        self.check_spelling(&line.fact(), &line.runs)?;
        let line = line.now(&names);
        self.names = Some(names);
        Ok(line)
    }

    /// Spells the line again, and notes where its fact ends.
    fn check_spelling(&mut self, fact: &Fact, runs: &impl Serialize) -> Result<(), ReadError> {
        self.spelled.clear();
        serde_json::to_writer(&mut self.spelled, fact).map_err(|e| self.malformed(e))?;
        // The fact's closing brace is the line's comma.
        self.spelled.pop();
        self.key_end = self.spelled.len();
        self.spelled.extend_from_slice(b",\"runs\":");
        serde_json::to_writer(&mut self.spelled, runs).map_err(|e| self.malformed(e))?;
        self.spelled.push(b'}');
        self.expect_spelling()
    }

    /// The line must be the one spelling of what it says: the order of lines is then the order of facts, and nothing in it
    /// is overlooked.
    fn expect_spelling(&self) -> Result<(), ReadError> {
        match self.buffer.split_last() {
            Some((b'\n', line)) if line == self.spelled => Ok(()),
            Some((b'\n', _)) => Err(self.malformed(
                "not the canonical spelling: expected no space, each field once, in the order of the format",
            )),
            _ => Err(ReadError::Truncated { path: self.path.clone(), line: self.line }),
        }
    }

    /// Reads a line with its end into the buffer; `false` at the end of the file.
    fn fetch(&mut self) -> Result<bool, ReadError> {
        self.buffer.clear();
        self.line += 1;
        let mut limited = (&mut self.input).take(LONGEST_LINE);
        let read =
            limited.read_until(b'\n', &mut self.buffer).map_err(|source| match source.kind() {
                io::ErrorKind::UnexpectedEof => {
                    ReadError::Truncated { path: self.path.clone(), line: self.line }
                }
                _ => ReadError::Io { path: self.path.clone(), source },
            })?;
        if read as u64 == LONGEST_LINE {
            return Err(self.malformed(format!("the line is longer than {LONGEST_LINE} bytes")));
        }
        Ok(read > 0)
    }

    fn malformed(&self, what: impl std::fmt::Display) -> ReadError {
        ReadError::Malformed { path: self.path.clone(), line: self.line, what: what.to_string() }
    }
}

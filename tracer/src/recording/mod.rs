//! The recording: facts with evidence, from one or more runs, and its file format.
//!
//! A recording file is sorted JSON Lines, described in `docs/recording.md`: a header, one fact a line, a footer. The
//! lines of facts stand in byte order, so that any tool that sorts and merges lines can process recordings of any size.
//!
//! - [`fact`]: what can be seen, and the evidence kept of it
//! - `few`: maps and sets of few entries
//! - `order`: the order of facts, without their spelling
//! - [`run`]: what a recording says of the runs that it holds, their fidelity and their losses
//! - [`store`]: a recording in memory, as recorders build it
//! - `table`: the facts of a recording in memory
//! - [`units`]: sets of a run's units
//! - [`write`]: to a file, whole or not at all
//! - [`read`]: from a file, streaming, trusting nothing
//! - `share`: what many lines of a file say is kept once
//! - [`merge`]: many files into one, in constant memory
//! - `version1`: what older files look like
//! - [`summary`]: what a recording says, for a person

mod bytes;
pub mod fact;
mod few;
pub mod merge;
mod order;
pub mod read;
pub mod run;
mod share;
pub mod store;
pub mod summary;
mod table;
pub mod units;
mod version1;
pub mod write;

pub use bytes::{ByteString, EscapeError};
pub use fact::{Access, Args, Fact, Origin, Phase, Seen, SocketAction, What, Witness};
pub use few::{Few, FewMap, FewSet};
pub use merge::{MergeError, merge, read_all};
pub use read::{ReadError, Reader};
pub use run::{Completion, Degree, FactKind, Fidelity, Run};
pub use store::Recording;
pub use summary::Summary;
pub use units::Units;
pub use write::{WriteError, Writer, write_file};

use std::collections::BTreeMap;

use ecow::EcoString;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize};

/// The value of `format` in a header line.
pub const FORMAT: &str = "learn-recording";
/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 2;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Name and version of the writer.
    pub tool: String,
    /// The runs, by identifier.
    pub runs: BTreeMap<String, Run>,
}

impl Header {
    /// A header of this version, for these runs.
    pub fn new(runs: BTreeMap<String, Run>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            tool: concat!("learn ", env!("CARGO_PKG_VERSION")).to_owned(),
            runs,
        }
    }
}

/// What each run saw of a fact, by the run's identifier. Most facts have one run, and there may be a million facts: a tree would have
/// room for eleven in each. All facts share the identifiers.
pub type Runs = FewMap<EcoString, Seen>;

/// In at least one run it succeeded.
pub fn succeeded(runs: &Runs) -> bool {
    runs.values().any(|seen| seen.succeeded())
}

/// A line of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "FlatLine")]
pub struct Line {
    /// The fact; its fields come first in the line.
    pub fact: Fact,
    /// What each run saw of it, by the run's identifier.
    pub runs: Runs,
}

/// A line's fields as they stand in the file. serde's `flatten` would read each line twice, and let unknown fields pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatLine {
    domain: ByteString,
    origin: Origin,
    what: What,
    runs: Runs,
}

impl From<FlatLine> for Line {
    fn from(FlatLine { domain, origin, what, runs }: FlatLine) -> Self {
        Self { fact: Fact { domain, origin, what }, runs }
    }
}

impl Serialize for Line {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Fact { domain, origin, what } = &self.fact;
        let mut line = serializer.serialize_struct("Line", 4)?;
        line.serialize_field("domain", domain)?;
        line.serialize_field("origin", origin)?;
        line.serialize_field("what", what)?;
        line.serialize_field("runs", &self.runs)?;
        line.end()
    }
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footer {
    /// What there is to say of the end.
    pub end: End,
}

/// What the last line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many lines of facts stand before.
    pub facts: u64,
    /// How each run ended.
    pub runs: BTreeMap<String, Completion>,
    /// SHA-256 of every byte of the file before these 64 hexadecimal digits.
    pub sha256: String,
}

/// What follows the checksum's digits at the end of a file.
const AFTER_CHECKSUM: &[u8] = b"\"}}\n";

/// How many bytes at the end of a file the checksum does not cover: its own digits and what closes the line.
const UNCHECKED: usize = 64 + AFTER_CHECKSUM.len();

/// A checksum's digits.
fn digits(digest: sha2::Sha256) -> String {
    use sha2::Digest;
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that order facts in a file: the fact's JSON.
///
/// Each field's JSON delimits itself, so no key is the beginning of another, and the order of the keys is the order of
/// the lines that begin with them.
pub fn key(fact: &Fact) -> Vec<u8> {
    // The types hold nothing that serde_json could refuse (no maps with keys that are not strings or numbers).
    serde_json::to_vec(fact).unwrap_or_default()
}

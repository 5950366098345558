//! Merging: the union of recordings, streaming, in memory that does not grow with their size.
//!
//! Merging is commutative, associative and idempotent: what two files say of the same run is joined, not added.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

use super::{Completion, Header, Line, ReadError, Reader, Recording, Run, WriteError, Writer};
use crate::whole;

/// Why recordings could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// An input is unusable.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Two different runs have one identifier.
    #[error(
        "{path}: run {id:?} differs from the run of the same identifier in another input; the files don't belong together"
    )]
    Conflict {
        /// The later file.
        path: PathBuf,
        /// The identifier.
        id: String,
    },
}

/// So many files are open at a time; systems allow 1024 or more (getrlimit(2), `RLIMIT_NOFILE`).
const MOST_OPEN: usize = 256;

/// Merges files into one, which appears whole or not at all. Returns the number of facts.
///
/// More files than can be open at a time are merged in groups first, in a directory beside the output that is removed again.
///
/// # Errors
/// See [`MergeError`]; nothing is written then.
pub fn merge(inputs: &[PathBuf], output: &Path) -> Result<u64, MergeError> {
    if inputs.len() <= MOST_OPEN {
        return merge_group(inputs, output);
    }
    let room =
        tempfile::Builder::new().prefix(".learn-").tempdir_in(whole::beside(output)).map_err(
            |source| WriteError { path: output.to_owned(), source: whole::without_path(source) },
        )?;
    // So that a conflict between groups names the user's file.
    let mut runs = BTreeMap::new();
    for path in inputs {
        add_runs(&mut runs, &Reader::open(path)?, path)?;
    }
    let mut groups = Vec::new();
    for group in inputs.chunks(MOST_OPEN) {
        let merged = room.path().join(format!("{}.zst", groups.len()));
        merge_group(group, &merged)?;
        groups.push(merged);
    }
    merge(&groups, output)
}

/// Joins files in memory, as [`merge`] does on disk.
///
/// # Errors
/// When an input is unusable, or two different runs have one identifier.
pub fn read_all(inputs: &[PathBuf]) -> Result<Recording, MergeError> {
    let mut all = Recording::new();
    for path in inputs {
        let one = Recording::read(path)?;
        if let Some((id, _)) = one
            .runs
            .iter()
            .find(|(id, run)| all.runs.get(*id).is_some_and(|known| !known.agrees(run)))
        {
            return Err(MergeError::Conflict { path: path.clone(), id: id.clone() });
        }
        if all.runs.is_empty() {
            all = one;
        } else {
            all.join(&one);
        }
    }
    Ok(all)
}

fn add_runs(
    runs: &mut BTreeMap<String, Run>,
    reader: &Reader,
    path: &Path,
) -> Result<(), MergeError> {
    for (id, run) in &reader.header().runs {
        let known = runs.entry(id.clone()).or_insert_with(|| run.clone());
        if !known.agrees(run) {
            return Err(MergeError::Conflict { path: path.to_owned(), id: id.clone() });
        }
        known.join(run);
    }
    Ok(())
}

fn merge_group(inputs: &[PathBuf], output: &Path) -> Result<u64, MergeError> {
    let mut readers = Vec::with_capacity(inputs.len());
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    for path in inputs {
        let reader = Reader::open(path)?;
        add_runs(&mut runs, &reader, path)?;
        readers.push(reader);
    }
    let mut writer = Writer::create(output, &Header::new(runs))?;
    let facts = merge_lines(&mut readers, |line| Ok(writer.line(&line)?))?;
    let mut ends: BTreeMap<String, Completion> = BTreeMap::new();
    for reader in readers {
        for (id, completion) in reader.end()?.runs {
            ends.entry(id).and_modify(|known| known.join(&completion)).or_insert(completion);
        }
    }
    writer.finish(ends)?;
    Ok(facts)
}

/// The k-way merge itself: hands out each fact once, in order.
fn merge_lines(
    readers: &mut [Reader],
    mut give: impl FnMut(Line) -> Result<(), MergeError>,
) -> Result<u64, MergeError> {
    let mut heads: Vec<Option<Line>> = Vec::with_capacity(readers.len());
    let mut heap = BinaryHeap::new();
    for (i, reader) in readers.iter_mut().enumerate() {
        let line = reader.next_line()?;
        if line.is_some() {
            heap.push(Reverse((reader.key().to_vec(), i)));
        }
        heads.push(line);
    }
    let mut facts = 0;
    let mut current: Option<(Vec<u8>, Line)> = None;
    while let Some(Reverse((next, i))) = heap.pop() {
        let Some(line) = heads[i].take() else { continue };
        heads[i] = readers[i].next_line()?;
        if heads[i].is_some() {
            heap.push(Reverse((readers[i].key().to_vec(), i)));
        }
        match &mut current {
            Some((known, merged)) if *known == next => {
                for (id, seen) in line.runs {
                    merged.runs.entry(id).and_modify(|s| s.join(&seen)).or_insert(seen);
                }
            }
            _ => {
                if let Some((_, done)) = current.replace((next, line)) {
                    facts += 1;
                    give(done)?;
                }
            }
        }
    }
    if let Some((_, done)) = current {
        facts += 1;
        give(done)?;
    }
    Ok(facts)
}

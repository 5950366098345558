//! What a recorder leaves behind when it is killed: the recording as it was a moment before, marked incomplete.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::recording::{Completion, Recording, WriteError, write_file};

/// The first one is written after so long.
const SOON: Duration = Duration::from_secs(1);
/// Writing takes at most this part of the recorder's time.
const SHARE: u32 = 20;

/// The reason that such a recording gives.
pub const UNFINISHED: &str = "the recorder was killed: what came after this moment is missing";

/// The name of what is left behind, beside the recording that was to be.
pub fn path_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Writes the recording now and then, beside the recorder's own work: disks take their time.
#[derive(Debug)]
pub(crate) struct PartFile {
    path: Option<PathBuf>,
    due: Instant,
    facts: usize,
    writing: Option<JoinHandle<Written>>,
}

/// How long it took, and why it failed.
type Written = (Duration, Result<(), WriteError>);

impl PartFile {
    /// To be written here; nowhere without a path.
    pub(crate) fn new(path: Option<&PathBuf>) -> Self {
        Self { path: path.cloned(), due: Instant::now() + SOON, facts: 0, writing: None }
    }

    /// It is time. What could not be written before is noted.
    pub(crate) fn is_due(&mut self, notes: &mut Completion) -> bool {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish(notes);
        }
        self.path.is_some() && self.writing.is_none() && Instant::now() >= self.due
    }

    /// Begins to write it, unless nothing is new.
    pub(crate) fn write(&mut self, mut recording: Recording) {
        let Some(path) = self.path.clone() else { return };
        self.due = Instant::now() + SOON;
        if recording.len() == self.facts {
            return;
        }
        self.facts = recording.len();
        for completion in recording.completions.values_mut() {
            completion.because(UNFINISHED);
        }
        self.writing = Some(std::thread::spawn(move || {
            let began = Instant::now();
            let written = write_file(&path, &recording);
            (began.elapsed(), written)
        }));
    }

    /// Waits for what is being written.
    fn finish(&mut self, notes: &mut Completion) {
        match self.writing.take().map(JoinHandle::join) {
            Some(Ok((took, Ok(())))) => self.due = Instant::now() + SOON.max(took * SHARE),
            Some(Ok((_, Err(error)))) => {
                notes.notes.insert(format!("no copy was kept while recording: {error}"));
                self.path = None;
            }
            // A thread that panicked has said so itself.
            Some(Err(_)) => self.path = None,
            None => {}
        }
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // Whoever removes the file in the end must not see it come back.
        self.finish(&mut Completion::complete());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_that_it_is_one() {
        let place = tempfile::tempdir().unwrap();
        let path = path_of(&place.path().join("r.jsonl.zst"));
        assert!(path.ends_with("r.jsonl.zst.part"));
        let mut completion = Completion::complete();
        let mut part = PartFile::new(Some(&path));
        assert!(!part.is_due(&mut completion));
        let mut recording = Recording::new();
        recording.completions.insert("1".to_owned(), Completion::complete());
        recording.runs.insert(
            "1".to_owned(),
            crate::run::describe(&Default::default(), "ptrace", Default::default(), [], &[]),
        );
        part.facts = 1;
        part.write(recording);
        part.finish(&mut completion);
        let read = Recording::read(&path).unwrap();
        assert!(!read.complete() && completion.notes.is_empty());
    }

    #[test]
    fn what_can_not_be_written_is_noted() {
        let path = PathBuf::from("/dev/null/x.part");
        let mut part = PartFile::new(Some(&path));
        part.facts = 1;
        let mut completion = Completion::complete();
        part.write(Recording::new());
        part.finish(&mut completion);
        assert_eq!(completion.notes.len(), 1);
        assert!(completion.complete && !part.is_due(&mut completion));
    }
}

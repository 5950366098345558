//! Marks: a test harness tells the recorder that a unit or a phase begins.
//!
//! A stream socket in the file system, so that a bind mount takes it into a container. Each connection brings one line, and gets one
//! when the mark is in effect: what the harness does from then on is of the new unit. docs/units.md describes both.

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::recording::Phase;
use crate::tick;

/// The environment's variable with the socket's path.
pub const VARIABLE: &str = "LEARN_SOCKET";
/// The answer to a mark that is in effect.
const DONE: &str = "ok";
/// The longest line that is read, and the longest name.
const LONGEST: usize = 8192;
const LONGEST_NAME: usize = 1024;
/// So long a harness may take to say what it marks, and to hear the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often a recorder that waits for the kernel is woken until it has looked.
const KNOCKS_EVERY: Duration = Duration::from_millis(2);

/// What a harness says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// A unit begins; the one before ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// A phase begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
}

/// Why a mark was not made.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// Nobody listens there.
    #[error("{path}: {source}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The recorder said why not.
    #[error("{path}: the recorder refuses the mark: {why}")]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Its words.
        why: String,
    },
}

impl Mark {
    /// Reads a line.
    fn read(line: &str) -> Result<Self, String> {
        let mark: Self = serde_json::from_str(line).map_err(|error| {
            format!(
                "{error}; expected a line as {{\"unit\":\"NAME\"}}, with \"phase\" or with both"
            )
        })?;
        match &mark.unit {
            None if mark.phase.is_none() => Err("it names neither a unit nor a phase".to_owned()),
            Some(unit) if unit.is_empty() => Err("a unit's name is empty".to_owned()),
            Some(unit) if unit.len() > LONGEST_NAME => {
                Err(format!("a unit's name is longer than {LONGEST_NAME} bytes"))
            }
            _ => Ok(mark),
        }
    }

    /// Tells a recorder, and returns when the mark is in effect.
    ///
    /// # Errors
    /// When nobody listens at `path`, or the recorder refuses.
    pub fn send(&self, path: &Path) -> Result<(), MarkError> {
        let fail = |source| MarkError::Unreachable { path: path.to_owned(), source };
        let mut stream = UnixStream::connect(path).map_err(fail)?;
        let mut line = serde_json::to_string(self).map_err(|e| fail(e.into()))?;
        line.push('\n');
        stream.write_all(line.as_bytes()).map_err(fail)?;
        let mut answer = String::new();
        stream.take(LONGEST as u64).read_to_string(&mut answer).map_err(fail)?;
        match answer.trim_end() {
            DONE => Ok(()),
            "" => {
                Err(fail(io::Error::new(io::ErrorKind::UnexpectedEof, "the recording has ended")))
            }
            why => Err(MarkError::Refused { path: path.to_owned(), why: why.to_owned() }),
        }
    }
}

/// A mark that waits to be put into effect, and so does whoever made it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) mark: Mark,
    done: SyncSender<()>,
}

impl Waiting {
    /// It is in effect.
    pub(crate) fn done(self) {
        let _gone = self.done.send(());
    }
}

/// The recorder's end.
#[derive(Debug)]
pub(crate) struct Marks {
    path: PathBuf,
    /// A directory of its own, removed in the end.
    _own: Option<tempfile::TempDir>,
    waiting: Option<Receiver<Waiting>>,
    /// The thread to wake, once there is one.
    wake: Arc<AtomicI32>,
}

impl Marks {
    /// Listens at a path where nothing is yet, open to whoever reaches it; or in a directory of its own, open to this user.
    pub(crate) fn listen(at: Option<&Path>) -> io::Result<Self> {
        let (own, path) = match at {
            Some(path) => (None, std::path::absolute(path)?),
            None => {
                let own = tempfile::Builder::new().prefix("learn-").tempdir()?;
                let path = own.path().join("socket");
                (Some(own), path)
            }
        };
        let listener = UnixListener::bind(&path)?;
        if own.is_none() {
            std::fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        }
        let (give, waiting) = sync_channel(1);
        let wake = Arc::new(AtomicI32::new(0));
        let knock = Arc::clone(&wake);
        std::thread::spawn(move || serve(&listener, &give, &knock));
        Ok(Self { path, _own: own, waiting: Some(waiting), wake })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on this thread is woken for a mark, by the signal of the ptrace backend's timer.
    pub(crate) fn wake_this_thread(&self) {
        self.wake.store(nix::unistd::gettid().as_raw(), Ordering::Relaxed);
    }

    /// The next mark that waits, if any.
    pub(crate) fn next(&self) -> Option<Waiting> {
        self.waiting.as_ref()?.try_recv().ok()
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        // Who waits is told that the recording has ended; a last connection wakes the thread, which sees that nobody takes marks.
        self.waiting = None;
        // Nobody waits for the thread: a harness might keep it for as long as it likes.
        let _gone = UnixStream::connect(&self.path);
        let _removed = std::fs::remove_file(&self.path);
    }
}

/// Takes connections one by one: marks have an order.
fn serve(listener: &UnixListener, give: &SyncSender<Waiting>, wake: &AtomicI32) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        match take(&stream, give, wake) {
            Ok(()) => {}
            Err(Refusal::Ended) => return,
            Err(Refusal::Because(why)) => {
                let _gone = answer(&stream, &format!("error: {why}"));
            }
        }
    }
}

enum Refusal {
    Ended,
    Because(String),
}

fn take(stream: &UnixStream, give: &SyncSender<Waiting>, wake: &AtomicI32) -> Result<(), Refusal> {
    let because = |error: io::Error| Refusal::Because(error.to_string());
    stream.set_read_timeout(Some(PATIENCE)).map_err(because)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(because)?;
    let line = line(stream).map_err(because)?;
    // The connection that ends the thread says nothing: all that matters then is whether anybody takes marks.
    let mark = if line.is_empty() {
        Mark::default()
    } else {
        Mark::read(&line).map_err(Refusal::Because)?
    };
    let (done, wait) = sync_channel(1);
    // There is room: the mark before was waited for.
    give.send(Waiting { mark, done }).map_err(|_nobody| Refusal::Ended)?;
    loop {
        knock(wake);
        match wait.recv_timeout(KNOCKS_EVERY) {
            Ok(()) => {
                let _gone = answer(stream, DONE);
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Refusal::Ended),
        }
    }
}

/// A line, or what comes instead of one within the time that there is.
fn line(mut stream: &UnixStream) -> io::Result<String> {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let mut byte = [0];
    while bytes.len() < LONGEST && stream.read(&mut byte)? > 0 && byte != *b"\n" {
        bytes.push(byte[0]);
        if began.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Interrupts what the recorder waits for. One that looks by itself has not asked for it.
fn knock(wake: &AtomicI32) {
    let thread = wake.load(Ordering::Relaxed);
    if thread != 0 {
        tick::interrupt(thread);
    }
}

fn answer(mut stream: &UnixStream, text: &str) -> io::Result<()> {
    stream.write_all(format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Serves marks until `count` have come, and gives back what came.
    fn recorder(marks: &Marks, count: usize) -> Vec<Mark> {
        let mut all = Vec::new();
        while all.len() < count {
            match marks.next() {
                Some(waiting) => {
                    all.push(waiting.mark.clone());
                    waiting.done();
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        all
    }

    #[test]
    fn a_mark_returns_when_it_is_in_effect() {
        let marks = Marks::listen(None).unwrap();
        let path = marks.path().to_owned();
        let harness = std::thread::spawn(move || {
            (0..20).for_each(|n| {
                Mark { unit: Some(format!("t{n}")), phase: None }.send(&path).unwrap()
            });
            Mark { unit: None, phase: Some(Phase::Serving) }.send(&path)
        });
        let all = recorder(&marks, 21);
        harness.join().unwrap().unwrap();
        let names: Vec<_> = all.iter().filter_map(|mark| mark.unit.clone()).collect();
        assert_eq!(names, (0..20).map(|n| format!("t{n}")).collect::<Vec<_>>());
        assert_eq!(all[20].phase, Some(Phase::Serving));
    }

    #[test]
    fn what_is_no_mark_is_refused() {
        let marks = Marks::listen(None).unwrap();
        for (line, says) in [
            ("{}", "neither"),
            ("{\"unit\":\"\"}", "empty"),
            ("{\"unit\":\"a\",\"more\":1}", "unknown field"),
            ("{\"phase\":\"begin\"}", "unknown variant"),
            ("a", "expected"),
            (&format!("{{\"unit\":\"{}\"}}", "x".repeat(1025)), "longer than 1024"),
        ] {
            let mut stream = UnixStream::connect(marks.path()).unwrap();
            stream.write_all(format!("{line}\n").as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("error: ") && answer.contains(says), "{line}: {answer}");
        }
        assert!(marks.next().is_none());
    }

    #[test]
    fn nobody_waits_for_a_recording_that_has_ended() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        let marks = Marks::listen(Some(&path)).unwrap();
        assert!(Marks::listen(Some(&path)).is_err(), "another's socket is not taken");
        let late = path.clone();
        let harness = std::thread::spawn(move || {
            Mark { unit: Some("a".to_owned()), phase: None }.send(&late)
        });
        std::thread::sleep(Duration::from_millis(30));
        drop(marks);
        assert!(harness.join().unwrap().is_err());
        assert!(!path.exists());
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in ".*") {
            let _read = Mark::read(&line);
        }
    }
}

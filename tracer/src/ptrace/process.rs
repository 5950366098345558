//! What the recorder knows of a traced process: how much its calls still teach.

use crate::procfs;

/// So many stops in a row have brought nothing new before known calls run free: a filter is for ever, so that what is not known by
/// then stops at each call.
const QUIET: u64 = 1000;
/// Or this part of all the stops, when that is more.
const PART: u64 = 4;
/// The kernel asks all of a task's filters at each call.
const MOST_FILTERS: u32 = 8;

/// A traced process.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    /// Stops at calls since it began to run its program.
    stops: u64,
    /// Those since the last that brought something new.
    quiet: u64,
    /// One of them brought something new.
    taught: bool,
    /// Others have run its program to the end, and brought nothing new.
    known_program: bool,
    /// Filters that each of its threads has, as procfs counts them; `None` where it does not (before Linux 5.9).
    filters: Option<u32>,
    /// One of them is the recorder's: without it, most calls would fail.
    needs_recorder: bool,
    /// One of them notifies of calls on files.
    notifies: bool,
    /// Files that its calls named since the last that brought something new: those that were known, and others.
    files: [u64; 2],
    /// The address of an empty name that it has looked at descriptors by.
    pub(super) empty_name: Option<u64>,
    /// It has made processes: those of a shell or a build may be anything, and are not to inherit what it knows.
    launches: bool,
    /// Its known calls run free.
    free: bool,
    /// It is observed to its end: it has filters that are not the recorder's, or takes none.
    observed: bool,
}

impl Process {
    /// A process that runs the recorded command. One that a filter limits already is not to be given another.
    pub(super) fn command(pid: u32) -> Self {
        let filters = filters(pid);
        Self { filters, observed: filters != Some(0), ..Self::default() }
    }

    /// A process whose maker is gone; `given` when some process has been given a filter by then.
    pub(super) fn orphan(pid: u32, given: bool) -> Self {
        let command = Self::command(pid);
        Self { needs_recorder: given && command.observed, ..command }
    }

    /// A process that a thread of this one has made. Whether it was before the last filter came, the kernel knows.
    pub(super) fn child(&self, pid: u32) -> Self {
        let filters = filters(pid);
        Self {
            filters,
            needs_recorder: self.needs_recorder && filters != Some(0),
            notifies: self.notifies && filters != Some(0),
            free: self.free && filters == self.filters,
            observed: self.observed,
            ..Self::default()
        }
    }

    /// It makes a process.
    pub(super) fn launches(&mut self) {
        self.launches = true;
    }

    /// A thread of it appears.
    pub(super) fn joined_by(&mut self, tid: u32) {
        if filters(tid) != self.filters {
            self.observe_to_the_end();
        }
    }

    /// It stopped at a call.
    pub(super) fn stopped(&mut self, new: bool) {
        self.stops += 1;
        self.quiet = if new { 0 } else { self.quiet + 1 };
        self.taught |= new;
        if new {
            self.files = [0; 2];
        }
    }

    /// One of its calls named a file; `known` when that was known of it, so that the next need not be seen.
    pub(super) fn named_file(&mut self, known: bool) {
        self.files[usize::from(!known)] += 1;
    }

    /// Most of the files that it names are known: to be notified of them pays.
    pub(super) fn names_known_files(&self) -> bool {
        let [known, new] = self.files;
        known > 0 && known >= new
    }

    /// A filter notifies of its calls on files.
    pub(super) fn notifies(&self) -> bool {
        self.notifies
    }

    /// The time has come to let known calls run free.
    pub(super) fn is_quiet(&self) -> bool {
        !self.observed
            && !self.free
            && !self.launches
            && (self.quiet >= QUIET.max(self.stops / PART) || self.known_program && !self.taught)
            && self.filters.is_some_and(|filters| filters < MOST_FILTERS)
    }

    /// Known calls run free.
    pub(super) fn is_free(&self) -> bool {
        self.free
    }

    /// It can not run on without the recorder.
    pub(super) fn needs_recorder(&self) -> bool {
        self.needs_recorder
    }

    /// All its threads have been given a filter; `tid` is one of them.
    pub(super) fn filtered(&mut self, tid: u32, notifies: bool) {
        self.needs_recorder = true;
        self.notifies |= notifies;
        let expected = self.filters.map(|filters| filters + 1);
        self.filters = filters(tid);
        if self.filters == expected {
            self.free = true;
        } else {
            self.observe_to_the_end();
        }
    }

    /// Its calls so far have brought something new.
    pub(super) fn taught(&self) -> bool {
        self.taught
    }

    /// It begins to run a program that is known.
    pub(super) fn runs_known_program(&mut self) {
        self.known_program = true;
    }

    /// It runs another program, of which every call is to be seen again: other calls are known of it.
    pub(super) fn executes(&mut self) {
        self.stops = 0;
        self.quiet = 0;
        self.taught = false;
        self.known_program = false;
        self.files = [0; 2];
        self.empty_name = None;
        self.launches = false;
        self.free = false;
    }

    /// Every call is to be seen from now on. True when some were not seen.
    pub(super) fn observe_to_the_end(&mut self) -> bool {
        self.observed = true;
        std::mem::take(&mut self.free)
    }
}

fn filters(tid: u32) -> Option<u32> {
    let [filters] = procfs::status(tid, ["Seccomp_filters:"]);
    filters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> Process {
        Process { filters: Some(0), ..Process::default() }
    }

    #[test]
    fn long_silence_is_quiet_and_longer_after_much_noise() {
        let mut process = process();
        let mut stops = |count, new| {
            (0..count).for_each(|_| process.stopped(new));
            process.is_quiet()
        };
        assert!(!stops(QUIET - 1, false) && stops(1, false));
        assert!(!stops(8 * QUIET, true) && !stops(QUIET, false) && stops(2 * QUIET, false));
    }

    #[test]
    fn who_makes_processes_is_never_quiet() {
        let mut process = process();
        (0..QUIET).for_each(|_| process.stopped(false));
        assert!(process.is_quiet());
        process.launches();
        assert!(!process.is_quiet());
        // Another program may run in its place.
        process.executes();
        (0..QUIET).for_each(|_| process.stopped(false));
        assert!(process.is_quiet());
    }

    #[test]
    fn a_program_with_filters_of_its_own_is_never_quiet() {
        let mut process = process();
        (0..QUIET).for_each(|_| process.stopped(false));
        assert!(process.is_quiet());
        process.observe_to_the_end();
        (0..2 * QUIET).for_each(|_| process.stopped(false));
        assert!(!process.is_quiet());
    }
}

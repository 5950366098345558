//! What procfs says of a task (proc(5)).

use std::fs;

/// Numbers in a thread's `/proc/TID/status`, by the fields' names with their colons; `None` for what is not there.
pub(crate) fn status<const N: usize>(tid: u32, fields: [&str; N]) -> [Option<u32>; N] {
    fields_of(tid, fields, |number| number.parse().ok())
}

/// Sets of signals in a thread's `/proc/TID/status`, by the fields' names with their colons; `None` for what is not there.
pub(crate) fn signals<const N: usize>(tid: u32, fields: [&str; N]) -> [Option<u64>; N] {
    fields_of(tid, fields, |set| u64::from_str_radix(set, 16).ok())
}

fn fields_of<T, const N: usize>(
    tid: u32,
    fields: [&str; N],
    read: impl Fn(&str) -> Option<T>,
) -> [Option<T>; N] {
    let text = fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    fields.map(|field| text.lines().find_map(|line| read(line.strip_prefix(field)?.trim())))
}

/// The descriptors of a task that stands still, each with its file's flags; none of a task that is gone.
pub(crate) fn descriptors(tid: u32) -> Vec<(i32, u32)> {
    let all = fs::read_dir(format!("/proc/{tid}/fdinfo")).into_iter().flatten().flatten();
    let flags = |entry: &fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        let octal = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        u32::from_str_radix(octal.trim(), 8).ok()
    };
    all.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, flags(&entry)?)))
        .collect()
}

/// What stands at an address of a process does not change: it can't be written to, and nobody else writes the file behind it to there
/// who is not allowed to change programs.
pub(crate) fn is_constant(tid: u32, address: u64) -> bool {
    let text = fs::read_to_string(format!("/proc/{tid}/maps")).unwrap_or_default();
    text.lines().any(|line| {
        let mut fields = line.split(' ');
        let (Some(range), Some(rights)) = (fields.next(), fields.next()) else { return false };
        let Some((start, end)) = range.split_once('-') else { return false };
        let number = |hex| u64::from_str_radix(hex, 16).ok();
        number(start).is_some_and(|start| start <= address)
            && number(end).is_some_and(|end| address < end)
            && rights.starts_with("r-")
            && rights.ends_with('p')
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn texts_of_the_program_are_constant_and_its_memory_is_not() {
        static TEXT: &str = "a constant text";
        let own = std::process::id();
        let memory = TEXT.to_owned();
        assert!(is_constant(own, TEXT.as_ptr() as u64));
        assert!(!is_constant(own, memory.as_ptr() as u64) && !is_constant(own, 0));
    }

    #[test]
    fn open_files_are_listed_with_their_flags() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let file = fs::File::options().append(true).create(true).open(log).unwrap();
        let all = descriptors(std::process::id());
        let (_, flags) = all.into_iter().find(|(fd, _)| *fd == file.as_raw_fd()).unwrap();
        let wanted = libc::O_APPEND | libc::O_WRONLY;
        assert_eq!(
            flags & (libc::O_APPEND | libc::O_ACCMODE).cast_unsigned(),
            wanted.cast_unsigned()
        );
    }
}

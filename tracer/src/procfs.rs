//! What procfs says of a task (proc(5)).

/// Numbers in a thread's `/proc/TID/status`, by the fields' names with their colons; `None` for what is not there.
pub(crate) fn status<const N: usize>(tid: u32, fields: [&str; N]) -> [Option<u32>; N] {
    let text = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    fields.map(|field| text.lines().find_map(|l| l.strip_prefix(field)?.trim().parse().ok()))
}

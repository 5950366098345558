//! Calls that are under way when a recording ends: they have not returned, and may never, but a filter was asked about them.

use crate::abi::arguments;
use crate::decode::Call;
use crate::recording::Completion;

use super::facts;
use super::wire::{IN, Task};

/// The calls that tasks are in, by the task's place in the list. Arguments that mean something are read from procfs, where a
/// task that sleeps in a call shows them.
pub(super) fn calls(left: &[(u32, Task)], completion: &mut Completion) -> Vec<(usize, Call)> {
    let mut calls = Vec::new();
    for (place, (tid, task)) in left.iter().enumerate().filter(|(_, (_, task))| task.place == IN) {
        let abi = facts::abi(task.abi);
        let mut call = Call { abi, nr: task.nr, args: [0; 6], result: None };
        if call.name().is_some_and(|name| !arguments::of(abi, name).is_empty()) {
            match arguments_of(*tid, task.nr) {
                Some(args) => call.args = args,
                None => {
                    completion.lose("arguments of calls that were under way at the end", 1);
                    continue;
                }
            }
        }
        calls.push((place, call));
    }
    calls
}

/// Reads `/proc/TID/syscall` (proc(5)): the number and the registers of the call that a task sleeps in.
fn arguments_of(tid: u32, nr: u32) -> Option<[u64; 6]> {
    parse(&std::fs::read_to_string(format!("/proc/{tid}/syscall")).ok()?, nr)
}

fn parse(line: &str, nr: u32) -> Option<[u64; 6]> {
    let mut words = line.split_whitespace();
    if words.next()?.parse() != Ok(nr) {
        return None;
    }
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_procfs_is_read() {
        let line = "202 0x7f 0x80 0x1 0x0 0x0 0xffffffff 0x7ffc 0x7f2b\n";
        assert_eq!(parse(line, 202), Some([0x7f, 0x80, 1, 0, 0, 0xffff_ffff]));
        assert_eq!(parse(line, 203), None, "it has gone on to another call");
        assert_eq!(parse("running\n", 202), None);
    }
}

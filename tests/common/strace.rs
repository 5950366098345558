//! strace as an outside oracle: what it knows of a run.

use std::collections::{BTreeSet, HashMap};

use tracer::recording::ByteString;

use super::seen::comparable;

/// strace with every option that makes its output easy to read; the name of the output file and the command follow.
pub(crate) const COMMAND: [&str; 10] =
    ["strace", "-f", "-y", "-s", "4096", "-e", "signal=none", "-e", "quiet=all", "-o"];

/// What strace saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Straced {
    /// Names of calls.
    pub(crate) calls: BTreeSet<String>,
    /// Resolved paths that were opened with success, as [`comparable`] has them.
    pub(crate) opened: BTreeSet<String>,
    /// Resolved paths of programs that were executed.
    pub(crate) executed: BTreeSet<String>,
}

/// Reads the output of `strace -f -y -o`.
pub(crate) fn read(output: &str) -> Straced {
    let mut seen = Straced::default();
    let mut unfinished: HashMap<&str, String> = HashMap::new();
    for line in output.lines() {
        // "123  openat(…) = 3</path>", "123  openat(… <unfinished ...>", "123  <... openat resumed>…) = 3</path>"
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            name(begun).map(|name| seen.calls.insert(name.to_owned()));
            unfinished.insert(pid, begun.to_owned());
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((_, end)) = resumed.split_once(" resumed>") else { continue };
            let whole = unfinished.remove(pid).unwrap_or_default() + end;
            seen.add(&whole);
        } else {
            seen.add(rest);
        }
    }
    seen
}

/// The name of the call that a line tells of.
fn name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('(')?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then_some(name)
}

impl Straced {
    fn add(&mut self, line: &str) {
        let Some(name) = name(line) else { return };
        self.calls.insert(name.to_owned());
        let Some((call, result)) = line.rsplit_once(" = ") else { return };
        match name {
            // An O_PATH descriptor gives no access: the kernel checks none.
            "open" | "openat" | "openat2" | "creat" if !call.contains("O_PATH") => {
                let path = result.split_once('<').and_then(|(_, path)| path.rsplit_once('>'));
                if let Some((path, _)) = path.filter(|(path, _)| path.starts_with('/')) {
                    self.opened.insert(comparable(&unescaped(path).escaped()));
                }
            }
            "execve" if result == "0" => {
                let path = call.split('"').nth(1).filter(|path| path.starts_with('/'));
                // The programs of the samples are still there.
                if let Some(path) = path.and_then(|path| std::fs::canonicalize(path).ok()) {
                    self.executed.insert(comparable(&path.to_string_lossy()));
                }
            }
            _ => {}
        }
    }
}

/// The path that strace printed with the octal escapes of C.
fn unescaped(path: &str) -> ByteString {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
        let code = std::str::from_utf8(&after[..digits]).ok().filter(|_| *first == b'\\');
        match code.and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[digits..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    ByteString::new(bytes)
}

#[test]
fn reads_what_strace_writes() {
    let seen = read(
        "1 execve(\"/bin/sh\", [\"sh\"], 0x7ff /* 1 var */) = 0
12 openat(AT_FDCWD</tmp>, \"a\", O_RDONLY <unfinished ...>
1  read(3</x = 1>, \"openat(\", 5) = 5
12 <... openat resumed>)             = 3</tmp/a\\346\\74>
1  openat(AT_FDCWD</tmp>, \".\", O_RDONLY|O_PATH) = 3</tmp>
1  open(\"/absent\", O_RDONLY) = -1 ENOENT (No such file or directory)
1  openat(AT_FDCWD</tmp>, \"/proc/self/maps\", O_RDONLY) = 4</proc/815/maps>
1  ftruncate(3 <unfinished ...>
1  +++ exited with 0 +++",
    );
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen.calls, set(&["execve", "openat", "open", "read", "ftruncate"]));
    assert_eq!(seen.opened, set(&["/tmp/a\\xe#<", "/proc/#/maps"]));
    assert_eq!(seen.executed.len(), 1);
}

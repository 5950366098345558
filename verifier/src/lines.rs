//! Where things stand in a seccomp profile's file: the lines of its entries, for messages. The file has been read as JSON before, so
//! that only strings, brackets and line ends matter here.

/// Where one entry stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntryLines {
    /// Its beginning.
    pub(crate) line: usize,
    /// Each string in it, with its line.
    strings: Vec<(String, usize)>,
    /// The beginning of each of its conditions.
    pub(crate) conditions: Vec<usize>,
}

/// Where a profile's parts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The default action.
    pub(crate) default: usize,
    /// The entries, in their order.
    pub(crate) entries: Vec<EntryLines>,
    /// The list of architectures.
    pub(crate) architectures: usize,
}

impl EntryLines {
    /// The line with a call's name.
    pub(crate) fn of(&self, name: &str) -> usize {
        self.strings.iter().find(|(text, _)| text == name).map_or(self.line, |(_, line)| *line)
    }
}

impl Lines {
    /// Finds them.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut found = Self::default();
        let mut line = 1;
        // What is open around the place: the last key before each bracket.
        let mut around: Vec<String> = Vec::new();
        let mut last = String::new();
        let mut bytes = text.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\n' => line += 1,
                b'"' => {
                    last = string(&mut bytes);
                    match around.as_slice() {
                        [_] if last == "defaultAction" => found.default = line,
                        [_] if last == "architectures" => found.architectures = line,
                        [_, list, ..] if list == "syscalls" => {
                            if let Some(entry) = found.entries.last_mut() {
                                entry.strings.push((last.clone(), line));
                            }
                        }
                        _ => {}
                    }
                }
                b'{' | b'[' => {
                    match around.as_slice() {
                        [_, list] if list == "syscalls" && byte == b'{' => {
                            found.entries.push(EntryLines { line, ..EntryLines::default() });
                        }
                        [_, list, _, args] if list == "syscalls" && args == "args" => {
                            if let Some(entry) = found.entries.last_mut() {
                                entry.conditions.push(line);
                            }
                        }
                        _ => {}
                    }
                    around.push(std::mem::take(&mut last));
                }
                b'}' | b']' => {
                    around.pop();
                    last.clear();
                }
                _ => {}
            }
        }
        found
    }
}

/// The rest of a string. Escapes do not occur in the names that are looked for: they are kept as they stand.
fn string(bytes: &mut impl Iterator<Item = u8>) -> String {
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => text.extend([byte].into_iter().chain(bytes.next())),
            other => text.push(other),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_names_and_conditions_are_found() {
        let text = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {"names": ["read",
       "socket"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0},
       {"index": 1}]},
    {
      "names": ["a\"}{", "write"]
    }
  ]
}"#;
        let lines = Lines::of(text.as_bytes());
        assert_eq!((lines.default, lines.architectures), (2, 3));
        assert_eq!(lines.entries.len(), 2);
        let [first, second] = lines.entries.as_slice() else { panic!("two") };
        assert_eq!((first.line, first.of("socket"), first.of("absent")), (5, 6, 5));
        assert_eq!(first.conditions, [7, 8]);
        assert_eq!((second.line, second.of("write")), (9, 10));
    }

    #[test]
    fn any_text_is_survived() {
        for text in ["", "\"", "]}", "{\"syscalls\":[{\"args\":[{", "{\"a\\"] {
            Lines::of(text.as_bytes());
        }
    }
}

//! Which parts of a name differ from run to run by their nature.

use tracer::recording::ByteString;

use super::temporary::{Life, Split, temporary};
use crate::policy::{Class, Part, Pattern};

/// Trees whose names are made by programs and thrown away (hier(7), file-hierarchy(7)): only there is a name that looks
/// random taken for one.
const VOLATILE: [&[u8]; 5] = [b"/dev/shm", b"/run", b"/tmp", b"/var/run", b"/var/tmp"];

/// Directories in volatile trees whose entries have a meaning (file-hierarchy(7): user ids).
const MEANT: [&str; 2] = ["/run/user", "/var/run/user"];

/// Places where a number is a process, thread, descriptor or terminal. `*` stands for one segment (proc(5), pts(4)).
const NUMBERED: [(&str, Class); 7] = [
    ("/dev/pts", Class::Number),
    ("/proc", Class::Pid),
    ("/proc/*/fd", Class::Number),
    ("/proc/*/fdinfo", Class::Number),
    ("/proc/*/task", Class::Pid),
    ("/proc/*/task/*/fd", Class::Number),
    ("/proc/*/task/*/fdinfo", Class::Number),
];

/// What is known of a volatile place, given its whole path.
pub(super) trait Known {
    /// What became of it.
    fn life(&self, path: &[u8]) -> Life;
    /// Several runs used it by this very name, so the name is not made up.
    fn constant(&self, path: &[u8]) -> bool;
}

/// A path with the numbers that the kernel gives replaced by their class, and, with `guess`, the names that programs make up.
pub(super) fn pattern(path: &[u8], guess: Option<&dyn Known>) -> Pattern {
    let mut parts: Vec<Part> = Vec::new();
    let mut literal = Vec::new();
    let mut end = 0;
    for (at, segment) in path.split(|b| *b == b'/').enumerate() {
        let directory = &path[..end];
        if at > 0 {
            literal.push(b'/');
            end += 1;
        }
        end += segment.len();
        match class(directory, segment, &path[..end], guess) {
            Some((prefix, class, suffix)) => {
                literal.extend_from_slice(prefix);
                if !literal.is_empty() {
                    parts.push(Part::Literal(ByteString::new(std::mem::take(&mut literal))));
                }
                parts.push(Part::Class { class });
                literal.extend_from_slice(suffix);
            }
            None => literal.extend_from_slice(segment),
        }
    }
    if !literal.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(ByteString::new(literal)));
    }
    Pattern(parts)
}

/// How a pattern was widened, in words.
pub(super) fn reason(pattern: &Pattern) -> Option<String> {
    let mut reasons: Vec<&str> = pattern
        .0
        .iter()
        .filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Class { class: Class::Pid } => Some("process ids differ in each run"),
            Part::Class { class: Class::Number } => {
                Some("numbers of descriptors, terminals and temporary names differ")
            }
            Part::Class { class: Class::Mktemp } => Some("names of temporary files are random"),
            // By variation: that says how.
            Part::Class { class: Class::Hex | Class::Uuid | Class::Stamp | Class::Name } => None,
        })
        .collect();
    reasons.dedup();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn class<'a>(
    directory: &[u8],
    segment: &'a [u8],
    path: &[u8],
    guess: Option<&dyn Known>,
) -> Option<Split<'a>> {
    let numbered =
        |(place, class): &&(&str, Class)| class.holds(segment) && is_at(place, directory);
    if let Some((_, class)) = NUMBERED.iter().find(numbered) {
        return Some((b"", *class, b""));
    }
    let known = guess?;
    let meant = MEANT.iter().any(|place| is_at(place, directory));
    if meant || !is_volatile_path(path) || known.constant(path) {
        return None;
    }
    temporary(segment, known.life(path))
}

/// The directory is such a tree, or in one.
pub(super) fn is_volatile(directory: &[u8]) -> bool {
    VOLATILE.contains(&directory) || is_volatile_path(directory)
}

/// The path is in a tree whose names are made up by programs.
pub(super) fn is_volatile_path(path: &[u8]) -> bool {
    VOLATILE.iter().any(|tree| path.strip_prefix(*tree).is_some_and(|rest| rest.starts_with(b"/")))
}

fn is_at(place: &str, directory: &[u8]) -> bool {
    let mut segments = directory.split(|b| *b == b'/');
    place.split('/').all(|p| segments.next().is_some_and(|s| p == "*" || p.as_bytes() == s))
        && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Nothing is known but what these lists say.
    #[derive(Default)]
    struct Only {
        removed: Vec<&'static str>,
        constant: Vec<&'static str>,
    }

    impl Known for Only {
        fn life(&self, path: &[u8]) -> Life {
            let removed = self.removed.iter().any(|p| p.as_bytes() == path);
            if removed { Life::Removed } else { Life::Unknown }
        }
        fn constant(&self, path: &[u8]) -> bool {
            self.constant.iter().any(|p| p.as_bytes() == path)
        }
    }

    fn shown(path: &str) -> String {
        pattern(path.as_bytes(), Some(&Only::default())).to_string()
    }

    #[test]
    fn numbers_and_random_names_are_classes() {
        assert_eq!(shown("/proc/123/task/456/comm"), "/proc/<pid>/task/<pid>/comm");
        assert_eq!(shown("/proc/1/task/4/fd/5"), "/proc/<pid>/task/<pid>/fd/<number>");
        assert_eq!(shown("/proc/123/fd/7"), "/proc/<pid>/fd/<number>");
        assert_eq!(shown("/dev/pts/3"), "/dev/pts/<number>");
        assert_eq!(shown("/tmp/tmpab_d12x4/file"), "/tmp/tmp<mktemp>/file");
        assert_eq!(shown("/tmp/a/foo-aB3dE9"), "/tmp/a/foo-<mktemp>");
        assert_eq!(shown("/run/app/worker.1234"), "/run/app/worker.<number>");
        assert_eq!(shown("/run/user/1000/x.1234"), "/run/user/1000/x.<number>");
    }

    #[test]
    fn other_names_stay_as_they_are() {
        for path in [
            "/proc/cpuinfo",
            "/proc/12345678/stat",
            "/etc/tmpab_d12x4",
            "/var/lib/x.aB3dE9",
            "/tmpfiles/x.aB3dE9",
            "/tmp/report-summary",
            "/run/user/1000",
            "/usr/lib/python3.11/os.py",
            "/tmp",
            "/",
        ] {
            assert_eq!(shown(path), path);
        }
    }

    #[test]
    fn without_guesses_only_the_kernels_numbers_are_classes() {
        assert_eq!(pattern(b"/tmp/tmpab_d12x4", None).to_string(), "/tmp/tmpab_d12x4");
        assert_eq!(pattern(b"/proc/12/stat", None).to_string(), "/proc/<pid>/stat");
    }

    #[test]
    fn what_is_known_of_a_place_counts() {
        let known = Only { removed: vec!["/tmp/x.Abcdef"], constant: vec!["/tmp/y.1234"] };
        let shown = |path: &str| pattern(path.as_bytes(), Some(&known)).to_string();
        assert_eq!(shown("/tmp/x.Abcdef/1"), "/tmp/x.<mktemp>/1");
        assert_eq!(shown("/tmp/z.Abcdef/1"), "/tmp/z.Abcdef/1");
        assert_eq!(shown("/tmp/y.1234/z.1234"), "/tmp/y.1234/z.<number>");
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_it_was_made_from(tail in "[a-zA-Z0-9._/-]{0,40}", life in 0..3_usize) {
            struct All(Life);
            impl Known for All {
                fn life(&self, _: &[u8]) -> Life {
                    self.0
                }
                fn constant(&self, _: &[u8]) -> bool {
                    false
                }
            }
            let life = [Life::Unknown, Life::Removed, Life::RemovedByPython][life];
            for tree in ["/tmp/", "/tmp/tmp", "/proc/", "/run/", "/etc/", ""] {
                let path = format!("{tree}{tail}");
                let pattern = pattern(path.as_bytes(), Some(&All(life)));
                prop_assert!(pattern.matches(path.as_bytes()), "{} by {}", path, pattern);
            }
        }

        #[test]
        fn no_class_crosses_a_slash(a in "[0-9]{2,5}", b in "[a-z/]{1,5}") {
            let pattern = pattern(format!("/tmp/x.{a}").as_bytes(), Some(&Only::default()));
            let crossing = format!("/tmp/x.{a}/{b}");
            prop_assert!(pattern.matches(b"/tmp/x.1"));
            prop_assert!(!pattern.matches(crossing.as_bytes()));
            prop_assert!(!pattern.matches(b"/tmp/x."));
        }
    }
}

//! Names that a program made up for a file that it throws away again.
//!
//! Each maker of such names is a row of [`MAKERS`], tried in turn. What no maker explains stays as it is: a name that looks
//! like a word is one, unless the program made and removed the file in the same run.

use crate::policy::Class;

/// A part of a name: what stands before it, its class, what stands after it.
pub(super) type Split<'a> = (&'a [u8], Class, &'a [u8]);

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    /// Nothing is known.
    Unknown,
    /// The program that made it removed it, or renamed it.
    Removed,
    /// So did Python, whose tempfile makes most of the names of Python programs.
    RemovedByPython,
}

/// Finds the part that was made up, in what stands before a name's ending; gives its start.
type Maker = fn(stem: &[u8], life: Life) -> Option<(usize, Class)>;

/// The makers, the surest first.
const MAKERS: [Maker; 6] = [known_prefix, number, python, word, glued, long_number];

/// The part of a name that differs from run to run. `life`: what became of the file.
pub(super) fn temporary(segment: &[u8], life: Life) -> Option<Split<'_>> {
    let dots: Vec<usize> =
        (0..segment.len()).filter(|at| segment[*at] == b'.' && *at > 0).collect();
    // The whole name, then without its last ending, then without all of them (mkstemps(3)).
    let ends = [Some(segment.len()), dots.last().copied(), dots.first().copied()];
    ends.into_iter().flatten().find_map(|end| {
        let (stem, ending) = segment.split_at(end);
        let (start, class) = MAKERS.iter().find_map(|maker| maker(stem, life))?;
        Some((&segment[..start], class, ending))
    })
}

/// Programs that are known by the beginning of their names.
fn known_prefix(stem: &[u8], _life: Life) -> Option<(usize, Class)> {
    let hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    let is = |prefix: &[u8], lengths: std::ops::RangeInclusive<usize>, of: &dyn Fn(&u8) -> bool| {
        let rest = stem.strip_prefix(prefix)?;
        (lengths.contains(&rest.len()) && rest.iter().all(of))
            .then_some((prefix.len(), Class::Mktemp))
    };
    // mktemp(1): tmp.XXXXXXXXXX
    is(b"tmp.", 10..=10, &u8::is_ascii_alphanumeric)
        // Python, Lib/tempfile.py: gettempprefix and _RandomNameSequence
        .or_else(|| is(b"tmp", 8..=8, &is_python))
        // SQLite, src/os_unix.c: SQLITE_TEMP_FILE_PREFIX "%llx"
        .or_else(|| is(b"etilqs_", 6..=16, &hex))
}

/// A number that stands alone: a process id, or Go's os.CreateTemp behind a separator.
fn number(stem: &[u8], _life: Life) -> Option<(usize, Class)> {
    let start = last_word(stem);
    let digits = &stem[start..];
    // A whole name of two digits is one of a hundred drawers rather than a process: .git/objects/98.
    let least = if start == 0 { 3 } else { 2 };
    (digits.len() >= least && Class::Number.holds(digits)).then_some((start, Class::Number))
}

/// Python's tempfile: eight small letters, digits and underscores behind a prefix of the program's own, or alone.
fn python(stem: &[u8], life: Life) -> Option<(usize, Class)> {
    let start = stem.len().checked_sub(8)?;
    let tail = &stem[start..];
    let separate = start == 0 || !stem[start - 1].is_ascii_alphanumeric();
    let inner_digit = tail.windows(2).any(|p| p[0].is_ascii_digit() && p[1].is_ascii_lowercase());
    let random = match life {
        Life::Unknown => inner_digit && start > 0,
        Life::Removed => tail.iter().any(|b| !b.is_ascii_lowercase()),
        Life::RemovedByPython => true,
    };
    (separate && tail.iter().all(is_python) && random).then_some((start, Class::Mktemp))
}

/// A character of the names that Lib/tempfile.py makes.
fn is_python(b: &u8) -> bool {
    b.is_ascii_digit() || b.is_ascii_lowercase() || *b == b'_'
}

/// Letters and digits that stand alone: six (mktemp(3)), eight, ten (Perl's File::Temp).
fn word(stem: &[u8], life: Life) -> Option<(usize, Class)> {
    let start = last_word(stem);
    let word = &stem[start..];
    let mixed = changes(word) >= 3 && lower_run(word) < 2;
    let random = match word.len() {
        6 if start > 0 => !reads_as_word(word) || (life > Life::Unknown && !is_lower(word)),
        6 | 8 | 10 => mixed,
        _ => false,
    };
    random.then_some((start, Class::Mktemp))
}

/// Six letters and digits behind small letters: gcc's ccXXXXXX, sort(1)'s sortXXXXXX, git's tXXXXXX.
fn glued(stem: &[u8], life: Life) -> Option<(usize, Class)> {
    let start = stem.len().checked_sub(6)?;
    let tail = &stem[start..];
    let head = &stem[last_word(stem).min(start)..start];
    // Other heads are of longer words, such as hashes.
    let is_glued = !head.is_empty()
        && is_lower(head)
        && tail.iter().all(u8::is_ascii_alphanumeric)
        && (changes(tail) >= 3 || (life > Life::Unknown && !is_lower(tail)));
    is_glued.then_some((start, Class::Mktemp))
}

/// Six to ten digits behind letters (Go's os.MkdirTemp: go-build1234567890).
fn long_number(stem: &[u8], _life: Life) -> Option<(usize, Class)> {
    let start = stem.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |at| at + 1);
    let head = &stem[last_word(stem).min(start)..start];
    ((6..=10).contains(&(stem.len() - start)) && head.iter().all(u8::is_ascii_alphabetic))
        .then_some((start, Class::Number))
}

fn is_lower(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_lowercase)
}

/// Where the last word of letters and digits begins.
fn last_word(stem: &[u8]) -> usize {
    stem.iter().rposition(|b| !b.is_ascii_alphanumeric()).map_or(0, |at| at + 1)
}

/// How often capitals, small letters and digits change.
fn changes(word: &[u8]) -> usize {
    let kind = |b: &u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    word.windows(2).filter(|pair| kind(&pair[0]) != kind(&pair[1])).count()
}

/// How many small letters it begins with.
fn lower_run(word: &[u8]) -> usize {
    word.iter().take_while(|b| b.is_ascii_lowercase()).count()
}

/// Letters in one case, perhaps with a capital first, and digits behind: 96 of 100 random names of six are not like that.
fn reads_as_word(word: &[u8]) -> bool {
    let digits = word.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let letters = &word[..word.len() - digits];
    let Some((first, rest)) = letters.split_first() else { return true };
    first.is_ascii_alphabetic() && rest.iter().all(u8::is_ascii_lowercase)
        || letters.iter().all(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, life: Life) -> String {
        match temporary(name.as_bytes(), life) {
            None => name.to_owned(),
            Some((before, class, after)) => format!(
                "{}<{}>{}",
                String::from_utf8_lossy(before),
                class.name(),
                String::from_utf8_lossy(after)
            ),
        }
    }

    #[test]
    fn each_maker_is_known() {
        for (name, expected) in [
            ("tmp.Ab12Cd34Ef", "tmp.<mktemp>"),
            ("tmpab_d12x4", "tmp<mktemp>"),
            ("tmpabcdefgh", "tmp<mktemp>"),
            ("tmpabcdefgh.py", "tmp<mktemp>.py"),
            ("etilqs_2d9a7c34f1b0a6e8", "etilqs_<mktemp>"),
            ("worker.1234", "worker.<number>"),
            ("12345", "<number>"),
            ("foo-aB3dE9", "foo-<mktemp>"),
            ("sh-thd.AbCdEf", "sh-thd.<mktemp>"),
            ("x.aaBBcc", "x.<mktemp>"),
            ("ccAb3dEf.s", "cc<mktemp>.s"),
            ("tEeB9CK", "t<mktemp>"),
            ("sem.mp-1cab_def", "sem.mp-<mktemp>"),
            ("ccAb3dEf.ltrans0.ltrans.o", "cc<mktemp>.ltrans0.ltrans.o"),
            ("sortA1bC2d", "sort<mktemp>"),
            ("QkT9bZx3Wp", "<mktemp>"),
            ("pymp-0a1b2c3d", "pymp-<mktemp>"),
            ("go-build1234567890", "go-build<number>"),
        ] {
            assert_eq!(shown(name, Life::Unknown), expected);
        }
    }

    #[test]
    fn words_stay() {
        for name in [
            "config",
            "app.socket",
            "foo-report",
            "report1",
            "file-v2.tar.gz",
            "x.status",
            "Makefile",
            "myConfigFile",
            "pytest-0",
            "README.txt",
            "tmpdirectory",
            "supervisord.pid",
            "libfoo.so.6",
            "20240101123456",
            "98",
            "2e2316ff643760cad7e4118d0b1ea49ea3b2c1",
            "5154881b2332d94d4392ac6e64008f9d412345678",
            "a",
            "",
        ] {
            assert_eq!(shown(name, Life::Unknown), name);
        }
        for name in ["app.socket", "config", "app.status", "lock"] {
            assert_eq!(shown(name, Life::Removed), name, "also when it is removed");
        }
    }

    #[test]
    fn what_was_removed_again_is_taken_for_random_sooner() {
        assert_eq!(shown("x.Abcdef", Life::Unknown), "x.Abcdef");
        assert_eq!(shown("x.Abcdef", Life::Removed), "x.<mktemp>");
        assert_eq!(shown("bk3abcde", Life::Unknown), "bk3abcde");
        assert_eq!(shown("bk3abcde", Life::Removed), "<mktemp>");
        assert_eq!(shown("abcdefgh", Life::Removed), "abcdefgh");
        assert_eq!(shown("abcdefgh", Life::RemovedByPython), "<mktemp>");
        assert_eq!(shown("foo-settings", Life::Removed), "foo-settings");
        assert_eq!(shown("sortQxrres", Life::Unknown), "sortQxrres");
        assert_eq!(shown("sortQxrres", Life::Removed), "sort<mktemp>");
        assert_eq!(shown("pymp-ab_defgh", Life::Removed), "pymp-<mktemp>");
    }

    /// Of names that mktemp(3) makes behind a separator, nearly all are known: those that are removed again, all but 1 in 100.
    #[test]
    fn random_names_are_seldom_missed() {
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let mut state = 1_u64;
        let mut missed = [0, 0];
        for _ in 0..10_000 {
            let name: String = (0..6)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    char::from(letters[usize::try_from(state >> 33).unwrap() % letters.len()])
                })
                .collect();
            for (at, life) in [Life::Unknown, Life::Removed].into_iter().enumerate() {
                let found = shown(&format!("x.{name}"), life);
                missed[at] += usize::from(!found.starts_with("x.<"));
            }
        }
        assert!(missed[0] < 400 && missed[1] < 100, "{missed:?} of 10000");
    }
}

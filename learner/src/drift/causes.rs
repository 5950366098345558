//! Where a difference can come from: what can be told of it by comparing it with others.

use super::side::{Kind, Side};
use super::{Difference, Direction};
use crate::families;

/// Tells the causes that can be seen.
pub(super) fn tell(differences: &mut [Difference], old: &Side, new: &Side) {
    let all = differences.to_vec();
    for difference in differences {
        difference.cause = swapped(difference, &all)
            .or_else(|| version(difference, &all))
            .or_else(|| program(difference, old, new))
            .or_else(|| directory(difference, old, new));
    }
}

/// Calls that libc and architectures use in each other's place: one came, another went.
fn swapped(difference: &Difference, all: &[Difference]) -> Option<String> {
    let (abi, name) = call(difference)?;
    let opposite = match difference.direction {
        Direction::Widened => Direction::Narrowed,
        Direction::Narrowed => Direction::Widened,
        Direction::Changed => return None,
    };
    let others = all.iter().filter(|other| other.direction == opposite).filter_map(call);
    let mut others = others.filter(|(of, other)| *of == abi && families::related(name, other));
    let (_, other) = others.next()?;
    Some(match difference.direction {
        Direction::Widened => format!("in the place of {other}: another libc or runtime"),
        _ => format!("{other} is in its place: another libc or runtime"),
    })
}

fn call(difference: &Difference) -> Option<(&str, &str)> {
    difference.what.split_once(' ').filter(|_| difference.kind == Kind::Call)
}

/// Files and programs whose names differ in numbers only: one came, another went.
fn version(difference: &Difference, all: &[Difference]) -> Option<String> {
    let is_file = |kind| matches!(kind, Kind::File | Kind::Program);
    if !is_file(difference.kind) || difference.direction == Direction::Changed {
        return None;
    }
    let shape = without_numbers(&difference.what);
    let other = all.iter().find(|other| {
        other.kind == difference.kind
            && other.direction != difference.direction
            && other.direction != Direction::Changed
            && other.what != difference.what
            && without_numbers(&other.what) == shape
    })?;
    Some(match difference.direction {
        Direction::Widened => format!("another version of {}", other.what),
        _ => format!("{} is in its place", other.what),
    })
}

/// Each run of digits and dots between them as one `#`.
fn without_numbers(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '0'..='9' if out.ends_with("#.") => {
                out.pop();
            }
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

/// A file in a directory in which the other side has nothing.
fn directory(difference: &Difference, old: &Side, new: &Side) -> Option<String> {
    let (word, other) = match difference.direction {
        Direction::Widened => ("new", old),
        Direction::Narrowed => ("gone", new),
        Direction::Changed => return None,
    };
    let files = other.files.as_ref().filter(|_| difference.kind == Kind::File)?;
    let (directory, _) = difference.what.rsplit_once('/').filter(|(to, _)| !to.is_empty())?;
    let inside = |path: String| path.strip_prefix(directory).is_some_and(|r| r.starts_with('/'));
    (!files.iter().any(|file| inside(file.paths.text())))
        .then(|| format!("{word} directory: {directory}"))
}

/// All that needed it are programs that the other side does not know.
fn program(difference: &Difference, old: &Side, new: &Side) -> Option<String> {
    let (word, other) = match difference.direction {
        Direction::Narrowed => ("gone", new),
        _ => ("new", old),
    };
    let programs = &difference.why.programs;
    if other.programs.is_empty() || programs.is_empty() || !programs.is_disjoint(&other.programs) {
        return None;
    }
    let names: Vec<String> = programs.iter().map(ToString::to_string).collect();
    let s = if names.len() == 1 { "" } else { "s" };
    Some(format!("{word} program{s}: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn versions_are_numbers_with_dots() {
        let same = |a, b| without_numbers(a) == without_numbers(b);
        assert!(same("/usr/lib/libssl.so.1.1", "/usr/lib/libssl.so.3"));
        assert!(same("/usr/lib/python3.11/os.py", "/usr/lib/python3.9/os.py"));
        assert!(!same("/usr/lib/liba.so.1", "/usr/lib/libb.so.1"));
        assert!(!same("/usr/lib/liba.so", "/usr/lib/liba.so.1"));
    }
}

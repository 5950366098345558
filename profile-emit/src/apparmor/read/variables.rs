//! Variables: what the words of rules become once they are replaced.
//!
//! A variable with one value is replaced by it, one with several by `{a,b}`. Of several values the slashes at the beginning go when
//! one stands before the variable, and those at the end when one follows: `@{HOME}/x` is `{/home/*,/root}/x`. This is replacing of text, as
//! `apparmor_parser` does it: a comma in a value makes one value more, and a slash of a single value may stand beside another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracer::recording::ByteString;

use super::error::Problem;

/// So many values may a variable have, and a word so many bytes: a few lines can ask for any number.
const VALUES: usize = 10_000;
/// Bytes of a word, or of all values of a variable.
const BYTES: usize = 1 << 18;
/// So deep may variables be in each other.
const DEEPEST: usize = 32;

/// What a preamble sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Many profiles have the same.
    sets: Arc<BTreeMap<String, Vec<ByteString>>>,
    booleans: Arc<BTreeMap<String, bool>>,
    /// `@{profile_name}`
    name: Vec<ByteString>,
}

impl Variables {
    pub(super) fn set(
        &mut self,
        name: &str,
        values: &[ByteString],
        more: bool,
    ) -> Result<(), Problem> {
        let problem = |why| Err(Problem::Variable(format!("@{{{name}}}"), why));
        let sets = Arc::make_mut(&mut self.sets);
        match (sets.get_mut(name), more) {
            (None, true) => problem("gets more values before it has any"),
            (Some(_), false) => problem("is set already"),
            (None, false) => {
                sets.insert(name.to_owned(), values.to_vec());
                Ok(())
            }
            (Some(all), true) => {
                all.extend(values.iter().cloned());
                if all.len() > VALUES {
                    return Err(Problem::Large("values of a variable", VALUES));
                }
                Ok(())
            }
        }
    }

    pub(super) fn set_boolean(&mut self, name: &str, value: bool) -> Result<(), Problem> {
        match Arc::make_mut(&mut self.booleans).insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(Problem::Variable(format!("${{{name}}}"), "is set already")),
        }
    }

    /// The value of `${name}`.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.booleans.get(name).copied()
    }

    /// Whether `@{name}` is set.
    pub fn is_set(&self, name: &str) -> bool {
        self.sets.contains_key(name)
    }

    /// The same, with the name of the profile that the rules are in: its name means itself, whatever globs in it.
    #[must_use]
    pub fn of_profile(&self, name: &[u8]) -> Self {
        let mut quoted = Vec::new();
        for byte in name {
            if b"*?[]{}^,\\".contains(byte) {
                quoted.push(b'\\');
            }
            quoted.push(*byte);
        }
        Self { name: vec![ByteString::new(quoted)], ..self.clone() }
    }

    /// A word with its variables replaced: a pattern.
    ///
    /// # Errors
    /// When a variable has no value, or is in itself, or the word gets too large.
    pub fn expand(&self, word: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        let mut rest = word;
        while let Some((before, name, after)) = next_variable(rest) {
            out.extend(before);
            let values = self.values(name, &mut Vec::new())?;
            match values.as_slice() {
                [one] => out.extend(one),
                several => {
                    let (behind, followed) = (out.ends_with(b"/"), after.starts_with(b"/"));
                    let trimmed = several.iter().map(|value| trim(value, behind, followed));
                    out.push(b'{');
                    out.extend(trimmed.collect::<Vec<_>>().join(&b','));
                    out.push(b'}');
                }
            }
            rest = after;
            if out.len() > BYTES {
                return Err(Problem::Large("bytes of a word", BYTES));
            }
        }
        out.extend(rest);
        Ok(out)
    }

    /// The values of a variable, those in them replaced.
    fn values(&self, name: &str, within: &mut Vec<String>) -> Result<Vec<Vec<u8>>, Problem> {
        let problem = |why| Problem::Variable(format!("@{{{name}}}"), why);
        let own = Some(&self.name).filter(|own| name == "profile_name" && !own.is_empty());
        let values = own.or_else(|| self.sets.get(name)).ok_or_else(|| problem("has no value"))?;
        if within.iter().any(|outer| outer == name) {
            return Err(problem("is in itself"));
        }
        if within.len() > DEEPEST {
            return Err(Problem::Deep("variables", DEEPEST));
        }
        within.push(name.to_owned());
        let mut all = Vec::new();
        for value in values {
            let mut here = vec![Vec::new()];
            let mut rest = value.as_bytes();
            while let Some((before, name, after)) = next_variable(rest) {
                let inner = self.values(name, within)?;
                if here.len().saturating_mul(inner.len()) > VALUES {
                    return Err(Problem::Large("values of a variable", VALUES));
                }
                let join = |begun: &Vec<u8>| -> Vec<Vec<u8>> {
                    inner.iter().map(|value| [begun.as_slice(), before, value].concat()).collect()
                };
                here = here.iter().flat_map(join).collect();
                rest = after;
                check(&here)?;
            }
            here.iter_mut().for_each(|begun| begun.extend(rest));
            all.extend(here);
            check(&all)?;
        }
        within.pop();
        Ok(all)
    }
}

fn check(values: &[Vec<u8>]) -> Result<(), Problem> {
    if values.len() > VALUES {
        return Err(Problem::Large("values of a variable", VALUES));
    }
    if values.iter().map(Vec::len).sum::<usize>() > BYTES {
        return Err(Problem::Large("bytes of a variable's values", BYTES));
    }
    Ok(())
}

fn trim(value: &[u8], behind: bool, followed: bool) -> Vec<u8> {
    let mut value = value;
    while let (true, [b'/', rest @ ..]) = (behind, value) {
        value = rest;
    }
    while let (true, [rest @ .., b'/']) = (followed, value) {
        value = rest;
    }
    value.to_vec()
}

/// What stands before the next variable, its name, and what follows.
fn next_variable(text: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            // The byte behind it means itself.
            b'\\' => at += 1,
            b'@' => {
                if let Some((name, length)) = variable(text.get(at..)?) {
                    return Some((text.get(..at)?, name, text.get(at + length..)?));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The name of a variable with which a text begins, and the length of both.
pub(super) fn variable(text: &[u8]) -> Option<(&str, usize)> {
    let inside = text.strip_prefix(b"@{").or_else(|| text.strip_prefix(b"${"))?;
    let end = inside.iter().position(|byte| *byte == b'}')?;
    let name = std::str::from_utf8(inside.get(..end)?).ok()?;
    is_name(name).then_some((name, end + 3))
}

/// Letters, digits and `_`, a letter first.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(sets: &[(&str, &[&str])]) -> Variables {
        let mut all = Variables::default();
        for (name, values) in sets {
            let values: Vec<ByteString> = values.iter().map(|value| (*value).into()).collect();
            all.set(name, &values, false).unwrap();
        }
        all
    }

    /// As `apparmor_parser -d` prints the rules' paths.
    #[test]
    fn words_are_those_of_the_parser() {
        let all = variables(&[
            ("H", &["/home/*/", "/root/"]),
            ("S", &["/sys/"]),
            ("P", &["p/", "/q"]),
            ("E", &[""]),
            ("R", &["/", "q"]),
            ("F", &["//", "q", "//r"]),
            ("M", &["/x/", "/y//"]),
            ("Y", &["/@{M}/z", "w"]),
            ("B", &["a{b"]),
        ]);
        for (word, expected) in [
            ("@{H}/x", "{/home/*,/root}/x"),
            ("@{S}/x", "/sys//x"),
            ("/@{S}/x", "//sys//x"),
            ("@{H}x", "{/home/*/,/root/}x"),
            ("/a@{P}/b", "/a{p,/q}/b"),
            ("/a/@{P}b", "/a/{p/,q}b"),
            ("@{H}@{S}x", "{/home/*/,/root/}/sys/x"),
            ("/@{E}", "/"),
            ("/@{R}", "/{,q}"),
            ("@{R}/x", "{,q}/x"),
            ("/x/@{F}/y", "/x/{,q,r}/y"),
            ("@{Y}", "{//x//z,//y///z,w}"),
            ("/@{B}}", "/a{b}"),
            (r"/a\@{S}", r"/a\@{S}"),
            (r"/a\\@{S}", r"/a\\/sys/"),
            ("/@S@{", "/@S@{"),
        ] {
            let text = all.expand(word.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{word}");
        }
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        let all = variables(&[("X", &["@{Y}"]), ("Y", &["@{X}"]), ("Z", &["@{Q}"]), ("W", &["a"])]);
        for word in ["@{X}", "@{Q}", "/@{Z}"] {
            assert!(all.expand(word.as_bytes()).is_err(), "{word}");
        }
        assert!(all.expand(b"@{W}").is_ok());
    }

    #[test]
    fn what_grows_without_bound_is_an_error() {
        let mut all = variables(&[("A0", &["a", "b"])]);
        for n in 1..30 {
            let value = format!("@{{A{}}}@{{A{0}}}", n - 1);
            all.set(&format!("A{n}"), &[value.as_str().into()], false).unwrap();
        }
        assert!(all.expand(b"@{A2}").is_ok());
        assert!(matches!(all.expand(b"@{A29}"), Err(Problem::Large(..))));
    }

    #[test]
    fn a_profile_s_name_is_itself() {
        let own = Variables::default().of_profile(b"t *{a,b}");
        assert_eq!(own.expand(b"/@{profile_name}").unwrap(), br"/t \*\{a\,b\}");
    }
}

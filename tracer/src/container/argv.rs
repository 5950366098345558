//! Reading a client's command line, as its own parser does: options end at the first word that is none.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::flags::{self, Switches};

/// The client of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// `docker`
    Docker,
    /// `podman`
    Podman,
}

/// What the client is asked to do, where that concerns a container's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `run` or `container run`
    Run,
    /// `create` or `container create`
    Create,
    /// `start` or `container start`
    Start,
    /// `exec` or `container exec`
    Exec,
}

impl Verb {
    /// It makes a container, so that options can still be given to it.
    pub fn makes(self) -> bool {
        matches!(self, Self::Run | Self::Create)
    }
}

/// An option as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Where its first word stands in the command line.
    pub at: usize,
    /// How many words it takes: two when its value stands apart.
    pub words: usize,
    /// Its long name, or its letter.
    pub name: Vec<u8>,
    /// Its value; none for a switch without one.
    pub value: Option<OsString>,
}

impl Given {
    /// A switch that is on: `--rm`, `--rm=true`, as Go's strconv.ParseBool reads it.
    pub fn is_on(&self) -> bool {
        self.value.as_ref().is_none_or(|value| {
            matches!(value.as_bytes(), b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True")
        })
    }
}

/// A command line of docker or podman that concerns a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Whose.
    pub client: Client,
    /// The words before the verb: the client and its own options.
    pub globals: Vec<OsString>,
    /// What it is asked to do.
    pub verb: Verb,
    /// Where the options of the verb begin.
    pub options_at: usize,
    /// The options of the verb.
    pub options: Vec<Given>,
    /// What follows them: an image or a container, and a command.
    pub operands: Vec<OsString>,
}

impl Invocation {
    /// Reads a command line; `None` when it is not one of docker or podman that concerns a container's processes.
    pub fn read(argv: &[OsString]) -> Option<Self> {
        let client = match Path::new(argv.first()?).file_name()?.as_bytes() {
            b"docker" => Client::Docker,
            b"podman" => Client::Podman,
            _ => return None,
        };
        let (_, mut at) = options(argv, 1, flags::global(client));
        let globals = argv[..at].to_vec();
        if argv.get(at)? == "container" {
            at += 1;
        }
        let verb = match argv.get(at)?.as_bytes() {
            b"run" => Verb::Run,
            b"create" => Verb::Create,
            b"start" => Verb::Start,
            b"exec" => Verb::Exec,
            _ => return None,
        };
        let switches = if verb.makes() { flags::run(client) } else { flags::existing(client) };
        let (options, end) = options(argv, at + 1, switches);
        let operands = argv.get(end..).unwrap_or_default().to_vec();
        Some(Self { client, globals, verb, options_at: at + 1, options, operands })
    }

    /// The client's own options, before the verb.
    pub fn global_options(&self) -> Vec<Given> {
        options(&self.globals, 1, flags::global(self.client)).0
    }

    /// The values of an option that can be given more than once.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OsStr> {
        self.given(name).filter_map(|given| given.value.as_deref())
    }

    /// An option, each time that it is given.
    pub fn given<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Given> {
        self.options.iter().filter(move |given| given.name == name.as_bytes())
    }

    /// The profile of `--security-opt seccomp=`; the engines take the last one.
    pub fn seccomp(&self) -> Option<&OsStr> {
        self.given("security-opt").filter_map(super::prepare::seccomp_of).last()
    }

    /// A switch is on; the last one given counts.
    pub fn is_on(&self, name: &str) -> bool {
        self.given(name).last().is_some_and(Given::is_on)
    }
}

/// The options from a place on, and where they end. A `--` that ends them belongs to them.
fn options(argv: &[OsString], mut at: usize, switches: Switches) -> (Vec<Given>, usize) {
    let mut given = Vec::new();
    while let Some(word) = argv.get(at) {
        match word.as_bytes() {
            b"--" => return (given, at + 1),
            [b'-', b'-', long @ ..] => {
                let (name, value) = split(long);
                let apart = value.is_none() && !switches.has_long(name);
                let value = value.or_else(|| apart.then(|| argv.get(at + 1).cloned()).flatten());
                let words = if apart { 2 } else { 1 };
                given.push(Given { at, words, name: name.to_vec(), value });
                at += words;
            }
            [b'-', letters @ ..] if !letters.is_empty() => {
                let words = letters_of(letters, at, argv.get(at + 1), switches, &mut given);
                at += words;
            }
            _ => break,
        }
    }
    (given, at.min(argv.len()))
}

/// Several letters in a word: switches, and at the end one that may take the rest, or the next word, as its value.
/// Returns how many words that were.
fn letters_of(
    letters: &[u8],
    at: usize,
    next: Option<&OsString>,
    switches: Switches,
    given: &mut Vec<Given>,
) -> usize {
    for (index, letter) in letters.iter().enumerate() {
        let rest = &letters[index + 1..];
        let name = vec![*letter];
        if let [b'=', value @ ..] = rest {
            let value = Some(OsStr::from_bytes(value).to_owned());
            given.push(Given { at, words: 1, name, value });
            return 1;
        }
        if switches.has_short(*letter) {
            given.push(Given { at, words: 1, name, value: None });
            continue;
        }
        let (value, words) = match rest {
            [] => (next.cloned(), 2),
            rest => (Some(OsStr::from_bytes(rest).to_owned()), 1),
        };
        given.push(Given { at, words, name, value });
        return words;
    }
    1
}

/// `name=value`
fn split(long: &[u8]) -> (&[u8], Option<OsString>) {
    match long.iter().position(|byte| *byte == b'=') {
        Some(at) => (&long[..at], Some(OsStr::from_bytes(&long[at + 1..]).to_owned())),
        None => (long, None),
    }
}

#[cfg(test)]
mod tests;

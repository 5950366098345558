//! Patterns: the regular expression and the automaton that the kernel would run fit the same paths.

use std::fmt::Write as _;

use learner::drift::language::Language;
use profile_emit::apparmor::read::ast::Rule;
use profile_emit::apparmor::read::glob::Glob;
use proptest::prelude::*;

use super::alone;
use crate::automaton::may;
use crate::parser;

/// A piece of a pattern, and texts that it may stand for.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    samples: Vec<String>,
}

fn piece(text: &str, samples: &[&str]) -> Piece {
    Piece { text: text.to_owned(), samples: samples.iter().map(|s| (*s).to_owned()).collect() }
}

/// Pieces of which each may stand anywhere, within braces too.
fn simple() -> Vec<Piece> {
    vec![
        piece("a", &["a"]),
        piece("b", &["b", "a"]),
        piece("/", &["/", ""]),
        piece("//", &["/", "//"]),
        piece("*", &["", "a", "ab", "/", "."]),
        piece("/*", &["/", "/a", "/a/"]),
        piece("/**", &["/", "/a", "/a/b", "//"]),
        piece("**", &["", "a", "a/b", "/"]),
        piece("***", &["", "a", "a/b"]),
        piece("?", &["a", "/", ""]),
        piece("[a-c]", &["b", "d", "-"]),
        piece("[^a-c]", &["b", "d", "/"]),
        piece("[c-a]", &["b", "c"]),
        piece("[a^]", &["^", "a", "b"]),
        piece("[^^]", &["^", "a"]),
        piece("[\\^a]", &["^", "a", "b"]),
        piece("[a\\^]", &["^", "a", "b"]),
        piece("[-a]", &["-", "a", "b"]),
        piece("[^-a]", &["-", "a", "b"]),
        piece("[--a]", &["-", "A", "b"]),
        piece("[a\\-c]", &["b", "-", "\\"]),
        piece("[\\]a]", &["]", "a", "\\"]),
        piece("[\\[a]", &["[", "a", "\\"]),
        piece("[[]", &["[", "a"]),
        piece("[a,b]", &[",", "a", "\\"]),
        piece("[a\\,b]", &[",", "a", "\\"]),
        piece("[a-\\,]", &[",", "b", "\\", "Z"]),
        piece("[\\,-a]", &[",", "b", "\\", "Z"]),
        piece("[{}]", &["{", "}", "\\"]),
        piece("[\\{a]", &["{", "a", "\\"]),
        piece("[\\}a]", &["}", "a", "\\"]),
        piece("[\\*a]", &["*", "a", "\\"]),
        piece("[\\?a]", &["?", "a", "\\"]),
        piece("[\\134a]", &["\\", "a", "b"]),
        piece("[.+|()$]", &[".", "+", "|", "(", "$", "\\", "a"]),
        piece("[+-.]", &["+", ",", ".", "\\"]),
        piece("[\\052a]", &["*", "a", "5"]),
        piece("[\\x2da]", &["-", "a"]),
        piece("[/a]", &["/", "a"]),
        piece("[\\200-\\377]", &["a", "\u{e9}"]),
        piece("^", &["^", ""]),
        piece("\\^", &["^", "\\"]),
        piece("\\,", &[",", "\\"]),
        piece("\\*", &["*", "a", "\\"]),
        piece("\\?", &["?", "a"]),
        piece("\\{", &["{", "\\"]),
        piece("\\}", &["}", "\\"]),
        piece("\\[", &["[", "\\"]),
        piece("\\]", &["]", "\\"]),
        piece("\\134", &["\\"]),
        piece("\\q", &["q", "\\q"]),
        piece("\\101", &["A", "1"]),
        piece("\\x41", &["A", "x41"]),
        piece("\\057", &["/"]),
        piece("\\/", &["/", "\\/"]),
        piece("\\000", &["", "0"]),
        piece(".", &[".", "a"]),
        piece("+", &["+", ""]),
        piece("(a|b)", &["(a|b)", "a"]),
        piece("$", &["$", ""]),
        piece(" ", &[" ", ""]),
        piece("!", &["!", ""]),
        piece("#", &["#", ""]),
        piece("{,/}", &["", "/"]),
        piece("{a,b,}", &["a", "b", "", ","]),
    ]
}

fn sequence(pieces: Vec<Piece>, choice: &[usize]) -> Piece {
    let text = pieces.iter().map(|piece| piece.text.as_str()).collect();
    let sample = |n: usize| -> String {
        pieces
            .iter()
            .enumerate()
            .map(|(at, piece)| {
                let pick = choice.get((at + n) % choice.len()).unwrap_or(&0) + n;
                piece.samples[pick % piece.samples.len()].as_str()
            })
            .collect()
    };
    Piece { text, samples: (0..6).map(sample).collect() }
}

fn pieces(of: BoxedStrategy<Piece>) -> BoxedStrategy<Piece> {
    let choice = prop::collection::vec(0..6_usize, 3..8);
    (prop::collection::vec(of, 1..5), choice)
        .prop_map(|(pieces, choice)| sequence(pieces, &choice))
        .boxed()
}

/// A pattern of pieces and of braces in braces.
fn glob() -> BoxedStrategy<Piece> {
    let nested = prop::sample::select(simple()).prop_recursive(2, 8, 3, |inner| {
        prop::collection::vec(pieces(inner.boxed()), 2..4).prop_map(|all| Piece {
            text: format!(
                "{{{}}}",
                all.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(",")
            ),
            samples: all.into_iter().flat_map(|piece| piece.samples).collect(),
        })
    });
    pieces(nested.boxed())
        .prop_map(|Piece { text, samples }| Piece {
            text: format!("/{text}"),
            samples: samples.into_iter().map(|sample| format!("/{sample}")).collect(),
        })
        .boxed()
}

fn profile(name: &str, glob: &str) -> String {
    format!("profile {name} {{\n  \"{glob}\" k,\n}}\n")
}

/// The pattern as the reader has it.
fn language(text: &str) -> Result<Option<Language>, String> {
    let all = alone(text.as_bytes()).map_err(|error| error.to_string())?;
    let Rule::File { path, .. } = &all[0].rules[0].is.1 else { panic!("{text}") };
    let path = all[0].variables.expand(path.as_bytes()).map_err(|error| error.to_string())?;
    let glob = Glob::read(&path).map_err(|error| error.to_string())?;
    Ok(Language::of(&[glob.expression()]))
}

/// Paths that are nearly what a pattern stands for.
fn probes(samples: &[String]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for sample in samples {
        // A byte above 127 alone, as patterns have it.
        let sample: Vec<u8> = sample.chars().map(|c| c as u8).collect();
        let half = sample.len() / 2;
        for other in [
            sample.clone(),
            [&sample, &b"/"[..]].concat(),
            [&sample, &b"a"[..]].concat(),
            [&sample, &b"/a"[..]].concat(),
            [&b"/"[..], &sample].concat(),
            sample[..sample.len() - 1].to_vec(),
            [&sample[..half], &b"/"[..], &sample[half..]].concat(),
            [&sample[..half], &b"ab"[..], &sample[half..]].concat(),
        ] {
            all.push(other);
        }
    }
    all
}

/// Where the reader and the parser differ about patterns.
fn differences(globs: &[Piece]) -> Result<Vec<String>, String> {
    let mut text = String::from("abi <abi/3.0>,\n");
    let mut read = Vec::new();
    for (n, glob) in globs.iter().enumerate() {
        let own = profile(&format!("p{n}"), &glob.text);
        // Some are too intricate for an automaton of the size that the learner takes.
        let Some(language) = language(&own)? else { continue };
        read.push((format!("p{n}"), glob, language));
        text.push_str(&own);
    }
    let compiled = parser::compile(&text)?;
    let mut all = Vec::new();
    for (name, glob, language) in read {
        let profile = compiled.iter().find(|profile| profile.name == name).unwrap();
        for probe in probes(&glob.samples) {
            let (holds, accepts) = (language.holds(&probe), profile.file(&probe));
            if accepts != if holds { (may::LOCK, may::LOCK) } else { (0, 0) } {
                all.push(format!("{} fits {}: {holds}", glob.text, probe.escape_ascii()));
            }
        }
    }
    all.sort_by_key(String::len);
    Ok(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 8, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "needs apparmor_parser: run by make test"]
    fn the_expression_fits_what_the_automaton_accepts(globs in prop::collection::vec(glob(), 20..40)) {
        let differences = differences(&globs).map_err(TestCaseError::fail)?;
        prop_assert!(differences.is_empty(), "{:#?}", differences);
    }
}

/// Each piece alone, behind a byte and behind a slash.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn each_piece_fits_what_the_automaton_accepts() {
    for begun in ["/", "/x"] {
        let all: Vec<Piece> = simple()
            .into_iter()
            .map(|Piece { text, samples }| Piece {
                text: format!("{begun}{text}"),
                samples: samples.into_iter().map(|sample| format!("{begun}{sample}")).collect(),
            })
            .collect();
        assert_eq!(differences(&all), Ok(Vec::new()));
    }
}

/// What the reader takes for no pattern, the parser does not compile, and what is nearly the same it does.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn what_is_no_pattern_is_none_to_the_parser() {
    for (wrong, right) in [
        ("/a{b", "/a{b,}"),
        ("/a{b,c", "/a{b,c}"),
        ("/a}", "/a\\}"),
        ("/a{b}", "/a{b,}"),
        ("/a{}", "/a{,}"),
        ("/a{\\,b}", "/a{,b}"),
        ("/a{b,{c}}", "/a{b,{c,d}}"),
        ("/a{{b,c}}", "/a{{b,c},}"),
        ("/a[b", "/a[b]"),
        ("/a]", "/a\\]"),
        ("/a[]", "/a[b]"),
        ("/a[^]", "/a[^b]"),
        ("/a[]b]", "/a[\\]b]"),
        ("/a[b-]", "/a[-b]"),
        ("/a[b\\-]", "/a[\\-b]"),
        ("/a[a-c-e]", "/a[a-ce]"),
        ("/a[b--]", "/a[--b]"),
        ("/a[[:alpha:]]", "/a[[:alph:]"),
        ("/a\\{b,c}", "/a\\{b,c\\}"),
        ("/a@{", "/a@\\{"),
    ] {
        for (glob, is_one) in [(wrong, false), (right, true)] {
            let text = profile("p", glob);
            assert_eq!(language(&text).is_ok(), is_one, "{glob}");
            assert_eq!(parser::compile(&text).is_ok(), is_one, "{glob}");
        }
    }
}

/// A pattern with variables is what their values make of it.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn variables_are_replaced_as_the_parser_replaces_them() {
    let sets = "@{ONE}=/sys/\n@{TWO}=/home/*/ /root/\n@{NONE}=\"\"\n@{ROOT}=/ //q\n@{IN}=/@{TWO}/z w\n@{COMMA}=a,b c\n@{OPEN}={a,\n";
    let rules = [
        "@{ONE}x",
        "@{ONE}/x",
        "/@{ONE}/x",
        "@{TWO}/x",
        "@{TWO}x",
        "/@{TWO}/x",
        "/a@{NONE}/b",
        "/@{NONE}*",
        "@{ROOT}/x",
        "/@{ROOT}",
        "/x/@{ROOT}/y",
        "/@{IN}",
        "@{IN}/x",
        "/@{COMMA}/x",
        "/@{OPEN}b}",
        "/x\\@{,ONE}",
        "@{ONE}@{TWO}",
        "/@{profile_name}/x",
        "@{TWO}{,/}",
    ];
    let mut probes = vec![Vec::new()];
    for path in [
        "/sys", "/home/u", "/root", "/x", "/q", "/", "/a", "/b", "/c", "/z", "w", "a,b", "/x@",
        "ONE", "/p3", "/y",
    ] {
        for begun in probes.clone().iter().filter(|begun: &&Vec<u8>| begun.len() < 12) {
            for between in ["", "/"] {
                probes.push([begun, between.as_bytes(), path.as_bytes()].concat());
            }
        }
    }
    let mut text =
        format!("abi <abi/3.0>,\n{}", sets.replace("@{OPEN}={a,\n", "@{OPEN}=\"{a,\"\n"));
    for (n, rule) in rules.iter().enumerate() {
        writeln!(text, "profile p{n} {{ {rule} k, }}").unwrap();
    }
    let compiled = parser::compile(&text).unwrap();
    for profile in alone(text.as_bytes()).unwrap() {
        let Rule::File { path, .. } = &profile.rules[0].is.1 else { panic!() };
        let glob = Glob::read(&profile.variables.expand(path.as_bytes()).unwrap()).unwrap();
        let language = Language::of(&[glob.expression()]).unwrap();
        let own = compiled.iter().find(|own| own.name == profile.name.to_string()).unwrap();
        for probe in probes.iter().filter(|probe| !probe.is_empty()) {
            let wanted = if language.holds(probe) { may::LOCK } else { 0 };
            assert_eq!(own.file(probe), (wanted, wanted), "{} of {path}", probe.escape_ascii());
        }
    }
}

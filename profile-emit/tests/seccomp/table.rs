//! `cases.tests`: a table of profiles, calls and answers, in the manner of libseccomp's own tests.

use std::path::Path;

use profile_emit::seccomp::{Action, Profile};
use tracer::abi::{Abi, calls};

use crate::{Call, by_learn, by_libseccomp, judged, simulated};

fn here(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seccomp").join(name)
}

/// The values that a column stands for.
fn values(word: &str) -> Vec<u64> {
    let number = |word: &str| {
        word.strip_prefix("0x")
            .map_or_else(|| word.parse().unwrap(), |hex| u64::from_str_radix(hex, 16).unwrap())
    };
    match (word, word.split_once('-')) {
        ("N", _) => vec![0, 1, u64::MAX, 0xffff_ffff_0000_0000],
        (_, Some((first, last))) => (number(first)..=number(last)).collect(),
        _ => vec![number(word)],
    }
}

fn answer(word: &str) -> u32 {
    match word {
        "ALLOW" => Action::Allow.code(),
        "KILL" => Action::KillThread.code(),
        "LOG" => Action::Log.code(),
        "TRAP" => Action::Trap.code(),
        errno => Action::Errno(errno.strip_prefix("ERRNO").unwrap().parse().unwrap()).code(),
    }
}

#[test]
fn every_row_is_answered_as_the_table_says() {
    let text = std::fs::read_to_string(here("cases.tests")).unwrap();
    let mut asked = 0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [file, abi, name, arguments @ .., wanted] = &words[..] else { panic!("{line}") };
        let json = std::fs::read(here("profiles").join(format!("{file}.json"))).unwrap();
        let profile = Profile::from_json(&json).unwrap();
        let abi =
            [Abi::X86_64, Abi::I386, Abi::X32].into_iter().find(|a| a.name() == *abi).unwrap();
        let nr = name.parse().unwrap_or_else(|_| calls::number(abi, name).unwrap());
        let mut all = vec![[0_u64; 6]];
        for (at, word) in arguments.iter().enumerate() {
            let values = values(word);
            all = all
                .into_iter()
                .flat_map(|args| {
                    values.iter().map(move |value| {
                        let mut args = args;
                        args[at] = *value;
                        args
                    })
                })
                .collect();
        }
        let programs = [by_learn(&profile), by_libseccomp(&profile)];
        for args in all {
            let call = Call { abi, nr, args };
            assert_eq!(simulated(&profile, call), answer(wanted), "simulated: {line}: {args:x?}");
            for (program, by) in programs.iter().zip(["learn", "libseccomp"]) {
                assert_eq!(judged(program, call), answer(wanted), "{by}: {line}: {args:x?}");
            }
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
}

//! The text for the reader: it names what is in the policy, and is no place for another's words to pretend.

use learner::completeness::{Decimal, Estimate, Kind, Saturation};
use learner::policy::{ExecRule, Pattern};
use profile_emit::bundle::{README, bundle};
use proptest::prelude::*;
use tracer::recording::Access;

use crate::support::{HOSTILE, capability, file, nothing, of_text, rule};

fn readme(policy: &learner::Policy) -> String {
    String::from_utf8(bundle(policy.clone()).files[README].clone()).unwrap()
}

/// The number in the row of the table that begins so.
fn row<'a>(text: &'a str, begins: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(&format!("| {begins}"))).unwrap();
    line.trim_end_matches(" |").rsplit("| ").next().unwrap()
}

#[test]
fn it_names_what_is_in_the_policy() {
    let mut policy = nothing("web");
    policy.training.runs = 7;
    policy.training.commands = [vec!["/bin/web".into(), "-d".into()]].into();
    policy.capabilities = vec![capability("CAP_SETUID"), capability("CAP_CHOWN")];
    policy.notes = ["a note of the policy".to_owned()].into();
    for n in 0..3_u8 {
        policy.files.push(file(Pattern::literal(&[b'/', b'a' + n]), &[Access::Read], false));
    }
    policy.execs = vec![rule(ExecRule { path: "/bin/x".into(), interpreter: None, loader: None })];
    policy.files[0].evidence.generalised = Some("widened".to_owned());
    let text = readme(&policy);
    assert!(text.starts_with("# Least-privilege profile `web`\n"), "{text}");
    assert!(text.contains("from 7 run(s)") && text.contains("\n    /bin/web -d\n"), "{text}");
    assert_eq!(row(&text, "file rules"), "3");
    assert_eq!(row(&text, "programs"), "1");
    assert_eq!(row(&text, "capabilities"), "CHOWN, SETUID");
    assert_eq!(row(&text, "rules wider"), "1");
    assert!(text.contains("- a note of the policy\n"), "{text}");
    assert!(text.contains("apparmor=web --cap-drop ALL --cap-add CHOWN --cap-add SETUID IMAGE"));
    assert!(!text.contains("Incomplete"), "{text}");

    policy.training.complete = false;
    policy.training.incomplete_because = ["7 lost: events".to_owned()].into();
    policy.capabilities.clear();
    let text = readme(&policy);
    assert!(text.contains("**Incomplete.**") && text.contains("\n> - 7 lost: events\n"), "{text}");
    assert_eq!(row(&text, "capabilities"), "none");
}

/// What begins each line, and what is told to a shell: what a reader takes for the text's own.
fn frame(text: &str) -> Vec<String> {
    let mut in_code = false;
    text.lines()
        .map(|line| {
            in_code ^= line.starts_with("```");
            match line {
                // The profile's name has a test of its own.
                _ if line.starts_with("# Least") => "# Least".to_owned(),
                _ if in_code => line.split("apparmor=").next().unwrap().to_owned(),
                _ if line.starts_with('|') || line.starts_with('#') => line.to_owned(),
                _ => line.chars().take(2).collect(),
            }
        })
        .collect()
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let readme_of = |text: &str| readme(&of_text(text));
    let text = readme_of(text);
    prop_assert_eq!(frame(&text), frame(&readme_of("!plain")), "{}", text);
    let steers = |c: char| c.is_control() && c != '\n' || ('\u{2028}'..='\u{202e}').contains(&c);
    prop_assert!(!text.chars().any(steers), "{:?}", text);
    let shell = text.split("\n```sh\n").last().and_then(|text| text.split("\n```").next()).unwrap();
    prop_assert!(
        shell.chars().all(|c| c.is_ascii_alphanumeric() || " \n.,_=+-".contains(c)),
        "{}",
        shell
    );
    // A command is shown as a block of code, by four spaces.
    let markup =
        text.lines().filter(|line| !line.starts_with("    ")).any(|l| l.contains("<script"));
    prop_assert!(!markup, "{}", text);
    Ok(())
}

#[test]
fn another_s_words_change_nothing_around_them() {
    for text in HOSTILE {
        check(text).unwrap();
    }
}

proptest! {
    #[test]
    fn any_words_change_nothing_around_them(text in "![^\0/]{1,20}") {
        check(&text)?;
    }
}

#[test]
fn it_says_how_much_the_units_have_shown() {
    let mut policy = nothing("web");
    policy.saturation.units = 1;
    assert!(readme(&policy).contains("1 unit(s): of fewer than two nothing is estimated"));
    let of = |seen, chance| Estimate {
        seen,
        in_one: 2,
        coverage: Some(Decimal::new(0.9)),
        expected: Some(Decimal::new(8.5)),
        chance: Some(Decimal::new(chance)),
        ..Estimate::default()
    };
    policy.saturation = Saturation {
        units: 40,
        runs_as_units: 3,
        all: of(7, 0.05),
        kinds: [(Kind::File, of(5, 0.05))].into(),
        programs: [("/bin/a|b\n| forged | 1 |".into(), of(2, 0.0))].into(),
        ..Saturation::default()
    };
    let text = readme(&policy);
    assert!(
        text.contains("from 40 units, of which 3 are whole runs. The next one needs"),
        "{text}"
    );
    assert!(text.contains("with a chance of about 5.0 %"), "{text}");
    assert!(text.contains("| file | 5 | 2 | 90.0 % | 8.5 | 5.0 % |"), "{text}");
    assert!(
        !text.contains("\n| forged") && text.contains("a\\|b"),
        "a program's name stays in its cell"
    );
    policy.saturation.all.chance_below = Some(Decimal::new(0.075));
    assert!(readme(&policy).contains("below 7.5 % (95 % confidence)"));
}

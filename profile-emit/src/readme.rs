//! The text for the person who reads the profiles.

use std::fmt::Write as _;

use learner::Policy;
use learner::completeness::Decimal;
use learner::policy::Allowed;

use crate::capabilities::Capabilities;
use crate::{Note, advice, apparmor};

/// Writes it.
pub(crate) fn text(policy: &Policy, capabilities: &Capabilities, notes: &[Note]) -> String {
    let mut out = String::new();
    let name = apparmor::quote::name(&policy.name);
    let _infallible = write_all(&mut out, policy, capabilities, notes, &name);
    out
}

fn write_all(
    out: &mut String,
    policy: &Policy,
    capabilities: &Capabilities,
    notes: &[Note],
    name: &str,
) -> std::fmt::Result {
    let training = &policy.training;
    writeln!(out, "# Least-privilege profile `{name}`\n")?;
    if !training.complete {
        writeln!(
            out,
            "> **Incomplete.** The training run was recorded incompletely; rules are missing:"
        )?;
        for why in &training.incomplete_because {
            writeln!(out, "> - {}", plain(why))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Learned by `learn` from {} run(s) of:\n", training.runs)?;
    for command in &training.commands {
        let words: Vec<_> = command.iter().map(|word| one_line(&word.escaped())).collect();
        writeln!(out, "    {}", words.join(" "))?;
    }
    writeln!(out, "\n## What it allows\n")?;
    let names: std::collections::BTreeSet<_> =
        policy.calls.iter().map(|rule| (rule.allow.abi, rule.allow.nr)).collect();
    let limited = policy.calls.iter().filter(|rule| !rule.allow.when.is_empty()).count();
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(
        out,
        "| system calls | {} ({limited} of them with conditions on arguments) |",
        names.len()
    )?;
    writeln!(out, "| answered ENOSYS, so that libc falls back | {} |", policy.fallbacks.len())?;
    writeln!(out, "| file rules | {} |", policy.files.len())?;
    writeln!(out, "| programs | {} |", policy.execs.len())?;
    // Names that engines may know: the others are in capabilities.json, and can't be given in a shell's words.
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let known: Vec<&str> = capabilities
        .add
        .iter()
        .map(String::as_str)
        .filter(|name| name.chars().all(is_name))
        .collect();
    let caps = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    writeln!(out, "| capabilities | {caps} |")?;
    writeln!(out, "| kinds of socket | {} |", policy.sockets.len())?;
    let widened = policy.calls.iter().filter(|r| r.evidence.generalised.is_some()).count()
        + policy.files.iter().filter(|r| r.evidence.generalised.is_some()).count();
    writeln!(out, "| rules wider than what was seen (policy.json says how) | {widened} |")?;
    writeln!(
        out,
        "\nIt allows what training showed: what the training never did will be refused. Train on the test suite, and on start, stop,\n\
         reload and the rare operations too.\n"
    )?;
    saturation(out, policy)?;
    arguments(out, policy)?;
    if !policy.notes.is_empty() || !notes.is_empty() {
        writeln!(out, "## Notes\n")?;
        for note in policy.notes.iter().chain(notes) {
            writeln!(out, "- {}", plain(note))?;
        }
        writeln!(out)?;
    }
    let advice = advice::lines(policy);
    if !advice.is_empty() {
        writeln!(out, "## Capabilities that can often be done without\n")?;
        for line in advice {
            writeln!(out, "- {line}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "## How to apply it\n\n```sh")?;
    writeln!(out, "sudo apparmor_parser -r apparmor.profile")?;
    let add: String = known.iter().map(|c| format!(" --cap-add {c}")).collect();
    let options = format!(
        "--security-opt seccomp=seccomp.json --security-opt apparmor={name} --cap-drop ALL{add}"
    );
    writeln!(out, "docker run {options} IMAGE")?;
    writeln!(out, "podman run {options} IMAGE\n```\n")?;
    writeln!(
        out,
        "Kubernetes: `securityContext.seccompProfile.localhostProfile`, `securityContext.appArmorProfile` and\n\
         `securityContext.capabilities` take the three files' contents. Prove it again with `learn verify DIR -- COMMAND`."
    )
}

/// A text that another chose, in one line: what would begin a new line or steer a terminal is escaped.
fn one_line(text: &str) -> String {
    let steers = |c: char| {
        let moves = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || moves
    };
    text.chars()
        .flat_map(|c| {
            let escaped = steers(c).then(|| c.escape_default());
            let itself = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(itself)
        })
        .collect()
}

/// Such a text outside a block of code: no markup either.
fn plain(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;")
}

/// How much of what its units need the training has shown.
fn saturation(out: &mut String, policy: &Policy) -> std::fmt::Result {
    let of = &policy.saturation;
    writeln!(out, "## Test-suite saturation\n")?;
    let percent = |part: Decimal| format!("{:.1} %", part.value() * 100.0);
    if of.units < 2 {
        return writeln!(
            out,
            "{} unit(s): of fewer than two nothing is estimated. Record more runs, or mark the tests of a suite as units (`learn mark`).\n",
            of.units
        );
    }
    let whole = match of.runs_as_units {
        0 => String::new(),
        runs => format!(", of which {runs} are whole runs"),
    };
    let news = match (of.all.chance, of.all.chance_below) {
        (_, Some(below)) => format!(
            "None of them needed something that no other did: the next one will with a chance below {} (95 % confidence).",
            percent(below)
        ),
        (Some(chance), None) => format!(
            "The next one needs something that is refused with a chance of about {}.",
            percent(chance)
        ),
        (None, None) => String::new(),
    };
    writeln!(
        out,
        "Estimated from {} units{whole}. {news} This speaks of more units like these, and not of production: a test suite is a sample\n\
         of itself.\n",
        of.units
    )?;
    writeln!(
        out,
        "| | needs seen | in one unit only | coverage | expected at least | chance of something new |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let kinds = of.kinds.iter().map(|(kind, of)| (kind.name().to_owned(), of));
    let domains = of.programs.iter().map(|(path, of)| (cell(&path.escaped()), of));
    for (name, of) in std::iter::once(("all".to_owned(), &of.all)).chain(kinds).chain(domains) {
        let chance = match of.chance_below {
            Some(below) => format!("below {}", percent(below)),
            None => of.chance.map(percent).unwrap_or_default(),
        };
        writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {chance} |",
            of.seen,
            of.in_one,
            of.coverage.map(percent).unwrap_or_default(),
            of.expected.map_or_else(String::new, |n| format!("{:.1}", n.value())),
        )?;
    }
    let points: Vec<String> = of
        .curve
        .iter()
        .map(|point| format!("{}: {:.1}", point.units, point.needs.value()))
        .collect();
    writeln!(out, "\nNeeds that so many units are expected to show: {}.\n", points.join(", "))
}

/// A text that another chose, in a cell of a table.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}

/// What is limited of each call's arguments, what is not, and why.
fn arguments(out: &mut String, policy: &Policy) -> std::fmt::Result {
    let decided: Vec<_> =
        policy.calls.iter().filter(|rule| !rule.evidence.arguments.is_empty()).collect();
    if decided.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "## Arguments of system calls\n\n\
         Operations, families and flag words are compared, in their low 32 bits. Pointers, descriptors, sizes and process ids never are:\n\
         calls that have nothing else are not listed. `learn explain CALL policy.json` says which values are allowed, and why.\n"
    )?;
    writeln!(out, "| call | rules | stays open |\n|---|---|---|")?;
    for rule in decided {
        let name = rule.allow.name.as_deref().unwrap_or_default();
        let open: Vec<String> = rule
            .evidence
            .arguments
            .iter()
            .filter(|decision| decision.allowed == Allowed::Any)
            .map(|decision| format!("{}: {}", decision.name, decision.why))
            .collect();
        let open = if open.is_empty() { "nothing".to_owned() } else { open.join("; ") };
        let (name, open) = (plain(name), plain(&open));
        writeln!(out, "| {name} ({}) | {} | {open} |", rule.allow.abi, rule.allow.when.len())?;
    }
    writeln!(out)
}

/// How the program of BPF is applied.
/// What is to be said of an AppArmor profile with child profiles.
pub(crate) fn children(children: &[apparmor::Child]) -> String {
    let names = children.iter().map(|child| format!("- `{}`", plain(&child.program.to_string())));
    format!(
        "\n`apparmor.profile` has a child profile for each of these programs and what it runs; the others do not get what only they need:\n\n{}\n\n\
         The kernel refuses the change to a child profile where no_new_privs is set. `seccomp.json` and `capabilities.json` are for all of them.\n",
        names.collect::<Vec<_>>().join("\n")
    )
}

/// What is to be said of an AppArmor profile that complains.
pub(crate) const COMPLAINS: &str = "\n`apparmor.profile` refuses nothing: it is in complain mode, and what it does not allow is done and written to the audit log\n\
     (`dmesg | grep 'apparmor=\"ALLOWED\"'`). `learn verify` lists it with the rules that would allow it. Generate again without `--complain` before it\n\
     counts as a defence.\n";

pub(crate) fn bpf(instructions: usize) -> String {
    format!(
        "\n`seccomp.bpf` is the seccomp profile as a program of BPF ({instructions} instructions) for machines of this kind:\n\n\
         ```sh\nbwrap --ro-bind / / --seccomp 9 COMMAND 9<seccomp.bpf\n```\n"
    )
}

//! The least that a command needs of a policy: rules are dropped in groups, and each drop is proved by a run under the profiles
//! without them. Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), helped by what
//! a refusal tells: which rule was missed.
//!
//! - [`rules`]: what can be dropped of a policy
//! - [`search`]: which groups are tried; knows nothing of profiles

mod rules;
mod search;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use learner::Policy;

use crate::profiles::Profiles;
use crate::run::{self, Manner, Proof};
use crate::{Options, Report, VerifyError};

use rules::Rules;
use search::{Search, Trial};

/// So often the whole profile must let the command pass, and the command end alike, before anything is dropped.
const STEADY: u64 = 3;
/// So many runs are kept for the end, in which what is left is run until it passes: what a command needs at times comes back then.
const KEPT: u64 = 3;
/// A run may take so many times as long as the whole profile's runs, and a bit more.
const PATIENCE: u32 = 2;
const LEAST: Duration = Duration::from_secs(1);

/// How to minimise.
#[derive(Clone, Debug)]
pub struct Minimise {
    /// At most so many runs of the command.
    pub budget: u64,
    /// The command may be refused something, as long as it ends as it does under the whole profile.
    pub tolerate_refusals: bool,
    /// A line for the shell, run before each run of the command and under no profile, so that it finds the same each time.
    pub prepare: Option<OsString>,
}

/// What is known so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs that were made.
    pub runs: u64,
    /// Runs that may be made.
    pub budget: u64,
    /// Rules that can be dropped.
    pub rules: usize,
    /// Rules of which it is known whether they are needed.
    pub settled: usize,
    /// Rules that were dropped.
    pub dropped: usize,
}

/// What became of a policy.
#[derive(Debug)]
pub struct Minimised {
    /// What is left of it; its notes tell how it was minimised.
    pub policy: Policy,
    /// The last run, under it.
    pub report: Report,
    /// Runs that were made.
    pub runs: u64,
    /// What was dropped, for a person.
    pub dropped: Vec<String>,
    /// What a run failed without.
    pub needed: Vec<String>,
    /// What was not tried, because the budget was used up.
    pub untested: Vec<String>,
}

/// Drops what the command does not need of the policy in the directory. The directory is left as it is.
///
/// # Errors
/// As [`crate::verify`]; and when the command is refused something by the whole profile, or does not end alike each time.
pub fn minimise(
    options: &Options,
    how: &Minimise,
    on_run: &mut dyn FnMut(&Progress),
) -> Result<Minimised, VerifyError> {
    let given = Profiles::read(&options.profiles)?;
    let rules = Rules::of(&given.policy);
    let mut work = Work {
        given: &given,
        command: &options.command,
        policy: &given.policy,
        rules: &rules,
        how,
        runs: 0,
        end: String::new(),
        longest: Duration::ZERO,
        limit: None,
    };
    work.steady()?;
    let used = work.listen()?;
    let all: BTreeSet<usize> = (0..rules.len()).collect();
    // What was never asked for first: there the largest groups can be dropped.
    let mut search = Search::new(all.difference(&used).copied().collect(), used);
    while let Some(group) = search.next() {
        on_run(&work.progress(&search));
        if work.runs + KEPT >= how.budget {
            search.give_up();
            break;
        }
        let dropped = search.dropped().union(&group).copied().collect();
        let (trial, _) = work.trial(&dropped)?;
        search.tried(&group, &trial);
    }
    on_run(&work.progress(&search));
    work.conclude(search)
}

/// The runs.
struct Work<'a> {
    given: &'a Profiles,
    command: &'a [OsString],
    policy: &'a Policy,
    rules: &'a Rules,
    how: &'a Minimise,
    runs: u64,
    /// How the command ends under the whole profile.
    end: String,
    /// The longest run so far.
    longest: Duration,
    /// So long a run may take: a command that waits for what it was refused would wait forever.
    limit: Option<Duration>,
}

impl Work<'_> {
    fn run(&mut self, dropped: &BTreeSet<usize>, lenient: bool) -> Result<Proof, VerifyError> {
        self.prepare()?;
        self.runs += 1;
        let started = Instant::now();
        let policy = self.rules.without(self.policy, dropped);
        let profiles = self.given.less(policy);
        let proof = run::prove(
            &profiles,
            self.command,
            Manner { lenient, repeated: true, limit: self.limit },
        )?;
        self.longest = self.longest.max(started.elapsed());
        Ok(proof)
    }

    fn prepare(&self) -> Result<(), VerifyError> {
        let Some(line) = &self.how.prepare else { return Ok(()) };
        let fail = |what: String| VerifyError::Prepare { line: line.clone(), what };
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line).stdin(Stdio::null());
        match shell.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(fail(status.to_string())),
            Err(error) => Err(fail(error.to_string())),
        }
    }

    /// The whole profile lets the command pass each time, and the command ends alike.
    fn steady(&mut self) -> Result<(), VerifyError> {
        // These, the one that listens, and one trial.
        let least = STEADY + 2 + KEPT;
        if self.how.budget < least {
            return Err(VerifyError::Budget { given: self.how.budget, least });
        }
        for _ in 0..STEADY {
            let proof = self.run(&BTreeSet::new(), false)?;
            if let Some(denial) =
                proof.report.denials.first().filter(|_| !self.how.tolerate_refusals)
            {
                let what = match &denial.capability {
                    Some(capability) => format!("{capability} for {}", denial.call),
                    None => format!("{}({})", denial.call, denial.arguments),
                };
                return Err(VerifyError::Unsteady {
                    what: format!("the whole profile refuses {what} of {}", denial.program),
                });
            }
            if self.end.is_empty() {
                self.end = proof.report.end;
            } else if self.end != proof.report.end {
                return Err(VerifyError::Unsteady {
                    what: format!("it ended with {:?} and with {:?}", self.end, proof.report.end),
                });
            }
        }
        self.limit = Some(self.longest * PATIENCE + LEAST);
        Ok(())
    }

    /// Which rules for calls the command asks for: one run in which nothing is refused but all is told.
    fn listen(&mut self) -> Result<BTreeSet<usize>, VerifyError> {
        let calls = self.rules.calls();
        // Each call takes the way through the supervisor.
        let limit = self.limit.take();
        self.limit = limit.map(|limit| limit * PATIENCE * PATIENCE);
        let proof = self.run(&calls, true)?;
        self.limit = limit;
        Ok(self.rules.asked_for(&proof.healing, &calls))
    }

    /// Whether the command passes without these rules; and which of them it was refused.
    fn trial(&mut self, dropped: &BTreeSet<usize>) -> Result<(Trial, Proof), VerifyError> {
        let proof = self.run(dropped, false)?;
        let quiet = self.how.tolerate_refusals || proof.report.denials.is_empty();
        let passed = quiet && proof.report.end == self.end;
        let blamed = match self.how.tolerate_refusals {
            // A refusal is no proof then.
            true => BTreeSet::new(),
            false => self.rules.asked_for(&proof.healing, dropped),
        };
        Ok((Trial { passed, blamed }, proof))
    }

    fn progress(&self, search: &Search) -> Progress {
        Progress {
            runs: self.runs,
            budget: self.how.budget,
            rules: self.rules.len(),
            settled: search.dropped().len() + search.needed().len(),
            dropped: search.dropped().len(),
        }
    }

    /// What is left is run once more, and again when it turns out that more is needed at times.
    fn conclude(mut self, mut search: Search) -> Result<Minimised, VerifyError> {
        // Nothing is guessed from the last run's time.
        self.limit = self.limit.map(|limit| limit * PATIENCE * PATIENCE);
        let proof = loop {
            let (trial, proof) = self.trial(search.dropped())?;
            if trial.passed {
                break proof;
            }
            if !search.restore(&trial.blamed) || self.runs >= self.how.budget {
                return Err(VerifyError::Unsteady {
                    what: format!(
                        "what passed before ended with {:?} and {} denials",
                        proof.report.end,
                        proof.report.denials.len()
                    ),
                });
            }
        };
        let names = |of: &BTreeSet<usize>| -> Vec<String> {
            of.iter().map(|rule| self.rules.name(self.policy, *rule)).collect()
        };
        let (dropped, needed, untested) =
            (names(search.dropped()), names(search.needed()), names(search.untested()));
        let mut policy = self.rules.without(self.policy, search.dropped());
        policy.notes.extend(notes(self.runs, self.how, &dropped, &needed, &untested));
        if !search.at_times().is_empty() {
            policy.notes.insert(format!(
                "kept, since some runs passed without and others did not: {}",
                names(search.at_times()).join(", ")
            ));
        }
        if !proof.sees_capabilities && !self.policy.capabilities.is_empty() {
            policy.notes.insert(
                "refusals of capabilities could not be seen: one was dropped when the command ended alike without it"
                    .to_owned(),
            );
        }
        Ok(Minimised { policy, report: proof.report, runs: self.runs, dropped, needed, untested })
    }
}

/// What the profile's README says of it.
fn notes(
    runs: u64,
    how: &Minimise,
    dropped: &[String],
    needed: &[String],
    untested: &[String],
) -> Vec<String> {
    let refusals = match how.tolerate_refusals {
        true => "the same end of the command, refusals tolerated",
        false => "the same end of the command and nothing refused",
    };
    let mut notes = vec![format!(
        "minimised by {runs} enforced runs: {} of {} rules dropped, each drop proved by a run with {refusals}; {} proved needed by a \
         run that failed without",
        dropped.len(),
        dropped.len() + needed.len() + untested.len(),
        needed.len()
    )];
    if !dropped.is_empty() {
        notes.push(format!("minimised away: {}", dropped.join(", ")));
    }
    if !untested.is_empty() {
        notes.push(format!("kept untested, since the budget was used up: {}", untested.join(", ")));
    }
    notes
}

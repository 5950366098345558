//! Finding out which containers a recorder meets, while it goes on recording: engines take their time to answer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use super::engine::{Container, Engine};
use super::marker::Marker;

/// So long an engine may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How the containers to be recorded are told.
#[derive(Debug)]
enum Which {
    /// By the filter of one that is being started: the engine writes its identifier to a file.
    Marked { marker: Marker, cidfile: PathBuf, engine: Engine },
    /// By their names or identifiers. All engines are asked, so that the containers of others are told from what is wanted; `only`
    /// that one's are wanted.
    Named { names: Vec<String>, engines: Vec<Engine>, only: Option<String> },
}

/// The containers of a recording.
#[derive(Debug)]
pub struct Watch {
    which: Which,
    since: SystemTime,
    tell: Sender<Answer>,
    told: Receiver<Answer>,
    asked: BTreeMap<u32, Option<String>>,
    answered: BTreeMap<u32, Option<Found>>,
}

/// What was found out about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The client of its engine.
    pub engine: String,
    /// What the engine knows of it.
    pub container: Container,
}

#[derive(Debug)]
struct Answer {
    number: u32,
    found: Option<Found>,
}

/// What there is to say at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The containers to be recorded, by the recorder's numbers: labels of their runs.
    pub wanted: BTreeMap<u32, BTreeMap<String, String>>,
    /// Why something that was asked for may be missing.
    pub missing: BTreeSet<String>,
}

impl Watch {
    /// For a container that is started under a marked filter.
    pub fn marked(marker: Marker, cidfile: PathBuf, engine: Engine) -> Self {
        Self::new(Which::Marked { marker, cidfile, engine })
    }

    /// For containers with these names or identifiers, that run or will be started, in any of these engines.
    pub fn named(names: Vec<String>, engines: Vec<Engine>) -> Self {
        Self::new(Which::Named { names, engines, only: None })
    }

    /// For a container of one engine; others are asked as well.
    pub fn named_in(engine: Engine, name: String, mut others: Vec<Engine>) -> Self {
        let only = Some(engine.name());
        others.retain(|other| Some(other.name()) != only);
        others.insert(0, engine);
        Self::new(Which::Named { names: vec![name], engines: others, only })
    }

    fn new(which: Which) -> Self {
        let (tell, told) = channel();
        Self {
            which,
            since: SystemTime::now(),
            tell,
            told,
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    /// What tells the filter of the container to be recorded; `None` when they are told by their names.
    pub fn marker(&self) -> Option<Marker> {
        match &self.which {
            Which::Marked { marker, .. } => Some(*marker),
            Which::Named { .. } => None,
        }
    }

    /// Those of the named containers that run already.
    pub fn running(&self) -> Vec<Found> {
        let Which::Named { names, engines, only } = &self.which else { return Vec::new() };
        let wanted = |engine: &&Engine| only.as_ref().is_none_or(|only| engine.name() == *only);
        names
            .iter()
            .filter_map(|name| engines.iter().filter(wanted).find_map(|e| inspect(e, name)))
            .filter(|found| found.container.pid.is_some())
            .collect()
    }

    /// The recorder has met a container, and gave it a number: its engine is asked about it, once.
    pub fn met(&mut self, number: u32, id: Option<String>) {
        if self.asked.contains_key(&number) {
            return;
        }
        self.asked.insert(number, id.clone());
        let tell = self.tell.clone();
        let ask: Box<dyn FnOnce() -> Option<Found> + Send> = match &self.which {
            Which::Marked { cidfile, engine, .. } => {
                let (file, engine) = (cidfile.clone(), engine.clone());
                Box::new(move || inspect(&engine, std::fs::read_to_string(file).ok()?.trim()))
            }
            Which::Named { engines, .. } => {
                let engines = engines.clone();
                Box::new(move || {
                    let id = id?;
                    engines.iter().find_map(|engine| inspect(engine, &id))
                })
            }
        };
        std::thread::spawn(move || {
            // Nobody listens any more when the recording has been given up.
            let _given_up = tell.send(Answer { number, found: ask() });
        });
    }

    /// The numbers of the containers that were met.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.asked.keys().copied()
    }

    /// What has been found out since the last time: health checks by the containers' numbers.
    pub fn healthchecks(&mut self) -> Vec<(u32, Vec<String>)> {
        let mut checks = Vec::new();
        while let Ok(answer) = self.told.try_recv() {
            checks.extend(self.answered(answer));
        }
        checks
    }

    fn answered(&mut self, Answer { number, found }: Answer) -> Option<(u32, Vec<String>)> {
        let check = found.as_ref().and_then(|found| found.container.healthcheck.clone());
        self.answered.insert(number, found);
        check.map(|words| (number, words))
    }

    /// Waits for the answers that are still to come, and decides what was asked for.
    pub fn finish(mut self) -> Watched {
        while self.answered.len() < self.asked.len() {
            match self.told.recv_timeout(ANSWER) {
                Ok(answer) => _ = self.answered(answer),
                Err(_late) => break,
            }
        }
        let mut watched = Watched::default();
        match &self.which {
            Which::Marked { .. } => self.finish_marked(&mut watched),
            Which::Named { names, engines, only } => {
                self.finish_named(names, engines, only.as_ref(), &mut watched)
            }
        }
        watched
    }

    fn finish_marked(&self, watched: &mut Watched) {
        if self.asked.is_empty() {
            watched.missing.insert(
                "no process was seen under the container's filter: did it start, in an engine on this machine, with seccomp?"
                    .to_owned(),
            );
        }
        for number in self.asked.keys() {
            // One that is gone already was recorded all the same.
            let found = self.answered.get(number).and_then(Option::as_ref);
            watched.wanted.insert(*number, found.map(labels).unwrap_or_default());
        }
    }

    fn finish_named(
        &self,
        names: &[String],
        engines: &[Engine],
        only: Option<&String>,
        watched: &mut Watched,
    ) {
        let mut met: BTreeSet<&str> = BTreeSet::new();
        for (number, id) in &self.asked {
            let Some(id) = id else { continue };
            let labels = match self.answered.get(number) {
                Some(Some(found)) => labels(found),
                // It was removed before the engine was asked; the engine remembers.
                _ => match engines.iter().find_map(|e| remembered(e, id, self.since)) {
                    Some(labels) => labels,
                    None => {
                        watched.missing.insert(format!(
                            "no engine knows the container {id} any more: it is left out, whatever its name was"
                        ));
                        continue;
                    }
                },
            };
            if only.is_some() && labels.get("engine") != only {
                continue;
            }
            let called = |name: &&String| {
                labels.get("container") == Some(name) || (name.len() >= 12 && id.starts_with(*name))
            };
            if let Some(name) = names.iter().find(called) {
                met.insert(name);
                watched.wanted.insert(*number, labels);
            }
        }
        for name in names.iter().filter(|name| !met.contains(name.as_str())) {
            watched.missing.insert(format!("no process of a container {name} was seen"));
        }
    }
}

fn inspect(engine: &Engine, container: &str) -> Option<Found> {
    let container = engine.inspect(container).ok()?;
    Some(Found { engine: engine.name(), container })
}

fn labels(found: &Found) -> BTreeMap<String, String> {
    let Found { engine, container } = found;
    let mut labels = named(engine, &container.name);
    if !container.image.is_empty() {
        labels.insert("image".to_owned(), container.image.clone());
    }
    labels
}

fn named(engine: &str, name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("container".to_owned(), name.to_owned()),
        ("engine".to_owned(), engine.to_owned()),
    ])
}

fn remembered(engine: &Engine, id: &str, since: SystemTime) -> Option<BTreeMap<String, String>> {
    engine.name_of_removed(id, since).map(|name| named(&engine.name(), &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_and_not_met_is_told() {
        let watch = Watch::named(vec!["web".to_owned()], Vec::new());
        let watched = watch.finish();
        assert!(watched.wanted.is_empty());
        assert_eq!(watched.missing.len(), 1);
        assert!(watched.missing.iter().all(|why| why.contains("web")), "{watched:?}");
    }

    #[test]
    fn a_container_that_nobody_knows_is_told_and_left_out() {
        let mut watch = Watch::named(vec!["web".to_owned()], Vec::new());
        watch.met(1, Some("ab".repeat(32)));
        let watched = watch.finish();
        assert!(watched.wanted.is_empty());
        assert_eq!(watched.missing.len(), 2, "{watched:?}");
    }

    #[test]
    fn labels_tell_the_container_its_engine_and_its_image() {
        let container = Container {
            id: "ab".to_owned(),
            name: "web".to_owned(),
            image: "nginx:1".to_owned(),
            pid: None,
            healthcheck: None,
            security: Vec::new(),
        };
        let labels = labels(&Found { engine: "docker".to_owned(), container });
        let all: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(all, ["container=web", "engine=docker", "image=nginx:1"]);
    }
}

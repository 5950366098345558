//! Where in its course a recording is: which unit, which phase.

use std::collections::HashMap;

use enumset::EnumSet;

use crate::marks::Mark;
use crate::recording::{Phase, Seen, Units};

/// The course of a recording.
#[derive(Debug, Default)]
pub(crate) struct Course {
    names: Vec<String>,
    places: HashMap<String, u32>,
    unit: Option<u32>,
    phase: Option<Phase>,
}

impl Course {
    /// Begins with a unit, or outside of any.
    pub(crate) fn new(unit: Option<&String>) -> Self {
        let mut course = Self::default();
        if let Some(unit) = unit {
            course.enter(unit);
        }
        course
    }

    /// A unit begins, perhaps again.
    pub(crate) fn enter(&mut self, name: &str) {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(name.to_owned()).or_insert_with_key(|name| {
            self.names.push(name.clone());
            next
        });
        self.unit = Some(place);
    }

    /// What a harness says. True when this is the first phase: what was seen before belongs to the start.
    pub(crate) fn mark(&mut self, mark: &Mark) -> bool {
        if let Some(unit) = &mark.unit {
            self.enter(unit);
        }
        mark.phase.is_some_and(|phase| self.begin(phase))
    }

    /// A phase begins. True when it is the first.
    pub(crate) fn begin(&mut self, phase: Phase) -> bool {
        self.phase.replace(phase).is_none()
    }

    /// The phase, once one has begun.
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// The names of the units so far.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Neither a unit nor a phase: there is nothing to say of when something was seen.
    pub(crate) fn is_plain(&self) -> bool {
        self.unit.is_none() && self.phase.is_none()
    }

    /// What is seen now belongs to this unit and phase.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { units: self.unit.into_iter().collect(), phases: self.phase.into_iter().collect() }
    }
}

/// The units and phases of something that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) units: Units,
    pub(crate) phases: EnumSet<Phase>,
}

impl Stamp {
    /// It was seen at another time too.
    pub(crate) fn union(&mut self, other: &Self) {
        self.units.union(&other.units);
        self.phases |= other.phases;
    }

    /// Puts it on evidence.
    pub(crate) fn put_on(&self, seen: &mut Seen) {
        seen.units.union(&self.units);
        seen.phases |= self.phases;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_is_marked_again_is_the_same() {
        let mut course = Course::new(None);
        assert!(course.is_plain());
        for name in ["a", "b", "a"] {
            course.enter(name);
        }
        assert_eq!((course.names().len(), course.stamp().units.to_string()), (2, "0".to_owned()));
        course.begin(Phase::Serving);
        let mut all = course.stamp();
        course.enter("b");
        all.union(&course.stamp());
        let mut seen = Seen::default();
        all.put_on(&mut seen);
        assert_eq!(
            (seen.units.to_string(), seen.phases),
            ("0-1".to_owned(), [Phase::Serving].into())
        );
    }
}

//! The live line of a recording: when it goes quiet, training is done.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracer::session::Status;

use super::Ui;

/// What is new is counted over this time.
const LATELY: Duration = Duration::from_secs(5);

/// The line; on stderr, when that is a terminal and somebody wants to see it.
pub(crate) struct Progress {
    bar: ProgressBar,
    news: News,
}

impl Progress {
    pub(crate) fn start(ui: Ui) -> Self {
        let target =
            if ui.quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("learn: {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, news: News::default() }
    }

    pub(crate) fn show(&mut self, status: &Status) {
        let new = self.news.count(Instant::now(), status.facts);
        let seconds = LATELY.as_secs();
        let mut message = format!("{} facts, {new} new in {seconds} s", status.facts);
        if status.lost > 0 {
            message.push_str(&format!(", {} LOST", status.lost));
        }
        // The command may use the same terminal: what has not changed is not drawn again over its lines.
        if self.bar.message() != message {
            self.bar.set_message(message);
            self.bar.tick();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How many facts were known when.
#[derive(Default)]
struct News(VecDeque<(Instant, u64)>);

impl News {
    /// How many of the facts known now were not known a while ago.
    fn count(&mut self, now: Instant, facts: u64) -> u64 {
        self.0.push_back((now, facts));
        while self.0.get(1).is_some_and(|(then, _)| now.duration_since(*then) >= LATELY) {
            self.0.pop_front();
        }
        match self.0.front() {
            Some((then, known)) if now.duration_since(*then) >= LATELY => {
                facts.saturating_sub(*known)
            }
            // The recording is younger than that: all is new.
            _ => facts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_grows_old() {
        let start = Instant::now();
        let mut news = News::default();
        let mut at = |seconds, facts| news.count(start + Duration::from_secs(seconds), facts);
        assert_eq!(at(0, 10), 10);
        assert_eq!(at(3, 30), 30);
        assert_eq!(at(5, 31), 21);
        assert_eq!(at(9, 31), 1);
        assert_eq!(at(20, 31), 0);
    }
}

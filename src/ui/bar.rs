//! The bar of a work whose runs are counted.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use verifier::minimise::Progress;

use super::Ui;

/// The bar; on stderr, when that is a terminal and somebody wants to see it.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn start(ui: Ui) -> Self {
        let target =
            if ui.quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("learn: [{bar:24}] {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    /// The bar fills with the rules of which it is known whether they are needed.
    pub(crate) fn show(&mut self, progress: &Progress) {
        self.0.set_length(progress.rules as u64);
        self.0.set_position(progress.settled as u64);
        self.0.set_message(message(progress));
        self.0.tick();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn message(progress: &Progress) -> String {
    let Progress { runs, budget, rules, settled, dropped } = progress;
    format!("{settled} of {rules} rules settled, {dropped} dropped; run {runs} of at most {budget}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_the_budget() {
        let progress = Progress { runs: 7, budget: 50, rules: 90, settled: 30, dropped: 4 };
        let text = "30 of 90 rules settled, 4 dropped; run 7 of at most 50";
        assert_eq!(message(&progress), text);
    }
}

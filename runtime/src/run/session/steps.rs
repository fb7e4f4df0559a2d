//! How far loading and attaching has come, for who waits at a terminal.

use crate::run::events::Printer;
use crate::show::sink::Said;
use std::time::{Duration, Instant};

/// What takes less time is not worth a line.
const PATIENCE: Duration = Duration::from_secs(1);
/// The line is written anew this often.
const EVERY: Duration = Duration::from_millis(100);

/// A task of many steps.
#[derive(Debug)]
pub(super) struct Steps {
    /// What is done: `Attaching`.
    task: &'static str,
    total: usize,
    done: usize,
    /// When the line is due.
    due: Instant,
    shown: bool,
}

impl Steps {
    pub(super) fn new(task: &'static str, total: usize) -> Steps {
        Steps { task, total, done: 0, due: Instant::now() + PATIENCE, shown: false }
    }

    /// Counts a step; is the line to be written?
    fn step(&mut self, now: Instant) -> bool {
        self.done += 1;
        let due = now >= self.due;
        if due {
            self.due = now + EVERY;
            self.shown = true;
        }
        due
    }

    /// One more step is done.
    pub(super) fn advance(&mut self, printer: &mut Printer) {
        if self.step(Instant::now()) {
            let Steps { task, done, total, .. } = *self;
            printer.say(Said::Progress(Some((task, done, total))));
        }
    }

    /// The task is over, or has failed.
    pub(super) fn end(&self, printer: &mut Printer) {
        if self.shown {
            printer.say(Said::Progress(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_takes_long_is_shown() {
        let mut steps = Steps::new("Attaching", 4);
        let start = Instant::now();
        assert!(!steps.step(start) && !steps.shown);
        let later = start + PATIENCE + EVERY;
        assert!(steps.step(later) && steps.shown);
        assert!(!steps.step(later), "it was written just now");
        assert!(steps.step(later + EVERY));
        assert_eq!(steps.done, 4);
    }
}

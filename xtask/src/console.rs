//! Reads what an end-to-end runner tells, from a pipe or a guest's console, and shows it.

use rbtrace_tests::report::{Fact, Tally};
use std::collections::{BTreeMap, VecDeque};

/// Gathers the facts of one place.
pub(crate) struct Console {
    place: String,
    verbose: bool,
    tally: Tally,
    skips: BTreeMap<String, usize>,
    failed: Vec<String>,
    running: Option<String>,
    ended: bool,
    /// The last lines that are no facts: a kernel's panic, when there is one.
    other: VecDeque<String>,
}

/// Lines of a console that are shown when a guest does not end well.
const TAIL: usize = 120;

impl Console {
    /// A new place, such as `host` or `6.1`.
    pub(crate) fn new(place: &str, verbose: bool) -> Console {
        Console {
            place: place.to_owned(),
            verbose,
            tally: Tally::default(),
            skips: BTreeMap::new(),
            failed: vec![],
            running: None,
            ended: false,
            other: VecDeque::new(),
        }
    }

    /// Takes one line.
    pub(crate) fn line(&mut self, line: &str) {
        match Fact::parse(line) {
            Some(fact) => self.fact(fact),
            None => {
                self.other.push_back(line.trim_end().to_owned());
                if self.other.len() > TAIL {
                    self.other.pop_front();
                }
            }
        }
    }

    fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Start(name) => self.running = Some(name),
            Fact::Pass(name, ms) => {
                self.tally.passed += 1;
                self.running = None;
                if self.verbose {
                    println!("{}: pass {name} ({ms} ms)", self.place);
                }
            }
            Fact::Fail(name) => {
                self.tally.failed += 1;
                self.running = None;
                println!("{}: FAIL {name}", self.place);
                self.failed.push(name);
            }
            Fact::Detail(text) => println!("{}:     {text}", self.place),
            Fact::Skip(name, why) => {
                self.tally.skipped += 1;
                self.running = None;
                if self.verbose {
                    println!("{}: skip {name}: {why}", self.place);
                }
                *self.skips.entry(why).or_default() += 1;
            }
            Fact::End => self.ended = true,
        }
    }

    /// Ends the place: a runner that did not come to its end is a failure, with the console's last lines.
    pub(crate) fn close(mut self) -> Tally {
        if !self.ended {
            self.tally.failed += 1;
            let during = self.running.as_deref().unwrap_or("no case");
            println!(
                "{}: FAIL did not come to its end (during {during}); the last lines of its console:",
                self.place
            );
            self.other.iter().for_each(|l| println!("{}:     {l}", self.place));
        }
        for (why, n) in &self.skips {
            println!("{}: {n} skipped: {why}", self.place);
        }
        if !self.failed.is_empty() {
            println!("{}: failed: {}", self.place, self.failed.join(" "));
        }
        println!("{}: {}", self.place, self.tally);
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_dies_is_a_failure() {
        let mut console = Console::new("6.1", false);
        for line in ["@e2e start a/b", "@e2e pass a/b 1", "@e2e start a/c", "Kernel panic - not syncing"] {
            console.line(line);
        }
        assert_eq!(console.other.len(), 1);
        assert_eq!(console.close(), Tally { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn a_good_end() {
        let mut console = Console::new("host", false);
        for line in ["@e2e start a/b", "@e2e skip a/b needs root", "@e2e end"] {
            console.line(line);
        }
        assert_eq!(console.close(), Tally { passed: 0, failed: 0, skipped: 1 });
    }
}

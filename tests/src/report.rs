//! The runner's output, written in a guest and read outside: one marked line for each fact.

use crate::run::Outcome;

/// Goes before each line of the protocol: a guest's console also carries the kernel's messages.
pub const MARK: &str = "@e2e ";

/// One line of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A case begins.
    Start(String),
    /// It passed, after this many milliseconds.
    Pass(String, u128),
    /// It failed; its details follow.
    Fail(String),
    /// One line of a failure's details.
    Detail(String),
    /// It was not run, and why.
    Skip(String, String),
    /// All cases are done.
    End,
}

impl Fact {
    /// The facts of a verdict.
    pub fn of(name: &str, outcome: &Outcome, ms: u128) -> Vec<Fact> {
        match outcome {
            Outcome::Passed => vec![Fact::Pass(name.into(), ms)],
            Outcome::Skipped(why) => vec![Fact::Skip(name.into(), why.clone())],
            Outcome::Failed(text) => {
                let details = text.lines().map(|l| Fact::Detail(l.to_owned()));
                std::iter::once(Fact::Fail(name.into())).chain(details).collect()
            }
        }
    }

    /// The line of this fact.
    pub fn line(&self) -> String {
        match self {
            Fact::Start(name) => format!("{MARK}start {name}"),
            Fact::Pass(name, ms) => format!("{MARK}pass {name} {ms}"),
            Fact::Fail(name) => format!("{MARK}fail {name}"),
            Fact::Detail(text) => format!("{MARK}| {text}"),
            Fact::Skip(name, why) => format!("{MARK}skip {name} {why}"),
            Fact::End => format!("{MARK}end"),
        }
    }

    /// Reads a line; `None` for anything else that a console may carry.
    pub fn parse(line: &str) -> Option<Fact> {
        let rest = line.trim_end_matches('\r').split_once(MARK)?.1;
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (name, more) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(match word {
            "start" => Fact::Start(rest.into()),
            "pass" => Fact::Pass(name.into(), more.parse().ok()?),
            "fail" => Fact::Fail(rest.into()),
            "|" => Fact::Detail(rest.into()),
            "skip" => Fact::Skip(name.into(), more.into()),
            "end" => Fact::End,
            _ => return None,
        })
    }
}

/// Counts of passed, failed and skipped cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped, each with its reason.
    pub skipped: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_a_console() {
        let facts = [
            Fact::Start("a/b".into()),
            Fact::Pass("a/b".into(), 12),
            Fact::Fail("a/b".into()),
            Fact::Detail("    x: y ".into()),
            Fact::Detail("".into()),
            Fact::Skip("a/b".into(), "needs root".into()),
            Fact::End,
        ];
        for fact in facts {
            assert_eq!(Fact::parse(&format!("[ 1.0] {}\r", fact.line())), Some(fact));
        }
        assert_eq!(Fact::parse("[    1.2] Kernel panic - not syncing"), None);
    }
}

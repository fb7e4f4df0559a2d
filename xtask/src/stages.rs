//! The stages of `cargo xtask test` that need no tracer: formatting, lints, unit tests.

use crate::command::cargo;
use anyhow::{Context as _, Result};
use rbtrace_tests::report::Tally;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

/// Formatting, as one check.
pub(crate) fn format() -> Tally {
    check("cargo fmt --check", cargo().args(["fmt", "--all", "--check"]))
}

/// Lints, as one check.
pub(crate) fn lints() -> Tally {
    let args = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    check("cargo clippy", cargo().args(args))
}

fn check(name: &str, command: &mut Command) -> Tally {
    println!("== {name}");
    let fine = command.status().is_ok_and(|s| s.success());
    if !fine {
        println!("FAIL {name}");
    }
    Tally { passed: fine.into(), failed: (!fine).into(), skipped: 0 }
}

/// The unit and snapshot tests of all crates.
pub(crate) fn unit() -> Result<Tally> {
    println!("== cargo test");
    let mut command = cargo();
    command.args(["test", "--quiet", "--workspace", "--no-fail-fast"]).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo test")?;
    let mut tally = Tally::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            match results(&line) {
                Some(part) => tally += part,
                None => show(&line),
            }
        }
    }
    // A crate that does not compile gives no result line.
    if !child.wait()?.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    println!("unit tests: {tally}");
    Ok(tally)
}

/// Everything but the rows of dots.
fn show(line: &str) {
    let noise = line.is_empty() || line.starts_with("running ") || line.chars().all(|c| c == '.' || c == 'i');
    if !noise && !line.starts_with("...") {
        println!("{line}");
    }
}

/// Reads `test result: ok. 14 passed; 0 failed; 1 ignored; …`.
fn results(line: &str) -> Option<Tally> {
    let mut numbers = line.strip_prefix("test result: ")?.split([' ', ';']).filter_map(|w| w.parse().ok());
    Some(Tally { passed: numbers.next()?, failed: numbers.next()?, skipped: numbers.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines() {
        let line = "test result: FAILED. 14 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.5s";
        assert_eq!(results(line), Some(Tally { passed: 14, failed: 2, skipped: 1 }));
        assert_eq!(results("running 3 tests"), None);
    }
}

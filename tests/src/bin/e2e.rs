//! Runs the cases on the kernel that it stands on, and tells the results line by line (see `report`).
//!
//! `rbtrace-e2e --bin COMMAND --cases DIR [--tools DIR] [--only REGEX] [--reference] [--vm] [--scale N] [--exclusive] [--list]`

use anyhow::{Context as _, Result, bail};
use rbtrace_tests::case::{self, Case};
use rbtrace_tests::report::{Fact, Tally};
use rbtrace_tests::run::{self, Outcome, Settings};
use regex_lite::Regex;
use std::time::Instant;

struct Options {
    settings: Settings,
    only: Option<Regex>,
    list: bool,
}

fn options() -> Result<Options> {
    let settings = Settings {
        rbtrace: "rbtrace".into(),
        tools: "/nonexistent".into(),
        cases: "tests/cases".into(),
        reference: false,
        scale: 1,
        exclusive: false,
        machine: rbtrace_tests::requires::Machine::default(),
    };
    let mut o = Options { settings, only: None, list: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--bin" => o.settings.rbtrace = value()?,
            "--cases" => o.settings.cases = value()?,
            "--tools" => o.settings.tools = value()?,
            "--only" => o.only = Some(Regex::new(&value()?)?),
            "--scale" => o.settings.scale = value()?.parse()?,
            "--reference" => o.settings.reference = true,
            "--exclusive" => o.settings.exclusive = true,
            "--vm" => o.settings.machine.vm = true,
            "--list" => o.list = true,
            _ => bail!("unknown option {arg}"),
        }
    }
    Ok(o)
}

fn main() -> Result<()> {
    let o = options()?;
    let mut cases = case::load(o.settings.cases.as_ref())?;
    cases.retain(|c| o.only.as_ref().is_none_or(|r| r.is_match(&c.name)));
    if o.list {
        cases.iter().for_each(|c| println!("{}", c.name));
        return Ok(());
    }
    let tally = run_all(&cases, &o.settings);
    println!("{}", Fact::End.line());
    std::process::exit(i32::from(tally.failed > 0));
}

fn run_all(cases: &[Case], settings: &Settings) -> Tally {
    let mut tally = Tally::default();
    for case in cases {
        println!("{}", Fact::Start(case.name.clone()).line());
        let start = Instant::now();
        let outcome = run::run(case, settings);
        match &outcome {
            Outcome::Passed => tally.passed += 1,
            Outcome::Failed(_) => tally.failed += 1,
            Outcome::Skipped(_) => tally.skipped += 1,
        }
        for fact in Fact::of(&case.name, &outcome, start.elapsed().as_millis()) {
            println!("{}", fact.line());
        }
    }
    tally
}

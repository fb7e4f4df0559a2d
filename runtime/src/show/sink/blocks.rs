//! Results of tests and measurements, as text.

use crate::show::print::write::put;
use std::rc::Rc;

/// Characters of the column of names, at least.
const NAMES: usize = 40;
/// Characters of the column of times.
const TIMES: usize = 15;
const RUNS: &str = "Iterations";

/// Appends a measurement, the first one behind the table's head.
pub(super) fn measured(
    names: &[Rc<str>],
    (index, first): (usize, bool),
    average: u64,
    runs: u64,
    out: &mut Vec<u8>,
) {
    let width = names.iter().map(|n| n.len()).max().unwrap_or(0).max(NAMES) + 1;
    if first {
        put(out, &format!("{:<width$}{:<TIMES$}{RUNS}\n", "Benchmark", "Time(ns)"));
        put(out, &format!("{}\n", "-".repeat(width + TIMES + RUNS.len())));
    }
    let name = names.get(index).map_or("", |n| n);
    put(out, &format!("{name:<width$}{average:<TIMES$}{runs}\n"));
}

/// Appends the result of the test that was run last, and behind the last of all the sum.
pub(super) fn tested(
    names: &[Rc<str>],
    passed: &[bool],
    nanos: u64,
    output: &[u8],
    colours: bool,
    out: &mut Vec<u8>,
) {
    let mark = |good: bool, text: &str| match (colours, good) {
        (false, _) => format!("[{text}] "),
        (true, true) => format!("\x1b[32m[{text}]\x1b[0m "),
        (true, false) => format!("\x1b[31m[{text}]\x1b[0m "),
    };
    let index = passed.len().saturating_sub(1);
    let name = names.get(index).map_or("", |n| n);
    if index == 0 {
        put(out, &format!("{}Running {}.\n", mark(true, "=========="), tests(names.len())));
    }
    put(out, &format!("{}{name}\n", mark(true, " RUN      ")));
    let good = passed.last() == Some(&true);
    if good {
        put(out, &mark(true, "       OK "));
    } else {
        output.split(|b| *b == b'\n').filter(|line| !line.is_empty()).for_each(|line| {
            out.extend_from_slice(line);
            out.push(b'\n');
        });
        put(out, &mark(false, "  FAILED  "));
    }
    put(out, &format!("{name} ({})\n", duration(nanos)));
    if passed.len() < names.len() {
        return;
    }
    put(out, &format!("{}{} ran.\n", mark(true, "=========="), tests(names.len())));
    let fine = passed.iter().filter(|good| **good).count();
    put(out, &format!("{}{}.\n", mark(true, "  PASSED  "), tests(fine)));
    if fine < names.len() {
        put(out, &format!("{}{}, listed below:\n", mark(false, "  FAILED  "), tests(names.len() - fine)));
    }
    for (name, _) in names.iter().zip(passed).filter(|(_, good)| !**good) {
        put(out, &format!("{}{name}\n", mark(false, "  FAILED  ")));
    }
}

fn tests(n: usize) -> String {
    if n == 1 { "1 test".into() } else { format!("{n} tests") }
}

fn duration(nanos: u64) -> String {
    match nanos {
        1_000_000_000.. => format!("{} s", nanos / 1_000_000_000),
        1_000_000.. => format!("{} ms", nanos / 1_000_000),
        1_000.. => format!("{} us", nanos / 1_000),
        _ => format!("{nanos} ns"),
    }
}

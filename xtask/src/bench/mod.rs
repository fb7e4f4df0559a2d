//! `cargo xtask bench`: rbtrace beside whichever `bpftrace` is on the PATH, in one run.
//!
//! Start-up is CPU time and peak memory of whole processes; cost per event is the kernel's own
//! `run_time_ns` (`BPF_ENABLE_STATS`) less that of an empty program; output is events delivered and the
//! tracer's CPU time for each. Rounds of the two tools alternate and medians are shown, because these
//! figures drift with whatever else the machine does: compare the ratios of one run.

mod bpf;
mod emit;
mod event;
pub(crate) mod load;
mod startup;

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// A tracer under test.
pub(crate) struct Tool {
    /// Column head.
    name: &'static str,
    path: PathBuf,
}

/// Runs the pieces that `args` names, all of them by default; `--peer PATH` names another peer.
pub(crate) fn run(rbtrace: &Path, args: &[String]) -> Result<()> {
    let mut pieces = vec![];
    let mut peer = find_on_path("bpftrace");
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--peer" => match args.next() {
                Some(p) => peer = Some(p.into()),
                None => bail!("--peer wants a path"),
            },
            "startup" | "event" | "emit" => pieces.push(arg.as_str()),
            other => bail!("bench knows startup, event, emit and --peer PATH, not '{other}'"),
        }
    }
    if pieces.is_empty() {
        pieces = vec!["startup", "event", "emit"];
    }
    let mut tools = vec![Tool { name: "rbtrace", path: rbtrace.to_path_buf() }];
    match peer {
        Some(path) => tools.push(Tool { name: "bpftrace", path }),
        None => println!("(no bpftrace on the PATH: rbtrace alone)"),
    }
    for piece in pieces {
        match piece {
            "startup" => startup::run(&tools)?,
            "event" => event::run(&tools)?,
            _ => emit::run(&tools)?,
        }
    }
    Ok(())
}

fn find_on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|d| d.join(name)).find(|p| p.is_file())
}

/// The middle of the figures; `None` of none.
fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Prints a table: one row an item, one column a tool, and the first tool's share of the second's.
fn table(title: &str, unit: &str, tools: &[Tool], rows: &[(&str, Vec<Option<f64>>)]) {
    println!("\n{title} [{unit}]");
    print!("{:<28}", "");
    for t in tools {
        print!("{:>12}", t.name);
    }
    println!("{:>10}", if tools.len() > 1 { "ratio" } else { "" });
    for (item, figures) in rows {
        print!("{item:<28}");
        for f in figures {
            match f {
                Some(f) => print!("{f:>12.2}"),
                None => print!("{:>12}", "-"),
            }
        }
        match figures.as_slice() {
            [Some(a), Some(b)] if *b > 0.0 => println!("{:>10.3}", a / b),
            _ => println!(),
        }
    }
}

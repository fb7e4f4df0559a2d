//! Output: events that reach a file, and the tracer's own CPU time for each.

use super::event::Tracer;
use super::{Tool, load, table};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

const PROGRAM: &str = r#"tracepoint:syscalls:sys_enter_getppid { printf("ev %d %d\n", pid, 42); }"#;
/// Events a second that are wanted, each for one second.
const RATES: &[u64] = &[50_000, 800_000];

pub(super) fn run(tools: &[Tool]) -> Result<()> {
    let _stats = super::bpf::enable_stats()?;
    let mut lost = vec![];
    let mut cpu = vec![];
    let labels: Vec<String> = RATES.iter().map(|r| format!("{}k events/s", r / 1000)).collect();
    for (&rate, label) in RATES.iter().zip(&labels) {
        let mut row = vec![];
        for tool in tools {
            row.push(one(tool, rate).with_context(|| format!("{}: {label}", tool.name))?);
        }
        lost.push((label.as_str(), row.iter().map(|r| Some(r.0)).collect::<Vec<_>>()));
        cpu.push((label.as_str(), row.iter().map(|r| Some(r.1)).collect::<Vec<_>>()));
    }
    table("printf to a file: lost", "%", tools, &lost);
    table("printf to a file: tracer's CPU time per event", "ns", tools, &cpu);
    Ok(())
}

/// Share of the events that were lost, in percent, and CPU nanoseconds for each delivered one.
fn one(tool: &Tool, rate: u64) -> Result<(f64, f64)> {
    let path = std::env::temp_dir().join(format!("rbtrace-bench-{}", std::process::id()));
    let tracer = Tracer::start_to(tool, PROGRAM, Stdio::from(File::create(&path)?))?;
    std::thread::sleep(Duration::from_millis(300));
    let before = cpu_ns(tracer.0.id())?;
    let pid = load::run("getppid", rate, Some(rate))?;
    let mut size = u64::MAX;
    // Until the file stands still.
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = fs::metadata(&path)?.len();
        if now == size {
            break;
        }
        size = now;
    }
    let spent = cpu_ns(tracer.0.id())? - before;
    drop(tracer);
    let mark = format!("ev {pid} ");
    let mut got = 0u64;
    for line in BufReader::new(File::open(&path)?).lines() {
        got += u64::from(line?.starts_with(&mark));
    }
    fs::remove_file(&path)?;
    Ok((100.0 * (1.0 - got as f64 / rate as f64), spent as f64 / got.max(1) as f64))
}

/// CPU time of all threads of a process (`/proc/PID/task/TID/schedstat`).
fn cpu_ns(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(sum)
}

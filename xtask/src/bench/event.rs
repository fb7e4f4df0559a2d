//! Cost of one event in the kernel: `run_time_ns` per run less an empty program's, and instructions.

use super::bpf::{self, Empty, Stats};
use super::{Tool, load, median, table};
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Events of one chunk and how many chunks count.
const EVENTS: u64 = 60_000;
const CHUNKS: usize = 5;

/// Item and body; every body is attached to the entry of getppid(2).
const ITEMS: &[(&str, &str)] = &[
    ("count()", "@ = count();"),
    ("count() by pid", "@[pid] = count();"),
    ("count() by comm", "@[comm] = count();"),
    ("hist()", "@ = hist(tid);"),
    ("lhist()", "@ = lhist(tid, 0, 100000, 1000);"),
    ("sum()", "@ = sum(tid);"),
    ("stats()", "@ = stats(tid);"),
    ("kstack", "@[kstack] = count();"),
    ("ustack", "@[ustack] = count();"),
];
const ENTER: &str = "tracepoint:syscalls:sys_enter_getppid";
const EXIT: &str = "tracepoint:syscalls:sys_exit_getppid";

fn programs() -> Vec<(&'static str, String)> {
    let mut all: Vec<_> = ITEMS.iter().map(|(n, body)| (*n, format!("{ENTER} {{ {body} }}"))).collect();
    all.push(("false predicate", format!("{ENTER} /pid == 1/ {{ @ = count(); }}")));
    all.push((
        "latency by tid",
        format!(
            "{ENTER} {{ @start[tid] = nsecs; }} \
             {EXIT} /@start[tid]/ {{ @us = hist(nsecs - @start[tid]); delete(@start, tid); }}"
        ),
    ));
    all
}

pub(super) fn run(tools: &[Tool]) -> Result<()> {
    let _stats = bpf::enable_stats()?;
    let empty = Empty::attach("syscalls/sys_enter_getppid")?;
    let mut time = vec![];
    let mut size = vec![];
    for (item, program) in programs() {
        let mut row = vec![];
        for tool in tools {
            row.push(measure(tool, &program, &empty).with_context(|| format!("{}: {item}", tool.name))?);
        }
        time.push((item, row.iter().map(|r| Some(r.0)).collect::<Vec<_>>()));
        size.push((item, row.iter().map(|r| Some(r.1)).collect::<Vec<_>>()));
    }
    table("per event, net of an empty program", "ns", tools, &time);
    table("BPF instructions after the verifier", "n", tools, &size);
    Ok(())
}

/// Nanoseconds net and instructions, summed over the programs that run for each event.
fn measure(tool: &Tool, program: &str, empty: &Empty) -> Result<(f64, f64)> {
    let tracer = Tracer::start(tool, program)?;
    let mut net = vec![];
    let mut insns = 0.0;
    for chunk in 0..=CHUNKS {
        let before: HashMap<u32, Stats> = bpf::of_process(tracer.0.id())?.into_iter().collect();
        let empty_before = empty.stats()?;
        load::run("getppid", EVENTS, None)?;
        let base = per_run(empty_before, empty.stats()?);
        if chunk == 0 {
            continue;
        }
        let (mut ns, mut size) = (0.0, 0u32);
        for (id, after) in bpf::of_process(tracer.0.id())? {
            let b = before.get(&id).copied().unwrap_or_default();
            // Programs of begin and end, or of other events, do not belong to the item.
            if after.run_cnt - b.run_cnt > EVENTS / 10 {
                ns += per_run(b, after) - base;
                size += after.insns;
            }
        }
        net.push(ns);
        insns = f64::from(size);
    }
    Ok((median(&net).unwrap_or(0.0), insns))
}

fn per_run(before: Stats, after: Stats) -> f64 {
    let runs = (after.run_cnt - before.run_cnt).max(1);
    (after.run_time_ns - before.run_time_ns) as f64 / runs as f64
}

/// A tracer that runs; ended by SIGINT when dropped.
pub(super) struct Tracer(pub Child);

impl Tracer {
    /// Starts a program and waits until it sees events.
    pub(super) fn start(tool: &Tool, program: &str) -> Result<Tracer> {
        Tracer::start_to(tool, program, Stdio::null())
    }

    /// The same with a place for its output.
    pub(super) fn start_to(tool: &Tool, program: &str, out: Stdio) -> Result<Tracer> {
        let child = Command::new(&tool.path)
            .args(["-e", program])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()?;
        let mut tracer = Tracer(child);
        let limit = Instant::now() + Duration::from_secs(20);
        while Instant::now() < limit {
            if let Some(status) = tracer.0.try_wait()? {
                bail!("it ended at once, with {status}");
            }
            load::run("getppid", 100, None)?;
            load::run("openat", 10, None)?;
            if bpf::of_process(tracer.0.id())?.iter().any(|(_, s)| s.run_cnt >= 10) {
                return Ok(tracer);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("no program of it ran within 20 s")
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // SAFETY: the child is ours and has not been waited for, so the pid is still its own.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGINT) };
        // Nothing can be done about a child that cannot be waited for.
        let _ = self.0.wait();
    }
}

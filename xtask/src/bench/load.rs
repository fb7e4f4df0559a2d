//! The events: system calls made in a loop, by a process of their own on one CPU.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The hidden verb under which xtask starts itself as the load: `CALL COUNT` for as fast as it goes,
/// `CALL COUNT PER_SECOND` for a steady rate in bursts of one millisecond.
pub(crate) fn main(args: &[String]) -> Result<()> {
    let [call, count, rest @ ..] = args else { bail!("bench-load CALL COUNT [PER_SECOND]") };
    let count: u64 = count.parse()?;
    pin_to_last_cpu();
    let make: fn() = match call.as_str() {
        "getppid" => getppid,
        "openat" => openat,
        other => bail!("no load '{other}'"),
    };
    match rest.first() {
        None => (0..count).for_each(|_| make()),
        Some(rate) => steadily(make, count, rate.parse()?),
    }
    Ok(())
}

fn steadily(make: fn(), count: u64, per_second: f64) {
    let start = Instant::now();
    let mut made = 0;
    while made < count {
        let due = (start.elapsed().as_secs_f64() * per_second) as u64;
        while made < due.min(count) {
            make();
            made += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn getppid() {
    // SAFETY: getppid takes no arguments and has no effect.
    unsafe { libc::syscall(libc::SYS_getppid) };
}

fn openat() {
    drop(std::fs::File::open("/dev/null"));
}

/// The tracer's reader is better off on another CPU than the events.
fn pin_to_last_cpu() {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: the set is a plain bit field of the size given.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpus - 1, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// Starts the load in a process of its own and waits for its end; returns its pid.
pub(crate) fn run(call: &str, count: u64, per_second: Option<u64>) -> Result<u32> {
    let mut cmd = Command::new(std::env::current_exe()?);
    cmd.args(["bench-load", call, &count.to_string()]).stdin(Stdio::null());
    if let Some(rate) = per_second {
        cmd.arg(rate.to_string());
    }
    let mut child = cmd.spawn().context("the load does not start")?;
    let pid = child.id();
    let status = child.wait()?;
    if !status.success() {
        bail!("the load ended with {status}");
    }
    Ok(pid)
}

//! Timers and sampled events.

use super::{Attached, Failure, Link, join};
use crate::sys::kernelfs;
use crate::sys::perf::{self, Event, PerfScope, Rate};
use rbtrace_lang::target::Period;
use std::os::fd::BorrowedFd;

/// `PERF_TYPE_SOFTWARE` (include/uapi/linux/perf_event.h)
const SOFTWARE: u32 = 1;
/// `PERF_COUNT_SW_CPU_CLOCK`
const CPU_CLOCK: u64 = 0;

fn clock(period: Period) -> Event<'static> {
    let rate = match period {
        Period::Nanos(n) => Rate::Period(n),
        Period::Hertz(n) => Rate::Frequency(n),
    };
    Event::Sampled { perf_type: SOFTWARE, config: CPU_CLOCK, rate }
}

/// On one CPU.
pub(super) fn interval(prog: BorrowedFd, period: Period, cookie: Option<u64>) -> Attached {
    let cpu = online_cpus()?.first().copied().unwrap_or(0);
    let event = perf::open(&clock(period), PerfScope { pid: -1, cpu })?;
    let mut link = Link { method: "CPU clock on one CPU, link", ..Link::default() };
    join(prog, event, cookie, &mut link)?;
    Ok(link)
}

/// On every CPU.
pub(super) fn profile(prog: BorrowedFd, period: Period, pid: Option<i32>, cookie: Option<u64>) -> Attached {
    everywhere(prog, &clock(period), pid, cookie)
}

/// A sampled event on every CPU.
pub(super) fn everywhere(prog: BorrowedFd, event: &Event, pid: Option<i32>, cookie: Option<u64>) -> Attached {
    let mut link = Link { method: "perf event on every CPU, link", ..Link::default() };
    for cpu in online_cpus()? {
        let fd = perf::open(event, PerfScope { pid: pid.unwrap_or(-1), cpu }).map_err(explain)?;
        join(prog, fd, cookie, &mut link)?;
    }
    Ok(link)
}

fn explain(error: std::io::Error) -> Failure {
    let hint = match error.raw_os_error() {
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV) => Some(
            "this machine does not count that event (virtual machines often have no hardware counters)"
                .into(),
        ),
        _ => None,
    };
    Failure { error, hint }
}

/// CPUs that are on.
pub(super) fn online_cpus() -> Result<Vec<i32>, Failure> {
    let text = kernelfs::sysfs().text("devices/system/cpu/online").map_err(|error| Failure {
        hint: Some(format!("the CPUs to attach to are unknown: {error}")),
        error,
    })?;
    Ok(parse_list(text.trim()))
}

/// `0-2,5`
fn parse_list(text: &str) -> Vec<i32> {
    text.split(',')
        .filter_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some(from.parse::<i32>().ok()?..=to.parse::<i32>().ok()?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse_list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(parse_list("0"), [0]);
        assert!(parse_list("").is_empty());
    }
}

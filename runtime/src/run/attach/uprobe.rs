//! uprobe and uretprobe: the `uprobe` PMU (4.17).

use super::{Attached, Failure, Link, join, kprobe};
use crate::sys::perf;
use std::os::fd::BorrowedFd;

pub(super) fn attach(
    prog: BorrowedFd,
    path: &str,
    offset: u64,
    ret: bool,
    pid: Option<i32>,
    cookie: Option<u64>,
) -> Attached {
    let (pmu, bit) = kprobe::pmu("uprobe")?;
    let event = perf::Event::Probe { pmu, name: Some(path), offset, ret: ret.then_some(bit) };
    let target = match pid {
        Some(pid) => perf::Target { pid, cpu: -1 },
        None => perf::Target { pid: -1, cpu: 0 },
    };
    let event = perf::open(&event, target).map_err(|e| explain(e, path, offset, pid))?;
    let mut link = Link { method: "uprobe PMU, link", ..Link::default() };
    join(prog, event, cookie, &mut link)?;
    Ok(link)
}

fn explain(error: std::io::Error, path: &str, offset: u64, pid: Option<i32>) -> Failure {
    let hint = match error.raw_os_error() {
        Some(libc::ENOENT) => Some(format!("{path} does not exist")),
        Some(libc::ESRCH) => pid.map(|p| format!("there is no process {p}")),
        Some(libc::EINVAL) => {
            Some(format!("{path} has no instruction that can be probed at offset {offset:#x}"))
        }
        Some(libc::EIO) => {
            Some(format!("{path} cannot be mapped for execution (a file on a special file system?)"))
        }
        _ => None,
    };
    Failure { error, hint }
}

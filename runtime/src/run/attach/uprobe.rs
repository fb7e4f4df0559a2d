//! uprobe, uretprobe and usdt: the `uprobe` PMU (4.17; counters for usdt since 4.20).

use super::{Attached, Failure, Link, join, kprobe};
use crate::files::zip;
use crate::sys::perf;
use rbtrace_lang::target::UserCode;
use std::os::fd::BorrowedFd;

pub(super) fn attach(prog: BorrowedFd, code: &UserCode, pid: Option<i32>, cookie: Option<u64>) -> Attached {
    let (pmu, bit) = kprobe::pmu("uprobe")?;
    let counter = code.semaphore.map(counter).transpose()?;
    let event = perf::Event::Probe {
        pmu,
        name: Some(zip::file_of(code.path)),
        offset: code.offset,
        ret: code.ret.then_some(bit),
        counter,
    };
    let target = match pid {
        Some(pid) => perf::PerfScope { pid, cpu: -1 },
        None => perf::PerfScope { pid: -1, cpu: 0 },
    };
    let event = perf::open(&event, target).map_err(|e| explain(e, code, pid))?;
    let mut link = Link { method: "uprobe PMU, link", ..Link::default() };
    join(prog, event, cookie, &mut link)?;
    Ok(link)
}

fn counter(semaphore: u64) -> Result<(u8, u64), Failure> {
    let bit = kprobe::first_bit("uprobe", "ref_ctr_offset");
    let missing = || {
        Failure::new(libc::EOPNOTSUPP, "the kernel cannot raise the probe's semaphore (4.20 or newer can)")
    };
    Ok((bit.ok_or_else(missing)?, semaphore))
}

fn explain(error: std::io::Error, code: &UserCode, pid: Option<i32>) -> Failure {
    let UserCode { path, offset, .. } = code;
    let hint = match error.raw_os_error() {
        Some(libc::ENOENT) => Some(format!("{path} does not exist")),
        Some(libc::ESRCH) => pid.map(|p| format!("there is no process {p}")),
        Some(libc::EINVAL) if code.semaphore.is_some() => Some(format!(
            "{path} has no instruction that can be probed at offset {offset:#x}, or it is probed already without its \
             semaphore (as by uprobe)"
        )),
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

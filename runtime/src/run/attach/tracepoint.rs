//! Tracepoints through perf: the program sees the record.

use super::{Attached, Link, join};
use crate::sys::perf;
use std::os::fd::BorrowedFd;

pub(super) fn attach(prog: BorrowedFd, id: u32, cookie: Option<u64>) -> Attached {
    let event = perf::Event::Tracepoint(u64::from(id));
    // One CPU's event serves all: the program is attached to the tracepoint itself.
    let event = perf::open(&event, perf::PerfScope { pid: -1, cpu: 0 })?;
    let mut link = Link { method: "tracepoint, perf link", ..Link::default() };
    join(prog, event, cookie, &mut link)?;
    Ok(link)
}

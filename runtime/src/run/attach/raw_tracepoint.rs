//! Raw tracepoints: the program sees the tracepoint's own arguments.

use super::{Attached, Failure, Link};
use crate::sys::link;
use std::os::fd::BorrowedFd;

/// By name.
pub(super) fn attach(prog: BorrowedFd, event: &str, cookie: Option<u64>) -> Attached {
    match link::raw_tracepoint(prog, Some(event), cookie.unwrap_or(0)) {
        Ok(fd) => Ok(Link { links: vec![fd], method: "raw tracepoint", ..Link::default() }),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
            Err(Failure { error: e, hint: Some(format!("there is no raw tracepoint {event}")) })
        }
        Err(e) => Err(e.into()),
    }
}

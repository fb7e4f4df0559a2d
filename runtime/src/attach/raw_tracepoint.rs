//! Raw tracepoints: the program sees the tracepoint's own arguments.

use super::{Attached, Failure, Link};
use crate::sys::link;
use std::os::fd::BorrowedFd;

fn made(fd: std::os::fd::OwnedFd, method: &'static str) -> Link {
    Link { links: vec![fd], method, ..Link::default() }
}

/// By name.
pub(super) fn attach(prog: BorrowedFd, event: &str, cookie: Option<u64>) -> Attached {
    match link::raw_tracepoint(prog, Some(event), cookie.unwrap_or(0)) {
        Ok(fd) => Ok(made(fd, "raw tracepoint")),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
            Err(Failure { error: e, hint: Some(format!("there is no raw tracepoint {event}")) })
        }
        Err(e) => Err(e.into()),
    }
}

/// By the BTF type that the program was loaded for.
pub(super) fn attach_typed(prog: BorrowedFd, cookie: Option<u64>) -> Attached {
    Ok(made(link::raw_tracepoint(prog, None, cookie.unwrap_or(0))?, "BTF raw tracepoint"))
}

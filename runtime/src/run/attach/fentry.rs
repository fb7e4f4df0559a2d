//! fentry and fexit: the program was bound to its function when it was loaded.

use super::{Attached, Failure, Link};
use crate::sys::link;
use std::os::fd::BorrowedFd;

pub(super) fn attach(prog: BorrowedFd, func: &str) -> Attached {
    match link::raw_tracepoint(prog, None, 0) {
        Ok(fd) => Ok(Link { links: vec![fd], method: "BPF trampoline", ..Link::default() }),
        Err(error) => Err(explain(error, func)),
    }
}

fn explain(error: std::io::Error, func: &str) -> Failure {
    let hint = match error.raw_os_error() {
        // The kernel's ENOTSUPP, which is not one of errno.h.
        Some(libc::EOPNOTSUPP | 524) => {
            Some(format!("this kernel cannot put a trampoline at {func}; kprobe may do"))
        }
        Some(libc::EBUSY) => {
            Some(format!("{func} has no place for a trampoline, or it is taken; kprobe may do"))
        }
        Some(libc::E2BIG) => Some(format!("too many programs are attached to {func}")),
        _ => None,
    };
    Failure { error, hint }
}

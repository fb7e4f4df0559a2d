//! Thin safe wrappers over system calls and libbpf's low-level functions.
//!
//! **Invariant**: all `unsafe` code that loading, attaching and reading needs lies below this module.

pub mod bpf;
pub mod filesystem;
pub mod guarded;
pub mod kernelfs;
pub mod limits;
pub mod link;
pub mod map;
pub mod mapped;
pub mod perf;
pub mod poll;
pub mod probe;
pub mod process;
pub mod readiness;
pub mod ring;
pub mod time;
pub mod trace;
pub mod untrusted;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Turns what libbpf returns (a descriptor, or a negative errno) into a result.
fn descriptor(ret: i32) -> io::Result<OwnedFd> {
    if ret < 0 {
        return Err(io::Error::from_raw_os_error(-ret));
    }
    // SAFETY: the kernel has just made this descriptor for us; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(ret) })
}

/// Turns libbpf's 0 or negative errno into a result.
fn status(ret: i32) -> io::Result<()> {
    if ret < 0 { Err(io::Error::from_raw_os_error(-ret)) } else { Ok(()) }
}

/// Turns a system call's result (-1 and errno) into a result.
fn syscall_result(ret: i64) -> io::Result<i64> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// The kernel's name of an error number, as `ENOENT`; the number where it has no name here.
pub fn errno_name(errno: i32) -> String {
    let name = match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EINTR => "EINTR",
        libc::E2BIG => "E2BIG",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::ENODEV => "ENODEV",
        libc::EINVAL => "EINVAL",
        libc::EMFILE => "EMFILE",
        libc::ENOSPC => "ENOSPC",
        libc::ERANGE => "ERANGE",
        libc::EILSEQ => "EILSEQ",
        libc::EOPNOTSUPP | ENOTSUPP => "EOPNOTSUPP",
        n => return format!("errno {n}"),
    };
    name.to_owned()
}

/// The kernel's own `ENOTSUPP` (include/linux/errno.h), which is no error number of user space.
pub const ENOTSUPP: i32 = 524;

/// One error as a message shows it: `No such file or directory (ENOENT)`.
pub fn describe(err: &io::Error) -> String {
    match err.raw_os_error() {
        Some(ENOTSUPP) => "Operation not supported (ENOTSUPP)".to_owned(),
        Some(n) => {
            let text = err.to_string();
            let text = text.split(" (os error").next().unwrap_or("").to_owned();
            format!("{text} ({})", errno_name(n))
        }
        None => err.to_string(),
    }
}

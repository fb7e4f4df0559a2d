//! Processes: the child of `-c`, watching the one of `-p`, and leaving slow closes behind.

use super::syscall_result;
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Exit status of a child whose program could not be started, as shells have it.
const CANNOT_EXEC: i32 = 127;

/// A descriptor that becomes readable when the process has ended (`pidfd_open`, 5.3).
pub fn watch(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = syscall_result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A command that has been forked and waits for its start signal.
#[derive(Debug)]
pub struct Child {
    /// Process id.
    pub pid: i32,
    go: Option<std::fs::File>,
    failed: std::fs::File,
}

impl Child {
    /// Forks a child that will run `path` with `args` (the first is its name) once [`Child::start`] is called.
    pub fn fork(path: &str, args: &[String]) -> io::Result<Self> {
        let invalid = |_| io::Error::from_raw_os_error(libc::EINVAL);
        let path = CString::new(path).map_err(invalid)?;
        let args: Vec<CString> =
            args.iter().map(|a| CString::new(a.as_str())).collect::<Result<_, _>>().map_err(invalid)?;
        let mut argv: Vec<_> = args.iter().map(|a| a.as_ptr()).collect();
        argv.push(std::ptr::null());
        let (wait, go) = pipe()?;
        let (failed, report) = pipe()?;
        // SAFETY: this process has one thread here, and the child calls only async-signal-safe functions
        // on memory prepared before the fork.
        let pid = syscall_result(i64::from(unsafe { libc::fork() }))? as i32;
        if pid == 0 {
            drop((go, failed));
            // SAFETY: we are the forked child; `path` and `argv` are NUL-terminated and live on.
            unsafe { exec_when_told(&wait, &report, &path, argv.as_ptr()) }
        }
        Ok(Child { pid, go: Some(go), failed })
    }

    /// Lets the command run; the error is that of `execve`.
    pub fn start(&mut self) -> io::Result<()> {
        let Some(mut go) = self.go.take() else { return Ok(()) };
        go.write_all(&[1])?;
        drop(go);
        let mut errno = [0u8; 4];
        // The pipe closes without a word when the exec succeeds.
        match self.failed.read(&mut errno)? {
            4 => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
            _ => Ok(()),
        }
    }

    /// Has it ended? Takes its status away.
    pub fn ended(&self) -> bool {
        let mut status = 0;
        // SAFETY: `status` is a place for an int.
        unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) != 0 }
    }

    /// Ends it.
    pub fn terminate(&self) {
        // SAFETY: takes numbers only; the pid is ours until it is waited for.
        unsafe { libc::kill(self.pid, libc::SIGTERM) };
    }
}

/// # Safety
/// Only in a child just forked from a process with one thread.
unsafe fn exec_when_told(
    wait: &std::fs::File,
    report: &std::fs::File,
    path: &CString,
    argv: *const *const libc::c_char,
) -> ! {
    // SAFETY: async-signal-safe calls on prepared memory; never returns.
    unsafe {
        // The kernel signals the child however we die. If we died before this call, nobody reads its reports. (Asking
        // getppid(2) would show in scripts that count what the command calls.)
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        let mut reader = libc::pollfd { fd: report.as_raw_fd(), events: 0, revents: 0 };
        if libc::poll(&raw mut reader, 1, 0) != 0 {
            libc::_exit(0);
        }
        let mut word = 0u8;
        if libc::read(wait.as_raw_fd(), (&raw mut word).cast(), 1) != 1 {
            // The tracer ended before it let us run.
            libc::_exit(0);
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execv(path.as_ptr(), argv);
        let errno = *libc::__errno_location();
        libc::write(report.as_raw_fd(), (&raw const errno).cast(), 4);
        libc::_exit(CANNOT_EXEC)
    }
}

fn pipe() -> io::Result<(std::fs::File, std::fs::File)> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors.
    syscall_result(i64::from(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) }))?;
    // SAFETY: the kernel has just made both for us.
    Ok(unsafe { (std::fs::File::from_raw_fd(fds[0]), std::fs::File::from_raw_fd(fds[1])) })
}

/// Leaves `descriptors` to a process of their own that closes them and ends, so that nobody waits for the
/// kernel's grace periods (about 75 ms for each perf-attached tracepoint). False where it cannot be forked;
/// the descriptors are then closed here.
pub fn close_behind(descriptors: Vec<OwnedFd>) -> bool {
    // SAFETY: this process has one thread here; the child only closes and exits.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: async-signal-safe calls only. The standard streams go first: a reader of our output must
        // not wait for this process. A new session keeps the terminal's signals away.
        unsafe {
            libc::close(0);
            libc::close(1);
            libc::close(2);
            libc::setsid();
            libc::_exit(0);
        }
    }
    // Here they are still open in the child, so this does not wait.
    drop(descriptors);
    pid > 0
}

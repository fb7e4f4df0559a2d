//! Waiting: for the ring buffer, for signals, for processes.

use super::syscall_result;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Waits until one of `fds` can be read or `millis` have passed; tells which can. A signal ends the wait.
pub fn readable(fds: &[BorrowedFd], millis: i32) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|f| libc::pollfd { fd: f.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: the array has as many elements as said.
    let ret = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) };
    match syscall_result(i64::from(ret)) {
        Ok(_) => Ok(polled.iter().map(|p| p.revents != 0).collect()),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(vec![false; fds.len()]),
        Err(e) => Err(e),
    }
}

/// Signals that arrive by a descriptor instead of interrupting us. Given back on drop.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
    before: libc::sigset_t,
}

impl Signals {
    /// Takes over these signals.
    pub fn take(signals: &[i32]) -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` fills the set before it is used; `sigprocmask` fills `before` on success.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &s in signals {
                libc::sigaddset(set.as_mut_ptr(), s);
            }
            syscall_result(i64::from(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr())))?;
            // A shell without job control starts what runs in its background with SIGINT ignored, and an
            // ignored signal never reaches the descriptor.
            for &s in signals {
                libc::signal(s, libc::SIG_DFL);
            }
            let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
            syscall_result(i64::from(fd))?;
            Ok(Signals { fd: OwnedFd::from_raw_fd(fd), before: before.assume_init() })
        }
    }

    /// The next signal that has arrived, if any.
    pub fn next(&self) -> Option<i32> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer has the size that is given; it is only read when the kernel has filled all of it.
        unsafe {
            let n = libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), size);
            (n == size as isize).then(|| info.assume_init().ssi_signo as i32)
        }
    }

    /// Becomes readable when a signal has arrived.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // A signal that came while all was being taken down has been answered: it must not kill us now.
        while self.next().is_some() {}
        // SAFETY: the mask that `take` found.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

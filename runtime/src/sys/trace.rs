//! Holding a process at the first instruction of its program (`ptrace(2)`).

use super::syscall_result;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// `int3`
const BREAKPOINT: u8 = 0xcc;
/// Entry of the auxiliary vector: where the program itself begins (`getauxval(3)`).
const AT_ENTRY: u64 = 9;

/// A child that has not yet run its program, and is followed until it has. Let go of on drop.
#[derive(Debug)]
pub struct Held {
    pid: i32,
}

/// Follows a child of this process.
pub fn hold(pid: i32) -> io::Result<Held> {
    request(libc::PTRACE_SEIZE, pid, 0, libc::PTRACE_O_TRACEEXEC as usize)?;
    Ok(Held { pid })
}

impl Held {
    /// Waits until the child's program is about to run its first instruction: by then the dynamic linker has mapped
    /// the libraries that it names. It goes on when this is dropped. Returns at once where the child ends before.
    pub fn until_entered(&self) -> io::Result<()> {
        let exec = libc::SIGTRAP | libc::PTRACE_EVENT_EXEC << 8;
        if !self.until(|status| status >> 8 == exec)? {
            return Ok(());
        }
        let Some(entry) = self.entry() else { return Ok(()) };
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{}/mem", self.pid))?;
        let mut first = [0];
        memory.read_exact_at(&mut first, entry)?;
        // A uprobe stands there, which would take the trap for its own.
        if first[0] == BREAKPOINT {
            return Ok(());
        }
        memory.write_all_at(&[BREAKPOINT], entry)?;
        request(libc::PTRACE_CONT, self.pid, 0, 0)?;
        if self.until(|status| libc::WSTOPSIG(status) == libc::SIGTRAP)? {
            memory.write_all_at(&first, entry)?;
            self.go_back(entry)?;
        }
        Ok(())
    }

    /// Waits for this stop; false where the child has ended before. Its other signals are handed on.
    fn until(&self, wanted: impl Fn(i32) -> bool) -> io::Result<bool> {
        loop {
            let mut status = 0;
            // SAFETY: `status` is a place for an int. `WNOWAIT` is not known to waitpid: an end is looked at first.
            let ended = unsafe {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                let flags = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT;
                syscall_result(i64::from(libc::waitid(libc::P_PID, self.pid as u32, &raw mut info, flags)))?;
                matches!(info.si_code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED)
            };
            // Its end is for the session to see.
            if ended {
                return Ok(false);
            }
            // SAFETY: as before.
            syscall_result(i64::from(unsafe { libc::waitpid(self.pid, &raw mut status, 0) }))?;
            if wanted(status) {
                return Ok(true);
            }
            let event = status >> 16 != 0;
            let signal = if event { 0 } else { libc::WSTOPSIG(status) };
            request(libc::PTRACE_CONT, self.pid, 0, signal as usize)?;
        }
    }

    /// Where the program itself begins, not its dynamic linker.
    fn entry(&self) -> Option<u64> {
        let words = fs::read(format!("/proc/{}/auxv", self.pid)).ok()?;
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        words.chunks_exact(16).find(|pair| word(&pair[..8]) == AT_ENTRY).map(|pair| word(&pair[8..]))
    }

    /// The breakpoint was one byte long, and has been run.
    fn go_back(&self, entry: u64) -> io::Result<()> {
        let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
        request(libc::PTRACE_GETREGS, self.pid, 0, registers.as_mut_ptr() as usize)?;
        // SAFETY: all bytes were zero before, and the kernel has filled them in.
        let mut registers = unsafe { registers.assume_init() };
        registers.rip = entry;
        request(libc::PTRACE_SETREGS, self.pid, 0, &raw const registers as usize)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = request(libc::PTRACE_DETACH, self.pid, 0, 0);
    }
}

fn request(what: libc::c_uint, pid: i32, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: the requests of this file take numbers, or the address of a whole `user_regs_struct` that lives on.
    syscall_result(unsafe { libc::ptrace(what, pid, address, data) }).map(drop)
}

//! Files mapped read-only whose owner may cut them short.
//!
//! Touching a page that the file no longer has raises SIGBUS. A program that is traced could end its tracer so;
//! here such pages become zeros instead, which readers of damaged files cope with.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many files can be mapped at a time. A signal handler can wait for no lock: the table is fixed.
const SLOTS: usize = 8192;

/// First address of each mapping, 0 where the slot is free; and the address behind it.
static STARTS: [AtomicUsize; SLOTS] = [const { AtomicUsize::new(0) }; SLOTS];
static ENDS: [AtomicUsize; SLOTS] = [const { AtomicUsize::new(0) }; SLOTS];

/// A slot is being filled.
const TAKEN: usize = 1;

/// A mapped file.
#[derive(Debug)]
pub struct MappedFile {
    base: usize,
    len: usize,
    slot: usize,
}

impl MappedFile {
    /// Maps a whole file. An empty one cannot be mapped (`EINVAL`).
    pub fn new(file: &File) -> io::Result<MappedFile> {
        use std::os::fd::AsRawFd;
        static HANDLER: Once = Once::new();
        HANDLER.call_once(install);
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let slot = free_slot().ok_or_else(|| io::Error::other("too many files are open"))?;
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
        // SAFETY: the kernel chooses the address; no existing memory is replaced.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, flags, file.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED {
            let error = io::Error::last_os_error();
            STARTS[slot].store(0, Ordering::Release);
            return Err(error);
        }
        let base = base as usize;
        ENDS[slot].store(base + len, Ordering::Release);
        STARTS[slot].store(base, Ordering::Release);
        Ok(MappedFile { base, len, slot })
    }

    /// Says that parts are wanted here and there: what stands beside a page is not read with it.
    pub fn expect_scattered(&self) {
        // SAFETY: our own mapping; the advice changes no content. It is only advice: failing is fine.
        unsafe { libc::madvise(self.base as *mut _, self.len, libc::MADV_RANDOM) };
    }

    /// Gives the whole pages of a byte range back to the system; they are read again when touched.
    pub fn release(&self, range: Range<usize>) {
        let page = page_size();
        let start = range.start.min(self.len).next_multiple_of(page);
        let end = range.end.min(self.len) / page * page;
        if start < end {
            // SAFETY: within our own private read-only mapping: dropped pages come back from the file, or as
            // zeros where it was cut.
            unsafe { libc::madvise((self.base + start) as *mut _, end - start, libc::MADV_DONTNEED) };
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped for reading as long as `self`. Whoever may write to the file changes these bytes under
        // us: readers check each place as they come to it, and trust no bytes that they have seen before.
        unsafe { std::slice::from_raw_parts(self.base as *const u8, self.len) }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        STARTS[self.slot].store(TAKEN, Ordering::Release);
        // SAFETY: exactly what `new` mapped; every reference into it borrows `self`.
        unsafe { libc::munmap(self.base as *mut _, self.len) };
        STARTS[self.slot].store(0, Ordering::Release);
    }
}

fn free_slot() -> Option<usize> {
    let take = |s: &AtomicUsize| s.compare_exchange(0, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    STARTS.iter().position(take)
}

fn page_size() -> usize {
    // SAFETY: takes a number and cannot fail for this one.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

fn install() {
    // SAFETY: sigaction is plain data, for which zeros are valid; the handler has the form that SA_SIGINFO asks
    // for, and calls only what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
    }
}

/// Puts zeros from the page that is missing to the end of its mapping. Any other SIGBUS ends us, as ever.
extern "C" fn on_bus_error(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands us a valid structure; errno is this thread's own; the address of errno, sysconf and
    // mmap are async-signal-safe on Linux; the range that is replaced is one of ours and only read.
    unsafe {
        let errno = *libc::__errno_location();
        let address = (*info).si_addr() as usize;
        let page = address & !(page_size() - 1);
        let holds = |slot: &usize| {
            let start = STARTS[*slot].load(Ordering::Acquire);
            start > TAKEN && start <= address && address < ENDS[*slot].load(Ordering::Acquire)
        };
        let replaced = (0..SLOTS).find(holds).is_some_and(|slot| {
            let len = ENDS[slot].load(Ordering::Acquire) - page;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
            libc::mmap(page as *mut _, len, libc::PROT_READ, flags, -1, 0) != libc::MAP_FAILED
        });
        if !replaced {
            libc::signal(signal, libc::SIG_DFL);
        }
        *libc::__errno_location() = errno;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::dwarf::tests::Scratch;

    #[test]
    fn what_was_cut_off_reads_as_zeros() {
        let scratch = Scratch::new();
        let path = scratch.0.join("file");
        let page = page_size();
        std::fs::write(&path, vec![7; 3 * page + 5]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let map = MappedFile::new(&file).unwrap();
        assert_eq!((map.len(), map[3 * page + 4]), (3 * page + 5, 7));
        file.set_len(page as u64).unwrap();
        assert_eq!((map[page - 1], map[page], map[3 * page + 4]), (7, 0, 0));
        map.release(0..usize::MAX);
        assert_eq!((map[0], map[2 * page]), (7, 0));
    }

    #[test]
    fn slots_are_given_back() {
        let file = File::open("/proc/self/exe").unwrap();
        for _ in 0..2 * SLOTS {
            assert_eq!(&MappedFile::new(&file).unwrap()[..4], b"\x7fELF");
        }
    }
}

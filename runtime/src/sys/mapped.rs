//! Words of an mmapable array map, shared with running programs.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping that is undone on drop.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to the process, not to the thread that mapped it, and is unmapped once.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `fd` from `offset`, shared.
    pub(super) fn new(fd: BorrowedFd, len: usize, offset: usize, writable: bool) -> io::Result<Self> {
        let prot = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        // SAFETY: the kernel chooses the address; no existing memory is replaced.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                prot,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Mapping { base, len })
    }

    /// The 64-bit word at a byte offset that is a multiple of 8.
    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.len,
            "word {offset} lies outside of the mapping"
        );
        // SAFETY: in bounds and aligned (the base is a page's), mapped as long as `self`, and every access
        // from here is atomic; the kernel writes to it as to any shared word.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// Bytes that nobody writes to while the slice lives (see the callers).
    ///
    /// # Safety
    /// Neither kernel nor programs may write to this range before the slice is dropped.
    pub(super) unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        assert!(offset + len <= self.len, "bytes {offset}+{len} lie outside of the mapping");
        // SAFETY: in bounds; the caller promises that it is stable.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset), len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; every reference into it borrows `self`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// A large read-only mapping whose pages are mapped piece by piece, when they are first asked for.
#[derive(Debug)]
pub(super) struct Pieces {
    /// The whole range, reserved; what is not yet mapped cannot be accessed.
    range: Mapping,
    fd: OwnedFd,
    /// Where the range begins in the file.
    offset: usize,
    piece: usize,
    mapped: Vec<bool>,
}

impl Pieces {
    /// Reserves `len` bytes of address space for `fd` from `offset`; `piece` is a multiple of the page size.
    pub(super) fn new(fd: OwnedFd, offset: usize, len: usize, piece: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: an anonymous range at an address of the kernel's choice.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        let mapped = vec![false; len.div_ceil(piece)];
        Ok(Pieces { range: Mapping { base, len }, fd, offset, piece, mapped })
    }

    /// Makes `len` bytes from `from` accessible.
    pub(super) fn map(&mut self, from: usize, len: usize) -> io::Result<()> {
        for n in from / self.piece..=(from + len.max(1) - 1) / self.piece {
            if !self.mapped.get(n).copied().unwrap_or(true) {
                self.map_piece(n)?;
                self.mapped[n] = true;
            }
        }
        Ok(())
    }

    fn map_piece(&self, n: usize) -> io::Result<()> {
        let at = n * self.piece;
        let len = self.piece.min(self.range.len - at);
        // SAFETY: replaces a part of the range that we reserved and that nothing refers to yet.
        let mapped = unsafe {
            libc::mmap(
                self.range.base.as_ptr().add(at).cast(),
                len,
                libc::PROT_READ,
                libc::MAP_SHARED | libc::MAP_FIXED,
                self.fd.as_raw_fd(),
                (self.offset + at) as libc::off_t,
            )
        };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// See [`Mapping::word`]; its bytes must have been mapped.
    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(self.mapped[offset / self.piece], "word {offset} is not mapped");
        self.range.word(offset)
    }

    /// See [`Mapping::bytes`]; they must have been mapped.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        let last = (offset + len.max(1) - 1) / self.piece;
        assert!(
            self.mapped[offset / self.piece..=last].iter().all(|m| *m),
            "bytes {offset}+{len} are not mapped"
        );
        // SAFETY: mapped, as just checked; the rest is the caller's promise.
        unsafe { self.range.bytes(offset, len) }
    }
}

/// Bytes of a page.
pub fn page_size() -> usize {
    // SAFETY: takes no pointer.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// `u64` words of an array map made with `BPF_F_MMAPABLE`.
#[derive(Debug)]
pub struct Words {
    mapping: Mapping,
}

impl Words {
    /// Maps the first `words` words.
    pub fn new(map: BorrowedFd, words: u32) -> io::Result<Self> {
        let len = (words as usize * 8).next_multiple_of(page_size());
        Ok(Words { mapping: Mapping::new(map, len, 0, true)? })
    }

    /// Reads a word.
    pub fn get(&self, word: u32) -> u64 {
        self.mapping.word(word as usize * 8).load(Ordering::SeqCst)
    }

    /// Writes a word.
    pub fn set(&self, word: u32, value: u64) {
        self.mapping.word(word as usize * 8).store(value, Ordering::SeqCst);
    }
}

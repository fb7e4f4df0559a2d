//! The consumer's side of a BPF ring buffer (`BPF_MAP_TYPE_RINGBUF`, Documentation/bpf/ringbuf.rst).

use super::mapped::{Mapping, page_size};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// `BPF_RINGBUF_BUSY_BIT`: the record is still being written.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: the record was given up.
const DISCARD: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`
const HEADER: usize = 8;
/// After so many bytes the programs are told that there is room again.
const PUBLISH: u64 = 64 * 1024;

/// A mapped ring buffer.
#[derive(Debug)]
pub struct Ring {
    /// One page: the consumer's position, ours to write.
    consumer: Mapping,
    /// One page with the producer's position, then the data twice in a row.
    producer: Mapping,
    mask: u64,
    data: usize,
}

impl Ring {
    /// Maps a ring buffer of `size` bytes (a power of two, a multiple of the page size).
    pub fn new(map: BorrowedFd, size: u32) -> io::Result<Self> {
        let page = page_size();
        Ok(Ring {
            consumer: Mapping::new(map, page, 0, true)?,
            producer: Mapping::new(map, page + 2 * size as usize, page, false)?,
            mask: u64::from(size) - 1,
            data: page,
        })
    }

    /// Is there anything to read?
    pub fn is_empty(&self) -> bool {
        self.consumer.word(0).load(Ordering::Relaxed) == self.producer.word(0).load(Ordering::Acquire)
    }

    /// Hands each complete record that is there now to `f` in order, until `f` says stop (false). Records that
    /// come meanwhile wait for the next call, so that it ends however fast they come. Returns how many there
    /// were.
    pub fn consume(&mut self, mut f: impl FnMut(&[u8]) -> bool) -> usize {
        let mut at = self.consumer.word(0).load(Ordering::Relaxed);
        let mut published = at;
        let mut count = 0;
        let mut go_on = true;
        let end = self.producer.word(0).load(Ordering::Acquire);
        while go_on && at < end {
            let Some((len, discarded)) = self.header(at) else { break };
            if !discarded {
                let from = self.data + (at & self.mask) as usize + HEADER;
                // SAFETY: the producer has committed this record (no busy bit) and does not touch it
                // again before the consumer's position passes it, which happens below.
                go_on = f(unsafe { self.producer.bytes(from, len) });
                count += 1;
            }
            at += (len + HEADER).next_multiple_of(8) as u64;
            if at - published >= PUBLISH {
                self.consumer.word(0).store(at, Ordering::Release);
                published = at;
            }
        }
        self.consumer.word(0).store(at, Ordering::SeqCst);
        count
    }

    /// Length of the record at a position and whether it was discarded; `None` while it is being written.
    fn header(&self, at: u64) -> Option<(usize, bool)> {
        let offset = self.data + (at & self.mask) as usize;
        // The length is the low half of the (aligned) header word; x86-64 and arm64 are little endian.
        let word: *const AtomicU32 = std::ptr::from_ref(self.producer.word(offset)).cast();
        // SAFETY: the first four bytes of an aligned, mapped word, only ever accessed atomically.
        let len = unsafe { &*word }.load(Ordering::Acquire);
        (len & BUSY == 0).then_some(((len & !(BUSY | DISCARD)) as usize, len & DISCARD != 0))
    }
}

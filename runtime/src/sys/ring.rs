//! The consumer's side of a BPF ring buffer (`BPF_MAP_TYPE_RINGBUF`, Documentation/bpf/ringbuf.rst).

use super::mapped::{Mapping, Pieces, page_size};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// `BPF_RINGBUF_BUSY_BIT`: the record is still being written.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: the record was given up.
const DISCARD: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`
const HEADER: usize = 8;
/// After this many bytes the programs learn that there is room again.
const PUBLISH: u64 = 64 * 1024;

/// The data is mapped in pieces of this many bytes: mapping counts every page as resident at once, and
/// most scripts never fill more than the first piece.
const PIECE: usize = 256 * 1024;

/// A mapped ring buffer.
#[derive(Debug)]
pub struct Ring {
    /// One page: the consumer's position, ours to write.
    consumer: Mapping,
    /// One page: the producer's position.
    producer: Mapping,
    /// The data twice in a row, so that a record that wraps around lies in one piece.
    data: Pieces,
    mask: u64,
    /// Records that were taken out to make room: each after its length, a `u32`.
    kept: Vec<u8>,
    /// How much of `kept` has been handed out.
    kept_read: usize,
}

impl Ring {
    /// Maps a ring buffer of `size` bytes (a power of two, a multiple of the page size).
    pub fn new(map: BorrowedFd, size: u32) -> io::Result<Self> {
        let page = page_size();
        Ok(Ring {
            consumer: Mapping::new(map, page, 0, true)?,
            producer: Mapping::new(map, page, page, false)?,
            data: Pieces::new(map.try_clone_to_owned()?, 2 * page, 2 * size as usize, PIECE)?,
            mask: u64::from(size) - 1,
            kept: vec![],
            kept_read: 0,
        })
    }

    /// Is there anything to read?
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
            && self.consumer.word(0).load(Ordering::Relaxed) == self.producer.word(0).load(Ordering::Acquire)
    }

    /// Where the next record will begin.
    pub fn end(&self) -> u64 {
        self.producer.word(0).load(Ordering::Acquire)
    }

    /// Has everything before this position been handed out?
    pub fn has_read(&self, until: u64) -> bool {
        self.kept.is_empty() && self.consumer.word(0).load(Ordering::Relaxed) >= until
    }

    /// Makes room in the ring: takes the complete records out, to be handed to a later `consume`. Leaves
    /// them there once `most` bytes are kept.
    pub fn keep(&mut self, most: usize) -> io::Result<usize> {
        let mut kept = std::mem::take(&mut self.kept);
        let count = if kept.len() >= most {
            Ok(0)
        } else {
            self.read(|record| {
                kept.extend_from_slice(&(record.len() as u32).to_ne_bytes());
                kept.extend_from_slice(record);
                kept.len() < most
            })
        };
        self.kept = kept;
        count
    }

    /// Hands each complete record that is there by now to `f` in order, until `f` says stop (false).
    /// Returns how many there were; an error where the data cannot be mapped.
    pub fn consume(&mut self, mut f: impl FnMut(&[u8]) -> bool) -> io::Result<usize> {
        let mut count = 0;
        while let Some((len, rest)) = self.kept[self.kept_read..].split_first_chunk::<4>() {
            let len = u32::from_ne_bytes(*len) as usize;
            let go_on = f(&rest[..len]);
            self.kept_read += 4 + len;
            count += 1;
            if !go_on {
                return Ok(count);
            }
        }
        (self.kept, self.kept_read) = (vec![], 0);
        Ok(count + self.read(f)?)
    }

    /// [`Ring::consume`] of what is still in the ring.
    fn read(&mut self, mut f: impl FnMut(&[u8]) -> bool) -> io::Result<usize> {
        let mut at = self.consumer.word(0).load(Ordering::Relaxed);
        let mut published = at;
        let mut count = 0;
        let mut go_on = true;
        // Read once: following a program record by record makes its CPU and ours compete for every cache line.
        let end = self.producer.word(0).load(Ordering::Acquire);
        while go_on && at < end {
            let Some((len, discarded)) = self.header(at)? else { break };
            if !discarded {
                let from = (at & self.mask) as usize + HEADER;
                self.data.map(from, len)?;
                // SAFETY: the producer has committed this record (no busy bit) and does not touch it
                // again before the consumer's position passes it, which happens below.
                go_on = f(unsafe { self.data.bytes(from, len) });
                count += 1;
            }
            at += (len + HEADER).next_multiple_of(8) as u64;
            if at - published >= PUBLISH {
                self.consumer.word(0).store(at, Ordering::Release);
                published = at;
            }
        }
        self.consumer.word(0).store(at, Ordering::SeqCst);
        Ok(count)
    }

    /// Length of the record at a position and whether it was discarded; `None` while it is being written.
    fn header(&mut self, at: u64) -> io::Result<Option<(usize, bool)>> {
        let offset = (at & self.mask) as usize;
        self.data.map(offset, HEADER)?;
        // The length is the low half of the (aligned) header word; x86-64 and arm64 are little endian.
        let word: *const AtomicU32 = std::ptr::from_ref(self.data.word(offset)).cast();
        // SAFETY: the first four bytes of an aligned, mapped word, only ever accessed atomically.
        let len = unsafe { &*word }.load(Ordering::Acquire);
        Ok((len & BUSY == 0).then_some(((len & !(BUSY | DISCARD)) as usize, len & DISCARD != 0)))
    }
}

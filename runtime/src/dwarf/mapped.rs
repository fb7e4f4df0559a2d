//! Read-only mappings of files.

use super::Error;
use memmap2::{Advice, Mmap, UncheckedAdvice};
use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file mapped read-only, and the buffers that were made of parts of it (unpacked sections).
///
/// Bytes handed out by [`Mapped::pinned`] live as long as this value: the mapping never moves, and
/// buffers are kept on the heap and never changed.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Bytes,
    path: PathBuf,
    buffers: Vec<Box<[u8]>>,
}

/// The file's bytes.
#[derive(Debug)]
enum Bytes {
    /// Mapped from a file.
    Map(Mmap),
    /// Copied from elsewhere.
    Copy(Box<[u8]>),
}

impl Mapped {
    /// Bytes that are in no file, under a name.
    pub(super) fn of_bytes(bytes: Vec<u8>, name: &str) -> Mapped {
        let map = Bytes::Copy(bytes.into_boxed_slice());
        Mapped { map, path: PathBuf::from(name), buffers: Vec::new() }
    }

    fn slice(&self) -> &[u8] {
        match &self.map {
            Bytes::Map(map) => map,
            Bytes::Copy(bytes) => bytes,
        }
    }

    /// Maps a whole file. Pages are read as they are touched.
    pub(super) fn open(path: &Path) -> Result<Mapped, Error> {
        let failed = |source| Error::Io { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(failed)?;
        // SAFETY: the mapping is private and read-only. A file that is cut short by someone else while
        // it is mapped raises SIGBUS, as in every tool that maps its input; debug files are not edited
        // in place.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        // Readahead would bring megabytes of a file of which a few pages are wanted.
        let _ = map.advise(Advice::Random);
        Ok(Mapped { map: Bytes::Map(map), path: path.to_path_buf(), buffers: Vec::new() })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes of the file, with a lifetime that is not bound to `self`.
    ///
    /// # Safety
    /// The result and all that is derived from it must not be used after `self` is dropped.
    pub(super) unsafe fn bytes(&self) -> &'static [u8] {
        let slice = self.slice();
        // SAFETY: mapping and box stay where they are until they are dropped; the caller answers for the
        // rest.
        unsafe { std::slice::from_raw_parts(slice.as_ptr(), slice.len()) }
    }

    /// Keeps `data` as long as `self`.
    ///
    /// # Safety
    /// As for [`Mapped::bytes`].
    pub(super) unsafe fn pinned(&mut self, data: Cow<'static, [u8]>) -> &'static [u8] {
        let owned = match data {
            Cow::Borrowed(bytes) => return bytes,
            Cow::Owned(bytes) => bytes.into_boxed_slice(),
        };
        // SAFETY: a boxed slice does not move when the vector that holds the box grows, and no one
        // changes or removes it before `self` is dropped.
        let bytes = unsafe { std::slice::from_raw_parts(owned.as_ptr(), owned.len()) };
        self.buffers.push(owned);
        bytes
    }

    /// Gives the pages of a byte range back to the system; they are read again when touched.
    pub(super) fn release(&self, range: Range<usize>) {
        let Bytes::Map(map) = &self.map else { return };
        let page = 4096;
        let start = range.start.next_multiple_of(page);
        let end = range.end.min(map.len()) / page * page;
        if start < end {
            // SAFETY: the mapping is private, read-only and backed by a file: dropped pages come back
            // with the same bytes.
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        }
    }
}

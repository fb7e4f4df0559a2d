//! The bytes of a file, and of what was unpacked from it.

use crate::files::{Error, zip};
use crate::sys::guarded::MappedFile;
use crate::sys::untrusted;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What cannot be mapped is read, up to this many bytes.
const MOST_READ: u64 = 1 << 30;

/// A file's bytes, and the buffers that were made of parts of it (unpacked sections).
///
/// Nothing of them moves or goes as long as this value lives.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Bytes,
    /// The part that counts: all of it, or an entry of an archive.
    part: Range<usize>,
    path: PathBuf,
    buffers: RefCell<Vec<Box<[u8]>>>,
}

/// The file's bytes.
#[derive(Debug)]
enum Bytes {
    /// Mapped from a file.
    Map(MappedFile),
    /// Copied from elsewhere.
    Copy(Box<[u8]>),
}

impl Mapped {
    /// Bytes that are in no file, under a name.
    pub(super) fn of_bytes(bytes: Vec<u8>, name: &str) -> Mapped {
        let part = 0..bytes.len();
        let map = Bytes::Copy(bytes.into_boxed_slice());
        Mapped { map, part, path: PathBuf::from(name), buffers: RefCell::default() }
    }

    /// The file's bytes.
    pub(super) fn slice(&self) -> &[u8] {
        self.map.all().get(self.part.clone()).unwrap_or_default()
    }

    /// Where in the file on the disk they begin.
    pub(super) fn start(&self) -> u64 {
        self.part.start as u64
    }

    /// Maps a whole regular file. Pages are read as they are touched.
    pub(super) fn open(path: &Path) -> Result<Mapped, Error> {
        if let Some((archive, entry)) = zip::split_path(path) {
            return Mapped::open_entry(path, &archive, entry);
        }
        let map = map(path)?;
        let part = 0..map.all().len();
        Ok(Mapped { map, part, path: path.to_path_buf(), buffers: RefCell::default() })
    }

    /// Maps an archive for one of its entries.
    fn open_entry(path: &Path, archive: &Path, entry: &str) -> Result<Mapped, Error> {
        let map = map(archive)?;
        let part = zip::entry(map.all(), entry)
            .map_err(|why| Error::missing(format!("{}: {why}", archive.display())))?;
        Ok(Mapped { map, part, path: path.to_path_buf(), buffers: RefCell::default() })
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
    pub(super) unsafe fn pinned(&self, data: Cow<'static, [u8]>) -> &'static [u8] {
        let owned = match data {
            Cow::Borrowed(bytes) => return bytes,
            Cow::Owned(bytes) => bytes.into_boxed_slice(),
        };
        // SAFETY: a boxed slice does not move when the vector that holds the box grows, and no one
        // changes or removes it before `self` is dropped.
        let bytes = unsafe { std::slice::from_raw_parts(owned.as_ptr(), owned.len()) };
        self.buffers.borrow_mut().push(owned);
        bytes
    }

    /// Gives the pages of a byte range back to the system; they are read again when touched.
    pub(super) fn release(&self, range: Range<usize>) {
        if let Bytes::Map(map) = &self.map {
            map.release(range.start + self.part.start..range.end + self.part.start);
        }
    }
}

impl Bytes {
    fn all(&self) -> &[u8] {
        match self {
            Bytes::Map(map) => map,
            Bytes::Copy(bytes) => bytes,
        }
    }
}

fn map(path: &Path) -> Result<Bytes, Error> {
    let map = untrusted::open(path).and_then(bytes_of);
    map.map_err(|source| Error::Io { path: path.to_path_buf(), source })
}

fn bytes_of(file: File) -> io::Result<Bytes> {
    if let Ok(map) = MappedFile::new(&file) {
        // Readahead would bring megabytes of a file of which a few pages are wanted.
        map.expect_scattered();
        return Ok(Bytes::Map(map));
    }
    match untrusted::read(file, MOST_READ)? {
        (_, true) => Err(io::Error::other("it is too large to be read")),
        (bytes, false) => Ok(Bytes::Copy(bytes.into_boxed_slice())),
    }
}

//! One BTF blob: header, types, strings.

use super::tag::{KindTag, head, type_starts, u32_at};
use crate::sys::guarded::MappedFile;
use crate::sys::untrusted;
use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::rc::Rc;

/// `BTF_MAGIC` of include/uapi/linux/btf.h.
const MAGIC: u16 = 0xeb9f;

/// Bytes of `struct btf_header`: magic number and version, then the header's own length, and where the types and the
/// strings lie behind it.
pub(super) const HEADER: usize = 24;

/// What cannot be mapped is read, up to this many bytes: the kernel's own BTF has about 5 MiB.
const MOST: u64 = 256 << 20;

/// Why a blob cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no BTF of this byte order, or contradict themselves.
    #[error("{path} is not usable BTF: {what}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// Bytes of a blob.
enum Bytes {
    Mapped(MappedFile),
    Owned(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(m) => m,
            Bytes::Owned(v) => v,
        }
    }
}

/// Types of the kernel, or of one module on top of the kernel's.
pub struct Btf {
    bytes: Bytes,
    /// The string section within `bytes`.
    strings: Range<usize>,
    /// Where type `first_id + i` begins within `bytes`.
    starts: Vec<u32>,
    /// Number of the first type here: 1, or one past the base's last.
    first_id: u32,
    /// Offset that the first string here has: 0, or the length of the base's strings.
    first_string: u32,
    base: Option<Rc<Btf>>,
}

impl Btf {
    /// Opens a raw blob or the `.BTF` section of an ELF file. `base` is the kernel's BTF where this is a module's.
    pub fn open(path: &Path, base: Option<Rc<Btf>>) -> Result<Btf, BtfError> {
        Btf::read(untrusted::open(path), path.display().to_string(), base)
    }

    /// The same of a file of the kernel's (`/sys/kernel/btf/*`) that was opened, which messages name so.
    pub fn read(file: std::io::Result<File>, name: String, base: Option<Rc<Btf>>) -> Result<Btf, BtfError> {
        let bytes = file.and_then(read).map_err(|source| BtfError::Io { path: name.clone(), source })?;
        let bytes = if bytes.starts_with(b"\x7fELF") {
            Bytes::Owned(elf_section(&bytes).map_err(|what| BtfError::Broken { path: name.clone(), what })?)
        } else {
            bytes
        };
        Btf::parse(bytes, base).map_err(|what| BtfError::Broken { path: name, what })
    }

    /// Takes a blob from memory.
    pub fn from_bytes(bytes: Vec<u8>, base: Option<Rc<Btf>>) -> Result<Btf, BtfError> {
        Btf::parse(Bytes::Owned(bytes), base)
            .map_err(|what| BtfError::Broken { path: "the given BTF".into(), what })
    }

    fn parse(bytes: Bytes, base: Option<Rc<Btf>>) -> Result<Btf, &'static str> {
        let header = |at: usize| u32_at(&bytes, at).ok_or("its header is cut off").map(|n| n as usize);
        let magic = header(0)? as u16;
        if magic == MAGIC.swap_bytes() {
            return Err("it has the other byte order");
        } else if magic != MAGIC {
            return Err("it does not begin with BTF's magic number");
        }
        let start = header(4)?;
        let section = |offset: usize, len: usize| {
            let from = start.checked_add(offset)?;
            let to = from.checked_add(len)?;
            (to <= bytes.len()).then_some(from..to)
        };
        let types = section(header(8)?, header(12)?).ok_or("its types are cut off")?;
        let strings = section(header(16)?, header(20)?).ok_or("its strings are cut off")?;
        let starts = type_starts(&bytes, types).ok_or("a type is cut off or of an unknown kind")?;
        let first_id = base.as_ref().map_or(1, |b| b.end_id());
        let first_string = base.as_ref().map_or(0, |b| b.first_string + b.strings.len() as u32);
        Ok(Btf { bytes, strings, starts, first_id, first_string, base })
    }

    /// Number of the first type that is described here rather than in the base.
    pub fn first_id(&self) -> u32 {
        self.first_id
    }

    /// One past the last type's number.
    pub fn end_id(&self) -> u32 {
        self.first_id + self.starts.len() as u32
    }

    /// The bytes of the type of this number (not 0, which is `void`), where it begins in them, and the blob that has it.
    pub(super) fn place_of(&self, id: u32) -> Option<(&Btf, &[u8], usize)> {
        if id < self.first_id {
            return self.base.as_deref()?.place_of(id);
        }
        let start = *self.starts.get((id - self.first_id) as usize)?;
        Some((self, &self.bytes, start as usize))
    }

    /// The text at an offset of the strings; empty where there is none.
    pub fn string(&self, offset: u32) -> &str {
        if offset < self.first_string {
            return self.base.as_deref().map_or("", |b| b.string(offset));
        }
        let strings = &self.bytes[self.strings.clone()];
        let Some(rest) = strings.get((offset - self.first_string) as usize..) else { return "" };
        let end = rest.iter().position(|&b| b == 0).unwrap_or(rest.len());
        std::str::from_utf8(&rest[..end]).unwrap_or("")
    }

    /// The types here (not in the base) of this kind and name. Names are compared as offsets of the one
    /// copy that the strings have of each text, so the scan touches no text.
    pub fn find_all(&self, kind: KindTag, name: &str) -> impl Iterator<Item = u32> {
        let offset = self.string_offset(name);
        self.starts.iter().zip(self.first_id..).filter_map(move |(&start, id)| {
            let (name, tag) = head(&self.bytes, start as usize)?;
            (Some(name) == offset && tag == kind).then_some(id)
        })
    }

    /// The first type here of this kind and name.
    pub fn find(&self, kind: KindTag, name: &str) -> Option<u32> {
        self.find_all(kind, name).next()
    }

    /// All types here of one kind.
    pub fn of_kind(&self, kind: KindTag) -> impl Iterator<Item = u32> {
        self.starts
            .iter()
            .zip(self.first_id..)
            .filter(move |(start, _)| head(&self.bytes, **start as usize).is_some_and(|h| h.1 == kind))
            .map(|(_, id)| id)
    }

    /// Where this text lies in the strings, the base's included.
    pub(super) fn string_offset(&self, name: &str) -> Option<u32> {
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        if let Some(offset) = self.base.as_deref().and_then(|b| b.string_offset(name)) {
            return Some(offset);
        }
        let strings = &self.bytes[self.strings.clone()];
        let at = find_text(strings, name.as_bytes())?;
        Some(self.first_string + at as u32)
    }
}

/// Finds `name` between two NULs; the offset of its first byte.
fn find_text(strings: &[u8], name: &[u8]) -> Option<usize> {
    let needle: Vec<u8> = [b"\0", name, b"\0"].concat();
    memchr::memmem::find(strings, &needle).map(|at| at + 1)
}

/// Maps the file where the system lets us (`/sys/kernel/btf` since 6.16), else reads it.
fn read(file: File) -> std::io::Result<Bytes> {
    if let Ok(map) = MappedFile::new(&file) {
        return Ok(Bytes::Mapped(map));
    }
    match untrusted::read(file, MOST)? {
        (_, true) => Err(std::io::Error::other("it is too large to be BTF")),
        (bytes, false) => Ok(Bytes::Owned(bytes)),
    }
}

/// The bytes of section `.BTF`.
fn elf_section(elf: &[u8]) -> Result<Vec<u8>, &'static str> {
    use object::{Object as _, ObjectSection as _};
    let file = object::File::parse(elf).map_err(|_| "the ELF file is broken")?;
    let section = file.section_by_name(".BTF").ok_or("the ELF file has no section .BTF")?;
    Ok(section.uncompressed_data().map_err(|_| "section .BTF cannot be read")?.into_owned())
}

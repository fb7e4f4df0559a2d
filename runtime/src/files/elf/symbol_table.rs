//! Symbol tables (elf(5), "String and symbol tables").

use memchr::memmem;
use object::{Object as _, ObjectSection as _};

/// More symbols of a file are not looked at.
const MAX_SYMBOLS: usize = 1 << 24;
/// A longer name is no name.
const MAX_NAME: usize = 1 << 14;

/// A named place of an ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name as the file has it, mangled.
    pub name: &'a str,
    /// Its address.
    pub address: u64,
    /// Its size in bytes; 0 where the file does not say.
    pub size: u64,
    /// `STT_*` of the ELF specification.
    pub kind: u8,
    /// Is it bound `STB_LOCAL`?
    pub local: bool,
}

/// ELF symbol types (`elf.h`).
pub(super) const STT_FUNC: u8 = 2;
const STT_NOTYPE: u8 = 0;
const STT_GNU_IFUNC: u8 = 10;
pub(super) const SHN_LORESERVE: u16 = 0xff00;

impl Symbol<'_> {
    /// Can it name code? Assembler labels have no type.
    pub fn is_code(&self) -> bool {
        matches!(self.kind, STT_FUNC | STT_GNU_IFUNC | STT_NOTYPE)
    }

    /// Is it declared a function?
    pub fn is_function(&self) -> bool {
        matches!(self.kind, STT_FUNC | STT_GNU_IFUNC)
    }
}

/// A symbol table in the file's bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SymbolTable<'a> {
    entries: &'a [u8],
    strings: &'a [u8],
    is_64: bool,
}

/// `Elf64_Sym` and `Elf32_Sym` in one form.
pub(super) struct RawSymbol {
    pub name: u32,
    pub info: u8,
    pub section: u16,
    pub value: u64,
    pub size: u64,
}

impl<'a> SymbolTable<'a> {
    pub(super) fn of(file: &object::File<'a>, entries: &str, strings: &str) -> SymbolTable<'a> {
        let data = |name| file.section_by_name(name).and_then(|s| s.data().ok()).unwrap_or_default();
        let (entries, strings, is_64) = (data(entries), data(strings), file.is_64());
        let mut table = SymbolTable { entries, strings, is_64 };
        let most = MAX_SYMBOLS * table.entry_size();
        table.entries = &entries[..entries.len().min(most)];
        table
    }

    fn entry_size(&self) -> usize {
        if self.is_64 { 24 } else { 16 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() / self.entry_size()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    fn entry(&self, index: usize) -> Option<&'a [u8]> {
        let size = self.entry_size();
        self.entries.get(index * size..(index + 1) * size)
    }

    pub(super) fn get(&self, index: usize) -> Option<RawSymbol> {
        self.entry(index).and_then(|e| self.decode(e))
    }

    /// Where the names of all symbols lie.
    pub(super) fn name_places(&self) -> impl Iterator<Item = u32> {
        self.entries.chunks_exact(self.entry_size()).map(|e| u32::from_le_bytes([e[0], e[1], e[2], e[3]]))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RawSymbol> {
        self.entries.chunks_exact(self.entry_size()).filter_map(|e| self.decode(e))
    }

    fn decode(&self, entry: &[u8]) -> Option<RawSymbol> {
        // As arrays, so that the bounds are known.
        if self.is_64 {
            let e: &[u8; 24] = entry.try_into().ok()?;
            let (name, section) = (u32_at(e, 0)?, u16_at(e, 6)?);
            Some(RawSymbol { name, info: e[4], section, value: u64_at(e, 8)?, size: u64_at(e, 16)? })
        } else {
            let e: &[u8; 16] = entry.try_into().ok()?;
            let (value, size) = (u32_at(e, 4)?.into(), u32_at(e, 8)?.into());
            Some(RawSymbol { name: u32_at(e, 0)?, info: e[12], section: u16_at(e, 14)?, value, size })
        }
    }

    pub(super) fn name(&self, place: u32) -> Option<&'a str> {
        let rest = self.strings.get(place as usize..)?;
        let end = memchr::memchr(0, &rest[..rest.len().min(MAX_NAME)])?;
        std::str::from_utf8(&rest[..end]).ok().filter(|n| !n.is_empty())
    }

    /// Offsets in the string table, ascending, at which this name stands. The linker may let a name be the tail of
    /// a longer one.
    pub(super) fn places_of(&self, name: &str) -> Vec<u32> {
        let wanted = [name.as_bytes(), b"\0"].concat();
        memmem::find_iter(self.strings, &wanted).map(|p| p as u32).collect()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

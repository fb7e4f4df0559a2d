//! An ELF file: its sections, symbols and code.
//!
//! Addresses are the file's own. A relocatable file (a kernel module) has none, so its loaded sections
//! are laid out one after another and every address of this API is one of that layout.

use super::mapped::Mapped;
use super::{Error, relocate};
use memchr::memmem;
use object::elf::{SHF_ALLOC, SHF_EXECINSTR};
use object::{CompressionFormat, Object, ObjectSection, ObjectSegment, SectionFlags, SectionIndex};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// A packed section that says it unpacks to more bytes is not unpacked: a few bytes can claim any size.
const MAX_UNPACKED: u64 = 1 << 30;
/// More symbols of a file are not looked at.
const MAX_SYMBOLS: usize = 1 << 24;
/// A longer name is no name.
const MAX_NAME: usize = 1 << 14;

/// Where the sections of a relocatable file are laid out: away from 0, which DWARF uses for "none".
const RELOCATABLE_BASE: u64 = 0x1000_0000;

/// An open ELF file.
#[derive(Debug)]
pub struct Elf {
    // Views of `map`; never handed out for longer than `self` lives.
    file: object::File<'static>,
    symtab: SymbolTable<'static>,
    dynsym: SymbolTable<'static>,
    sections: Vec<Section>,
    relocatable: bool,
    map: Rc<Mapped>,
}

/// The bytes of a file, held for what reads them. See [`Elf::debug_section`].
#[derive(Debug)]
pub(super) struct Kept(#[expect(dead_code, reason = "it is only held")] Rc<Mapped>);

/// A loaded section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    index: SectionIndex,
    /// Address of its first byte.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Does it hold instructions?
    pub executable: bool,
    /// Is it thrown away once the kernel or the module has started (`.init.text`)?
    pub discarded: bool,
}

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
const STT_FUNC: u8 = 2;
const STT_NOTYPE: u8 = 0;
const STT_GNU_IFUNC: u8 = 10;
const SHN_LORESERVE: u16 = 0xff00;

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

impl Elf {
    /// Opens and maps a file; reads its headers only.
    pub fn open(path: &Path) -> Result<Elf, Error> {
        Elf::of(Mapped::open(path)?)
    }

    /// Reads the headers of a file that is in memory only, as the vdso is.
    pub fn of_bytes(bytes: Vec<u8>, name: &str) -> Result<Elf, Error> {
        Elf::of(Mapped::of_bytes(bytes, name))
    }

    fn of(map: Mapped) -> Result<Elf, Error> {
        let path = map.path().to_path_buf();
        // SAFETY: `file` and the symbol tables are dropped with `map`, and methods hand out what they
        // hold for the lifetime of `&self` only.
        let bytes = unsafe { map.bytes() };
        let failed = |e: object::Error| Error::Elf { path: path.clone(), what: e.to_string() };
        let file = object::File::parse(bytes).map_err(failed)?;
        if !file.is_little_endian() {
            return Err(Error::Elf { path, what: "it is big-endian".into() });
        }
        let sections = layout(&file);
        let symtab = SymbolTable::of(&file, ".symtab", ".strtab");
        let dynsym = SymbolTable::of(&file, ".dynsym", ".dynstr");
        let relocatable = file.kind() == object::ObjectKind::Relocatable;
        Ok(Elf { file, symtab, dynsym, sections, relocatable, map: Rc::new(map) })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// Is it relocatable (`ET_REL`, a kernel module)?
    pub fn is_relocatable(&self) -> bool {
        self.relocatable
    }

    /// The build id, where the file has one.
    pub fn build_id(&self) -> Option<&[u8]> {
        self.file.build_id().ok().flatten()
    }

    /// Name and checksum of the separate debug file (`.gnu_debuglink`).
    pub fn debug_link(&self) -> Option<(&[u8], u32)> {
        self.file.gnu_debuglink().ok().flatten()
    }

    /// Has it DWARF?
    pub fn has_debug_info(&self) -> bool {
        self.file.section_by_name(".debug_info").is_some_and(|s| s.size() > 0)
    }

    /// Does it say which unit holds an address (`.debug_aranges`)?
    pub fn has_address_index(&self) -> bool {
        self.file.section_by_name(".debug_aranges").is_some_and(|s| s.size() > 0)
    }

    /// Has it a full symbol table?
    pub fn has_symtab(&self) -> bool {
        !self.symtab.is_empty()
    }

    /// Symbols of `.symtab` or, where there is none, of `.dynsym`, that are defined here.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        let table = if self.symtab.is_empty() { &self.dynsym } else { &self.symtab };
        (0..table.len()).filter_map(|i| self.symbol(table, i))
    }

    /// Symbols of `.dynsym` that are defined here.
    pub fn dynamic_symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        (0..self.dynsym.len()).filter_map(|i| self.symbol(&self.dynsym, i))
    }

    /// Symbols with exactly this name. Looks for the name's bytes first and then compares numbers, so
    /// that no name of another symbol is read.
    pub fn symbols_named(&self, name: &str) -> Vec<Symbol<'_>> {
        let table = if self.symtab.is_empty() { &self.dynsym } else { &self.symtab };
        let places = table.places_of(name);
        if places.is_empty() {
            return Vec::new();
        }
        let named = table.name_places().enumerate().filter(|(_, place)| places.binary_search(place).is_ok());
        named.filter_map(|(i, _)| self.symbol(table, i)).collect()
    }

    /// Names the symbols that hold these addresses, in one pass over the table: name and offset.
    pub fn names_of(&self, addresses: &[u64]) -> HashMap<u64, (String, u64)> {
        let mut wanted: Vec<u64> = addresses.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let pages = Pages::of(&wanted);
        let mut best: Vec<Option<(u64, bool, usize)>> = vec![None; wanted.len()];
        let table = if self.symtab.is_empty() { &self.dynsym } else { &self.symtab };
        for (index, raw) in table.iter().enumerate() {
            let Some(base) = self.symbol_base(&raw).filter(|_| raw.info & 15 <= STT_FUNC) else { continue };
            let start = raw.value.wrapping_add(base);
            let end = start.saturating_add(raw.size.max(1));
            if !pages.may_meet(start, end) {
                continue;
            }
            let first = wanted.partition_point(|&a| a < start);
            let count = wanted[first..].partition_point(|&a| a < end);
            for best in &mut best[first..first + count] {
                // The nearest start wins, then what other files can see.
                let candidate = (start, raw.info >> 4 != 0, index);
                if best.is_none_or(|b| (candidate.0, candidate.1) > (b.0, b.1)) {
                    *best = Some(candidate);
                }
            }
        }
        let named = wanted.iter().zip(best).filter_map(|(&address, best)| {
            let symbol = self.symbol(table, best?.2)?;
            Some((address, (symbol.name.to_string(), address - symbol.address)))
        });
        named.collect()
    }

    /// What is added to a symbol's value to make its address; `None` for what is not defined here.
    fn symbol_base(&self, raw: &RawSymbol) -> Option<u64> {
        match raw.section {
            0 | SHN_LORESERVE.. => None,
            section if self.is_relocatable() => self.section_address(section.into()),
            _ => Some(0),
        }
    }

    fn symbol<'a>(&'a self, table: &SymbolTable<'a>, index: usize) -> Option<Symbol<'a>> {
        let raw = table.get(index)?;
        let address = raw.value.checked_add(self.symbol_base(&raw)?)?;
        let name = table.name(raw.name)?;
        Some(Symbol { name, address, size: raw.size, kind: raw.info & 15, local: raw.info >> 4 == 0 })
    }

    /// Loaded sections, in file order.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    fn section_address(&self, index: usize) -> Option<u64> {
        self.sections.iter().find(|s| s.index.0 == index).map(|s| s.address)
    }

    /// The loaded section that holds an address.
    pub fn section_at(&self, address: u64) -> Option<&Section> {
        self.sections.iter().find(|s| address >= s.address && address - s.address < s.size)
    }

    /// At most `length` bytes from an address on, cut at the end of the section.
    pub fn code(&self, address: u64, length: u64) -> Option<&[u8]> {
        let section = self.section_at(address)?;
        let offset = address - section.address;
        let length = length.min(section.size - offset);
        let data = self.file.section_by_index(section.index).ok()?.data().ok()?;
        data.get(usize::try_from(offset).ok()?..usize::try_from(offset + length).ok()?)
    }

    /// The address that is loaded from this file offset, by the program headers.
    pub fn address_of_offset(&self, offset: u64) -> Option<u64> {
        self.file.segments().find_map(|s| {
            let (start, size) = s.file_range();
            (offset >= start && offset - start < size)
                .then(|| (offset - start).checked_add(s.address()))
                .flatten()
        })
    }

    /// The file offset from which an address is loaded, by the program headers.
    pub fn offset_of_address(&self, address: u64) -> Option<u64> {
        self.file.segments().find_map(|s| {
            let (start, size) = s.file_range();
            (address >= s.address() && address - s.address() < size)
                .then(|| (address - s.address()).checked_add(start))
                .flatten()
        })
    }

    /// A section by name: unpacked, and relocated in a relocatable file. Empty where there is none.
    ///
    /// # Safety
    /// The result and what is derived from it must only be kept beside this `Elf` or what [`Elf::kept`] returned,
    /// and not be handed out for longer.
    pub(super) unsafe fn debug_section(&self, name: &str) -> Result<&'static [u8], Error> {
        let Some(section) = self.file.section_by_name(name) else { return Ok(&[]) };
        let broken = |what: String| Error::Elf {
            path: self.map.path().to_path_buf(),
            what: format!("section {name}: {what}"),
        };
        let packed = section.compressed_data().map_err(|e| broken(e.to_string()))?;
        if packed.uncompressed_size > MAX_UNPACKED && packed.format != CompressionFormat::None {
            return Err(broken(format!("it unpacks to {} bytes", packed.uncompressed_size)));
        }
        let mut data: Cow<'static, [u8]> = packed.decompress().map_err(|e| broken(e.to_string()))?;
        if self.is_relocatable() {
            relocate::apply(&self.file, &section, &self.sections, &mut data);
        }
        // SAFETY: the caller keeps it no longer than `map`.
        Ok(unsafe { self.map.pinned(data) })
    }

    /// Keeps the file's bytes as long as it lives.
    pub(super) fn kept(&self) -> Kept {
        Kept(self.map.clone())
    }

    /// Gives the pages of a debug section back to the system, up to `end` bytes of it.
    pub(super) fn release(&self, name: &str, range: std::ops::Range<usize>) {
        let place = self.file.section_by_name(name).and_then(|s| s.file_range());
        if let Some((start, size)) = place {
            let at = |o: usize| start as usize + o.min(size as usize);
            self.map.release(at(range.start)..at(range.end));
        }
    }
}

impl Section {
    pub(super) fn index(&self) -> SectionIndex {
        self.index
    }
}

fn layout(file: &object::File<'static>) -> Vec<Section> {
    let relocatable = file.kind() == object::ObjectKind::Relocatable;
    let mut next = RELOCATABLE_BASE;
    let mut sections = Vec::new();
    for section in file.sections() {
        let flags = match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => sh_flags.0,
            _ => 0,
        };
        if flags & SHF_ALLOC.0 == 0 {
            continue;
        }
        let mut address = section.address();
        if relocatable {
            address = next.next_multiple_of(section.align().clamp(1, 1 << 20));
            // A gap keeps neighbours apart: an end of one is not the start of the next.
            next = address.saturating_add(section.size().min(1 << 32)).saturating_add(16);
        }
        let executable = flags & SHF_EXECINSTR.0 != 0;
        let discarded = section.name().is_ok_and(|n| n.starts_with(".init.") || n.starts_with(".exit."));
        let (index, size) = (section.index(), section.size());
        sections.push(Section { index, address, size, executable, discarded });
    }
    sections
}

/// A symbol table in the file's bytes.
#[derive(Clone, Copy, Debug, Default)]
struct SymbolTable<'a> {
    entries: &'a [u8],
    strings: &'a [u8],
    is_64: bool,
}

/// `Elf64_Sym` and `Elf32_Sym` in one form.
struct RawSymbol {
    name: u32,
    info: u8,
    section: u16,
    value: u64,
    size: u64,
}

impl<'a> SymbolTable<'a> {
    fn of(file: &object::File<'a>, entries: &str, strings: &str) -> SymbolTable<'a> {
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

    fn len(&self) -> usize {
        self.entries.len() / self.entry_size()
    }

    fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    fn entry(&self, index: usize) -> Option<&'a [u8]> {
        let size = self.entry_size();
        self.entries.get(index * size..(index + 1) * size)
    }

    fn get(&self, index: usize) -> Option<RawSymbol> {
        self.entry(index).and_then(|e| self.decode(e))
    }

    /// Where the names of all symbols lie.
    fn name_places(&self) -> impl Iterator<Item = u32> {
        self.entries.chunks_exact(self.entry_size()).map(|e| u32::from_le_bytes([e[0], e[1], e[2], e[3]]))
    }

    fn iter(&self) -> impl Iterator<Item = RawSymbol> {
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

    fn name(&self, place: u32) -> Option<&'a str> {
        let rest = self.strings.get(place as usize..)?;
        let end = memchr::memchr(0, &rest[..rest.len().min(MAX_NAME)])?;
        std::str::from_utf8(&rest[..end]).ok().filter(|n| !n.is_empty())
    }

    /// Offsets in the string table, ascending, at which this name stands. The linker may let a name be the tail of
    /// a longer one.
    fn places_of(&self, name: &str) -> Vec<u32> {
        let wanted = [name.as_bytes(), b"\0"].concat();
        memmem::find_iter(self.strings, &wanted).map(|p| p as u32).collect()
    }
}

/// The pages of some addresses: passes over most symbols of a kernel at the price of a bit.
struct Pages {
    first: u64,
    last: u64,
    bits: Vec<bool>,
}

impl Pages {
    const SHIFT: u32 = 12;
    /// Pages beyond so many (256 MiB of addresses) share the last bit.
    const MOST: u64 = 1 << 16;

    /// `sorted` is in ascending order.
    fn of(sorted: &[u64]) -> Pages {
        let page = |a: &u64| a >> Pages::SHIFT;
        let (first, last) = (sorted.first().map_or(1, page), sorted.last().map_or(0, page));
        let mut pages =
            Pages { first, last, bits: vec![false; Pages::MOST.min(last.wrapping_sub(first)) as usize + 1] };
        for address in sorted {
            let bit = pages.bit(page(address));
            pages.bits[bit] = true;
        }
        pages
    }

    fn bit(&self, page: u64) -> usize {
        (page - self.first).min(Pages::MOST) as usize
    }

    /// May one of the addresses lie from `start` to before `end`?
    fn may_meet(&self, start: u64, end: u64) -> bool {
        let from = (start >> Pages::SHIFT).max(self.first);
        let to = ((end - 1) >> Pages::SHIFT).min(self.last);
        from <= to && self.bits[self.bit(from)..=self.bit(to)].contains(&true)
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

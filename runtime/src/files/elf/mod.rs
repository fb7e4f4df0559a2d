//! An ELF file: its sections, symbols and code.
//!
//! Addresses are the file's own. A relocatable file (a kernel module) has none, so its loaded sections
//! are laid out one after another and every address of this API is one of that layout.

mod dynamic;
mod mapped;
mod pages;
mod relocate;
mod section;
mod static_probes;
mod symbol_table;

pub use dynamic::Needs;
pub use section::Section;
pub use static_probes::StaticProbe;
pub use symbol_table::Symbol;

use super::Error;
use mapped::Mapped;
use object::{Architecture, CompressionFormat, Object, ObjectSection, ObjectSegment};
use pages::Pages;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use symbol_table::{RawSymbol, SHN_LORESERVE, STT_FUNC, SymbolTable};

/// A packed section that says it unpacks to more bytes is not unpacked: a few bytes can claim any size.
const MAX_UNPACKED: u64 = 1 << 30;

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
#[derive(Clone, Debug)]
pub(super) struct Kept(#[expect(dead_code, reason = "it is only held")] Rc<Mapped>);

impl Elf {
    /// Opens and maps a file; reads its headers only.
    pub fn open(path: &Path) -> Result<Elf, Error> {
        Elf::of(Rc::new(Mapped::open(path)?))
    }

    /// Reads the headers of a file that is in memory only, as the vdso is.
    pub fn of_bytes(bytes: Vec<u8>, name: &str) -> Result<Elf, Error> {
        Elf::of(Rc::new(Mapped::of_bytes(bytes, name)))
    }

    /// The same file once more, whether there still is a way to it or not.
    pub fn again(&self) -> Result<Elf, Error> {
        Elf::of(self.map.clone())
    }

    fn of(map: Rc<Mapped>) -> Result<Elf, Error> {
        let path = map.path().to_path_buf();
        // SAFETY: `file` and the symbol tables are dropped with `map`, and methods hand out what they
        // hold for the lifetime of `&self` only.
        let bytes = unsafe { map.bytes() };
        let failed = |e: object::Error| Error::Elf { path: path.clone(), what: e.to_string() };
        let file = object::File::parse(bytes).map_err(failed)?;
        if !file.is_little_endian() {
            return Err(Error::Elf { path, what: "it is big-endian".into() });
        }
        let sections = section::layout(&file);
        let symtab = SymbolTable::of(&file, ".symtab", ".strtab");
        let dynsym = SymbolTable::of(&file, ".dynsym", ".dynstr");
        let relocatable = file.kind() == object::ObjectKind::Relocatable;
        Ok(Elf { file, symtab, dynsym, sections, relocatable, map })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.map.slice().len() as u64
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        self.map.slice()
    }

    /// The processor that it is for.
    pub fn architecture(&self) -> Architecture {
        self.file.architecture()
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

    /// Name and build id of the file that has what this one shares with others (`.gnu_debugaltlink`).
    pub fn shared_link(&self) -> Option<(&[u8], &[u8])> {
        self.file.gnu_debugaltlink().ok().flatten()
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
        self.sections.iter().find(|s| s.index().0 == index).map(|s| s.address)
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
        let data = self.file.section_by_index(section.index()).ok()?.data().ok()?;
        data.get(usize::try_from(offset).ok()?..usize::try_from(offset + length).ok()?)
    }

    /// The address that is loaded from this file offset, by the program headers. Offsets count from the start of the
    /// file on the disk, of which this one may be a part (an entry of an archive).
    pub fn address_of_offset(&self, offset: u64) -> Option<u64> {
        let offset = offset.checked_sub(self.map.start())?;
        self.file.segments().find_map(|s| {
            let (start, size) = s.file_range();
            (offset >= start && offset - start < size)
                .then(|| (offset - start).checked_add(s.address()))
                .flatten()
        })
    }

    /// What is loaded: offset in the file, address and size in the file of each part.
    pub fn parts(&self) -> Vec<(u64, u64, u64)> {
        let start = self.map.start();
        let part = |s: object::Segment<'_, '_>| {
            (s.file_range().0.saturating_add(start), s.address(), s.file_range().1)
        };
        self.file.segments().map(part).collect()
    }

    /// The address and the bytes of a loaded section.
    pub fn loaded_section(&self, name: &str) -> Option<(u64, &[u8])> {
        let section = self.file.section_by_name(name)?;
        Some((section.address(), section.data().ok()?))
    }

    /// The file offset from which an address is loaded, by the program headers.
    pub fn offset_of_address(&self, address: u64) -> Option<u64> {
        self.file
            .segments()
            .find_map(|s| {
                let (start, size) = s.file_range();
                (address >= s.address() && address - s.address() < size)
                    .then(|| (address - s.address()).checked_add(start))
                    .flatten()
            })?
            .checked_add(self.map.start())
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

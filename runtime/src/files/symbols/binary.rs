//! Symbols of one program or library.

use crate::files::debuginfo;
use crate::files::dwarf::{DebugInfo, InlineStep};
use crate::files::elf::{Elf, Symbol};
use std::cell::OnceCell;

/// Without `.debug_aranges`, all of a file's units are read to find one: not for more than this, in bytes.
const MAX_UNINDEXED: u64 = 256 << 20;

/// Bytes of the names of one file; symbols behind them are left out.
const MAX_NAMES: usize = 512 << 20;

/// How many source files are kept in memory.
const MAX_UNITS: usize = 32;

/// A program or library. Held open from when it is first met: its process may end, and the way to it with it.
#[derive(Debug)]
pub(super) struct Binary {
    elf: Elf,
    /// The file with what was taken out of it: symbols, debug information.
    separate: Option<Elf>,
    /// Read with the first name.
    symbols: OnceCell<Symbols>,
    /// Debug information: not looked for yet, or what was found.
    debug: Option<Option<Box<DebugInfo>>>,
}

/// A binary's symbols, sorted by address.
#[derive(Debug)]
struct Symbols {
    /// Start, size, place of the name in `names`.
    places: Vec<(u64, u64, u32)>,
    /// Names, each ended by a NUL.
    names: Vec<u8>,
}

impl Symbols {
    /// Reads the symbols of a file: its own table, else that of its separate debug file, else what it
    /// exports.
    fn of(elf: &Elf, separate: Option<&Elf>) -> Symbols {
        let fuller = separate.filter(|separate| !elf.has_symtab() && separate.has_symtab());
        pack(code_symbols(fuller.unwrap_or(elf)))
    }

    /// Names an address: symbol and offset.
    fn name(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.places.partition_point(|s| s.0 <= address);
        // A symbol may lie within a larger one.
        let before = self.places[..after].iter().rev().take(8);
        let next = self.places.get(after).map_or(u64::MAX, |s| s.0);
        let holds = |s: &&(u64, u64, u32)| if s.1 == 0 { address < next } else { address - s.0 < s.1 };
        let (start, _, name) = before.into_iter().find(holds)?;
        Some((self.name_at(*name)?, address - start))
    }

    fn name_at(&self, place: u32) -> Option<&str> {
        let rest = self.names.get(place as usize..)?;
        let end = rest.iter().position(|&b| b == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}

impl Binary {
    /// An open file.
    pub(super) fn of(elf: Elf) -> Binary {
        let separate = if elf.has_debug_info() { None } else { debuginfo::separate_file(&elf) };
        let separate = separate.and_then(|path| Elf::open(&path).ok());
        Binary { elf, separate, symbols: OnceCell::new(), debug: None }
    }

    /// The address by which the file itself calls what is loaded from this offset of it.
    pub(super) fn address_of_offset(&self, offset: u64) -> Option<u64> {
        self.elf.address_of_offset(offset)
    }

    /// Names an address: symbol and offset.
    pub(super) fn name(&self, address: u64) -> Option<(&str, u64)> {
        self.symbols.get_or_init(|| Symbols::of(&self.elf, self.separate.as_ref())).name(address)
    }

    /// The source lines of an address, innermost first; empty without debug information.
    pub(super) fn frames(&mut self, address: u64) -> Vec<InlineStep> {
        let (elf, separate) = (&self.elf, self.separate.as_ref());
        let debug = self.debug.get_or_insert_with(|| open_debug(elf, separate).map(Box::new));
        let Some(debug) = debug else { return Vec::new() };
        let frames = debug.frames(address).unwrap_or_default();
        debug.keep_units(MAX_UNITS);
        frames
    }

    /// The file's instructions from a symbol's start up to an address.
    pub(super) fn code(&self, start: u64, length: u64) -> Option<&[u8]> {
        self.elf.code(start, length)
    }
}

fn open_debug(elf: &Elf, separate: Option<&Elf>) -> Option<DebugInfo> {
    let file = if elf.has_debug_info() { elf } else { separate? }.again().ok()?;
    if file.size() > MAX_UNINDEXED && !file.has_address_index() {
        return None;
    }
    DebugInfo::of(file).ok()
}

/// One symbol for each address, the plainest.
fn code_symbols(elf: &Elf) -> Vec<Symbol<'_>> {
    let mut room = MAX_NAMES;
    let fits = |s: &Symbol| {
        room = room.saturating_sub(s.name.len() + 1);
        room > 0
    };
    let mut symbols: Vec<Symbol> =
        elf.symbols().filter(|s| s.is_code() && s.address != 0).take_while(fits).collect();
    // Data may have no type in assembler: only what lies in code counts.
    symbols.retain(|s| s.is_function() || elf.section_at(s.address).is_some_and(|x| x.executable));
    let rank = |s: &Symbol| {
        let underscores = s.name.bytes().take_while(|&b| b == b'_').count();
        // Mangled names begin with an underscore.
        let underscores = if s.name.starts_with("_Z") || s.name.starts_with("_R") { 0 } else { underscores };
        (s.address, !s.is_function(), underscores, s.name.len())
    };
    symbols.sort_by(|a, b| rank(a).cmp(&rank(b)).then(a.name.cmp(b.name)));
    symbols.dedup_by_key(|s| s.address);
    symbols
}

fn pack(table: Vec<Symbol>) -> Symbols {
    let mut names = Vec::with_capacity(table.iter().map(|s| s.name.len() + 1).sum());
    let mut places = Vec::with_capacity(table.len());
    for symbol in table {
        places.push((symbol.address, symbol.size, names.len() as u32));
        names.extend_from_slice(symbol.name.as_bytes());
        names.push(0);
    }
    Symbols { places, names }
}

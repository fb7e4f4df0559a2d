//! One function's tree: what is inlined where.

use super::{DebugInfo, Error, Reader, Unit};
use gimli::{AttributeValue, DebuggingInformationEntry, EntriesRaw, UnitOffset};
use std::rc::Rc;

type Entry = DebuggingInformationEntry<Reader>;

/// A half-open range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// One past the last.
    pub end: u64,
}

impl Range {
    /// Does it hold the address?
    pub fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// Where an inlined function is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallSite {
    /// The file, as the unit's line table numbers it.
    pub file: u64,
    /// The line, from 1; 0: not known.
    pub line: u32,
    /// The column, from 1; 0: not known.
    pub column: u32,
}

/// A function with code of its own.
#[derive(Debug)]
pub struct FunctionTree {
    /// Its name, mangled in languages that mangle.
    pub name: Option<Rc<str>>,
    /// Its code; several ranges where cold parts stand elsewhere.
    pub ranges: Vec<Range>,
    /// What is inlined into it, callers before what they call.
    pub inlined: Vec<Inlined>,
    /// Offset of its entry in the unit.
    pub entry: usize,
}

/// One inlined copy of a function.
#[derive(Debug)]
pub struct Inlined {
    /// Name of the function that is inlined here.
    pub name: Option<Rc<str>>,
    /// The copy's code.
    pub ranges: Vec<Range>,
    /// Where the copy is entered, if debug information says so.
    pub entry_address: Option<u64>,
    /// Which of the line table's rows for that address is the first one of the copy, from 0.
    pub entry_view: u64,
    /// Where it is called.
    pub call: CallSite,
    /// The copy into which it is inlined, as an index; `None`: the function itself.
    pub parent: Option<usize>,
    /// Depth: 1 for what is inlined into the function itself.
    pub depth: u32,
    /// Offset of its entry in the unit.
    pub entry: usize,
}

/// A function's address range and the offset of its entry in the unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct FunctionRange {
    pub(super) range: Range,
    pub(super) entry: usize,
}

impl FunctionTree {
    /// The inlined copies that hold an address, innermost first.
    pub fn inlined_at(&self, address: u64) -> impl Iterator<Item = &Inlined> {
        let mut at = self.innermost_at(address);
        std::iter::from_fn(move || {
            let inlined = &self.inlined[at?];
            at = inlined.parent;
            Some(inlined)
        })
    }

    /// Index of the innermost inlined copy that holds an address; `None`: the function itself.
    pub fn innermost_at(&self, address: u64) -> Option<usize> {
        let holds = |i: &Inlined| i.ranges.iter().any(|r| r.contains(address));
        let held = self.inlined.iter().enumerate().filter(|(_, i)| holds(i));
        held.max_by_key(|(_, i)| i.depth).map(|(index, _)| index)
    }

    /// Index of the innermost inlined copy to which a row of the line table belongs: `view` counts the
    /// rows of the same address before it. A copy may begin between two rows of one address; rows
    /// before that belong to what ends there.
    pub fn innermost_of_row(&self, address: u64, view: u64) -> Option<usize> {
        let here = self.innermost_at(address);
        let mut at = here;
        while let Some(index) = at {
            let inlined = &self.inlined[index];
            if inlined.entry_address == Some(address) && inlined.entry_view > view {
                return self.innermost_at(address.wrapping_sub(1));
            }
            at = inlined.parent;
        }
        here
    }

    /// Does an address belong to it?
    pub fn contains(&self, address: u64) -> bool {
        self.ranges.iter().any(|r| r.contains(address))
    }
}

/// Ranges of a unit or a function beyond this many are left out: entries may share one list.
const MAX_RANGES: usize = 1 << 20;

/// Finds all functions with code in a unit. Entries of other kinds are stepped over, not read.
pub(super) fn ranges(
    dwarf: &gimli::Dwarf<Reader>,
    unit: &gimli::Unit<Reader>,
) -> gimli::Result<Vec<FunctionRange>> {
    let mut found = Vec::new();
    let mut entries = unit.entries_raw(None)?;
    let mut attributes = Vec::new();
    while !entries.is_empty() {
        let entry = entries.next_offset();
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        if abbreviation.tag() != gimli::DW_TAG_subprogram || !has_code(abbreviation) {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        entries.read_attributes(abbreviation.attributes(), &mut attributes)?;
        let whole = unit.entry(entry)?;
        for range in die_ranges(dwarf, unit, &whole)? {
            found.push(FunctionRange { range, entry: entry.0 });
        }
        if found.len() > MAX_RANGES {
            break;
        }
    }
    Ok(found)
}

fn has_code(abbreviation: &gimli::Abbreviation) -> bool {
    let names = |n| n == gimli::DW_AT_low_pc || n == gimli::DW_AT_ranges;
    abbreviation.attributes().iter().any(|a| names(a.name()))
}

/// Does the code claim to end behind the last address? gimli adds without looking.
pub(super) fn overflows(
    dwarf: &gimli::Dwarf<Reader>,
    unit: &gimli::Unit<Reader>,
    entry: &Entry,
) -> gimli::Result<bool> {
    let Some(size) = entry.attr(gimli::DW_AT_high_pc).and_then(gimli::Attribute::udata_value) else {
        return Ok(false);
    };
    let low = entry.attr_value(gimli::DW_AT_low_pc).map(|low| dwarf.attr_address(unit, low)).transpose()?;
    Ok(low.flatten().is_some_and(|low| low.checked_add(size).is_none()))
}

fn die_ranges(
    dwarf: &gimli::Dwarf<Reader>,
    unit: &gimli::Unit<Reader>,
    entry: &Entry,
) -> gimli::Result<Vec<Range>> {
    let mut ranges = Vec::new();
    if overflows(dwarf, unit, entry)? {
        return Ok(ranges);
    }
    let mut list = dwarf.die_ranges(unit, entry)?;
    while let Some(range) = list.next()? {
        if range.begin < range.end && range.begin != 0 {
            ranges.push(Range { start: range.begin, end: range.end });
        }
    }
    Ok(ranges)
}

/// Reads the tree of the function whose entry stands at this offset.
pub(super) fn read(info: &DebugInfo, unit: &Unit, entry: usize) -> Result<FunctionTree, Error> {
    let mut entries = info.read(unit.inner.entries_raw(Some(UnitOffset(entry))))?;
    let mut die = Entry::null();
    info.read(entries.read_entry(&mut die))?;
    let name = name_of(info, unit, &die, 0)?;
    let ranges = info.read(die_ranges(&info.dwarf, &unit.inner, &die))?;
    let mut function = FunctionTree { name, ranges, inlined: Vec::new(), entry };
    if die.has_children() {
        read_children(info, unit, &mut entries, &mut function)?;
    }
    Ok(function)
}

/// Reads the entries below a function, down to the one that ends it.
fn read_children(
    info: &DebugInfo,
    unit: &Unit,
    entries: &mut EntriesRaw<'_, Reader>,
    function: &mut FunctionTree,
) -> Result<(), Error> {
    let (base, mut ranges) = (entries.next_depth(), 0);
    // Depth of the tree and index of each inlined copy that is open.
    let mut open: Vec<(isize, usize)> = Vec::new();
    // Below an entry of another function (nested in this one) nothing counts.
    let mut foreign: Option<isize> = None;
    while entries.next_depth() >= base && !entries.is_empty() {
        let (offset, depth) = (entries.next_offset(), entries.next_depth());
        let Some(abbreviation) = info.read(entries.read_abbreviation())? else { continue };
        info.read(entries.skip_attributes(abbreviation.attributes()))?;
        open.truncate(open.iter().take_while(|o| o.0 < depth).count());
        foreign = foreign.filter(|&d| d < depth);
        let tag = abbreviation.tag();
        if tag == gimli::DW_TAG_subprogram {
            foreign = foreign.or(Some(depth));
        }
        if tag != gimli::DW_TAG_inlined_subroutine || foreign.is_some() {
            continue;
        }
        let parent = open.last().map(|o| o.1);
        let inlined = read_inlined(info, unit, offset, parent, open.len() as u32 + 1)?;
        ranges += inlined.ranges.len() + 1;
        if ranges > MAX_RANGES {
            break;
        }
        function.inlined.push(inlined);
        open.push((depth, function.inlined.len() - 1));
    }
    Ok(())
}

fn read_inlined(
    info: &DebugInfo,
    unit: &Unit,
    offset: UnitOffset,
    parent: Option<usize>,
    depth: u32,
) -> Result<Inlined, Error> {
    let die = info.read(unit.inner.entry(offset))?;
    let number = |name| die.attr(name).and_then(gimli::Attribute::udata_value);
    let file = match die.attr_value(gimli::DW_AT_call_file) {
        Some(AttributeValue::FileIndex(file)) => file,
        _ => 0,
    };
    let call = CallSite {
        file,
        line: number(gimli::DW_AT_call_line).unwrap_or(0) as u32,
        column: number(gimli::DW_AT_call_column).unwrap_or(0) as u32,
    };
    let ranges = info.read(die_ranges(&info.dwarf, &unit.inner, &die))?;
    let entry_address = entry_address(info, unit, &die, &ranges)?;
    let name = name_of(info, unit, &die, 0)?;
    let entry_view = number(gimli::DW_AT_GNU_entry_view).unwrap_or(0);
    Ok(Inlined { name, ranges, entry_address, entry_view, call, parent, depth, entry: offset.0 })
}

/// `DW_AT_entry_pc`: an address, or an offset from the lowest one (DWARF 5, section 2.18).
fn entry_address(info: &DebugInfo, unit: &Unit, die: &Entry, ranges: &[Range]) -> Result<Option<u64>, Error> {
    let low = ranges.iter().map(|r| r.start).min();
    match die.attr_value(gimli::DW_AT_entry_pc) {
        None => Ok(low),
        Some(AttributeValue::Udata(offset)) => Ok(low.map(|l| l.wrapping_add(offset))),
        Some(value) => info.read(info.dwarf.attr_address(&unit.inner, value)),
    }
}

/// How far references from entry to entry are followed; a damaged file may have a circle.
const MAX_REFERENCES: u32 = 16;

/// The name of a function's entry, or of the one that it refers to as its origin.
fn name_of(info: &DebugInfo, unit: &Unit, die: &Entry, depth: u32) -> Result<Option<Rc<str>>, Error> {
    let own = [gimli::DW_AT_linkage_name, gimli::DW_AT_MIPS_linkage_name, gimli::DW_AT_name];
    if let Some(value) = own.iter().find_map(|&n| die.attr_value(n)) {
        // A name in a supplementary file that is not at hand is no reason to refuse the rest.
        let name = info.dwarf.attr_string(&unit.inner, value).ok();
        let name = name.map(|n| Rc::from(n.to_string_lossy().as_ref()));
        if die.has_attr(gimli::DW_AT_linkage_name) || !die.has_attr(gimli::DW_AT_specification) {
            return Ok(name);
        }
    }
    if depth >= MAX_REFERENCES {
        return Ok(None);
    }
    let origin =
        die.attr_value(gimli::DW_AT_abstract_origin).or_else(|| die.attr_value(gimli::DW_AT_specification));
    match origin {
        Some(AttributeValue::UnitRef(offset)) => {
            let entry = info.read(unit.inner.entry(offset))?;
            name_of(info, unit, &entry, depth + 1)
        }
        Some(AttributeValue::DebugInfoRef(offset)) => {
            let Some((unit, offset)) = info.entry_at(offset.0)? else { return Ok(None) };
            let entry = info.read(unit.inner.entry(offset))?;
            name_of(info, &unit, &entry, depth + 1)
        }
        _ => Ok(None),
    }
}

impl DebugInfo {
    /// The unit that an offset of `.debug_info` lies in, and the offset within the unit.
    pub(super) fn entry_at(&self, offset: usize) -> Result<Option<(Rc<Unit>, UnitOffset)>, Error> {
        let mut start = self.index()?.unit_before(offset);
        loop {
            let header = match self.dwarf.unit_header(gimli::DebugInfoOffset(start)) {
                Ok(header) => header,
                Err(_) => return Ok(None),
            };
            let end = start.saturating_add(header.length_including_self());
            if offset < end {
                let inside = UnitOffset(offset - start);
                return Ok(Some((self.unit(start)?, inside)));
            }
            start = end;
        }
    }
}

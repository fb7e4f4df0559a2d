//! Which unit holds an address.

use super::function::overflows;
use super::{DebugInfo, Error};

/// Address ranges of units.
#[derive(Debug, Default)]
pub(super) struct UnitIndex {
    /// Start, end (exclusive), offset of the unit in `.debug_info`; sorted by start.
    ranges: Vec<(u64, u64, usize)>,
    /// Offsets of the units that are known, sorted.
    offsets: Vec<usize>,
}

impl UnitIndex {
    /// Reads `.debug_aranges`; without it, the ranges of every unit's root.
    pub(super) fn read(info: &DebugInfo) -> Result<UnitIndex, Error> {
        let mut ranges = info.read(from_aranges(info))?;
        let mut offsets: Vec<usize> = ranges.iter().map(|r| r.2).collect();
        if ranges.is_empty() {
            (ranges, offsets) = info.read(from_units(info))?;
        }
        ranges.sort_unstable();
        offsets.sort_unstable();
        offsets.dedup();
        Ok(UnitIndex { ranges, offsets })
    }

    /// The unit of an address. Where ranges overlap, the one that starts last.
    pub(super) fn unit_at(&self, address: u64) -> Option<usize> {
        let after = self.ranges.partition_point(|r| r.0 <= address);
        self.ranges[..after].iter().rev().take(16).find(|r| address < r.1).map(|r| r.2)
    }

    /// A known unit that starts at or before this offset of `.debug_info`; 0 where none is known.
    pub(super) fn unit_before(&self, offset: usize) -> usize {
        let after = self.offsets.partition_point(|&o| o <= offset);
        after.checked_sub(1).map_or(0, |i| self.offsets[i])
    }
}

/// Units beyond this many ranges are not found: all units may share one list.
const MAX_RANGES: usize = 1 << 23;

type Ranges = Vec<(u64, u64, usize)>;

fn from_aranges(info: &DebugInfo) -> gimli::Result<Ranges> {
    let mut ranges = Vec::new();
    let mut headers = info.dwarf.debug_aranges.headers();
    while let Some(header) = headers.next()? {
        let mut entries = header.entries();
        while let Some(entry) = entries.next()? {
            let range = entry.range();
            if range.begin < range.end {
                ranges.push((range.begin, range.end, header.debug_info_offset().0));
            }
        }
    }
    Ok(ranges)
}

fn from_units(info: &DebugInfo) -> gimli::Result<(Ranges, Vec<usize>)> {
    let (mut ranges, mut offsets) = (Vec::new(), Vec::new());
    let mut headers = info.dwarf.units();
    while let Some(header) = headers.next()? {
        let Some(offset) = header.debug_info_offset() else { continue };
        offsets.push(offset.0);
        let unit = info.dwarf.unit(header)?;
        if overflows(&info.dwarf, &unit, &unit.entry(unit.header.root_offset())?)? {
            continue;
        }
        let mut own = info.dwarf.unit_ranges(&unit)?;
        while let Some(range) = own.next()? {
            if range.begin < range.end && range.begin != 0 {
                ranges.push((range.begin, range.end, offset.0));
            }
        }
        if ranges.len() > MAX_RANGES {
            break;
        }
    }
    Ok((ranges, offsets))
}

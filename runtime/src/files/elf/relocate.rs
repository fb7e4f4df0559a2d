//! Relocations of the debug sections of a relocatable file (a kernel module).
//!
//! **Invariant**: never applied to a linked file. A kernel linked with `--emit-relocs` keeps
//! `.rela.debug_*` sections for relocations that are already applied.

use super::section::Section;
use object::{Object, ObjectSection, ObjectSymbol, RelocationKind, RelocationTarget};
use std::borrow::Cow;

/// Applies the absolute relocations of `section` to its bytes.
pub(super) fn apply<'d>(
    file: &object::File<'d>,
    section: &object::Section<'d, '_>,
    layout: &[Section],
    data: &mut Cow<'d, [u8]>,
) {
    let mut relocations = section.relocations().peekable();
    if relocations.peek().is_none() {
        return;
    }
    let data = data.to_mut();
    for (offset, relocation) in relocations {
        if relocation.kind() != RelocationKind::Absolute {
            continue;
        }
        let Some(base) = target(file, layout, relocation.target()) else { continue };
        let value = base.wrapping_add(relocation.addend() as u64);
        write(data, offset, relocation.size() / 8, value);
    }
}

/// Address of a relocation's symbol in the layout; debug sections stand at 0.
fn target(file: &object::File<'_>, layout: &[Section], target: RelocationTarget) -> Option<u64> {
    let RelocationTarget::Symbol(index) = target else { return None };
    let symbol = file.symbol_by_index(index).ok()?;
    let section = symbol.section_index()?;
    let base = layout.iter().find(|s| s.index() == section).map_or(0, |s| s.address);
    Some(base.wrapping_add(symbol.address()))
}

fn write(data: &mut [u8], offset: u64, size: u8, value: u64) {
    let size = usize::from(size.min(8));
    let place = usize::try_from(offset).ok().and_then(|o| data.get_mut(o..o.checked_add(size)?));
    if let Some(place) = place {
        place.copy_from_slice(&value.to_le_bytes()[..size]);
    }
}

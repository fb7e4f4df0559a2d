//! The sections of a file that are loaded, and where a relocatable one has them.

use object::elf::{SHF_ALLOC, SHF_EXECINSTR};
use object::{Object as _, ObjectSection as _, SectionFlags, SectionIndex};

/// Where the sections of a relocatable file are laid out: away from 0, which DWARF uses for "none".
const RELOCATABLE_BASE: u64 = 0x1000_0000;

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

impl Section {
    pub(super) fn index(&self) -> SectionIndex {
        self.index
    }
}

/// Lays the loaded sections of a relocatable file out one after another; others say where theirs are.
pub(super) fn layout(file: &object::File<'_>) -> Vec<Section> {
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

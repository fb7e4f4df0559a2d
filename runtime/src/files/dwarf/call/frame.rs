//! Where the frame of a function lies at one of its instructions.

use crate::files::elf::Elf;
use gimli::{BaseAddresses, CfaRule, EhFrame, EndianSlice, LittleEndian, UnwindContext, UnwindSection as _};

/// What locations of a frame are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The function's first instruction: nothing is stored yet.
    Entry,
    /// The code that stores the parameters: nothing is certain.
    Prologue,
    /// Behind it: where the stack was before the call, by a register and an offset.
    Inside(Option<(u16, i64)>),
}

/// The stack pointer before the call, by the call frame information of the program at this instruction.
pub(super) fn before_call(program: &Elf, pc: u64) -> Option<(u16, i64)> {
    let (address, data) = program.loaded_section(".eh_frame")?;
    let frames = EhFrame::from(EndianSlice::new(data, LittleEndian));
    let bases = BaseAddresses::default().set_eh_frame(address);
    let mut context = UnwindContext::new();
    let row = frames.unwind_info_for_address(&bases, &mut context, pc, EhFrame::cie_from_offset).ok()?;
    match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => Some((register.0, *offset)),
        CfaRule::Expression(_) => None,
    }
}

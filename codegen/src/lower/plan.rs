//! What one program is made for, and where its values lie.

use crate::arch;
use crate::object::LoadAs;
use rbtrace_lang::context::{Location, Register};
use rbtrace_lang::hir::AttachPoint;
use rbtrace_lang::target::Edge;

/// One program to be made of a body.
pub(super) struct Plan<'p> {
    /// What loading it takes.
    pub(super) load: LoadAs,
    /// Attach points, never empty.
    pub(super) attach: Vec<&'p AttachPoint>,
}

/// Offset of `__syscall_nr` in the records of these tracepoints.
pub(super) const NR: u32 = 8;
/// Offset of the first argument, or of the result, in the records; each takes 8 bytes.
const FIRST: u32 = 16;

/// Where a field of the tracepoint's record lies in the context of the raw tracepoint: the address of the registers,
/// then before the call its number, after it its result.
pub(super) fn in_raw(edge: Edge, location: Location) -> Option<Location> {
    let Location::Field(at) = location else { return None };
    let register = |offset| Location::Register(Register::At { offset, size: 8 });
    match edge {
        Edge::Enter if at == NR => Some(Location::Word(8)),
        Edge::Exit if at == NR => Some(register(arch::CURRENT.syscall_nr)),
        Edge::Exit if at == FIRST => Some(Location::Word(8)),
        Edge::Enter if at >= FIRST && at.is_multiple_of(8) => {
            arch::CURRENT.syscall_args.get(((at - FIRST) / 8) as usize).map(|&r| register(r))
        }
        Edge::Enter | Edge::Exit => None,
    }
}

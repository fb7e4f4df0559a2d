//! One piece of memory for the locals that callbacks share with the functions around them.
//!
//! A callback finds each local that it takes from outside in a word of its record, which must lie on the stack of the
//! function that calls it. Where these are many, they all live in the area instead: the record only holds its
//! address, nothing is copied in and out, and the area may lie in scratch memory.

use super::visit;
use crate::helpers;
use crate::kernel::Kernel;
use crate::layout::{TEXT_SPARE, has_text};
use crate::object::ProgramType;
use rbtrace_lang::hir::{LocalId, Probe};
use rbtrace_lang::types::{AddrSpace, Type};
use std::collections::BTreeMap;

/// Locals up to which each has its own word in the records.
const MANY: usize = 16;

/// Which locals lie in the area, and where.
#[derive(Debug, Default)]
pub(super) struct Area {
    offsets: BTreeMap<LocalId, u32>,
    /// Bytes.
    pub(super) size: u32,
}

impl Area {
    /// The area of a probe's functions, empty where no loop needs many locals.
    pub(super) fn new(probe: &Probe, ty: ProgramType, kernel: &dyn Kernel) -> Area {
        let mut area = Area::default();
        let captured = visit::captured_locals(probe);
        // Without `bpf_loop` the verifier follows each such loop through its rounds, for which it must know the variables.
        let follows = || visit::has_rounds(probe) && !kernel.can_call(ty, helpers::LOOP);
        if captured.len() <= MANY || follows() {
            return area;
        }
        for local in captured {
            let ty = &probe.locals[local.0 as usize].ty;
            if may_lie_in_map(ty) {
                area.offsets.insert(local, area.size);
                let spare = if has_text(ty) { TEXT_SPARE } else { 0 };
                area.size += (ty.size() + spare).max(1).next_multiple_of(8);
            }
        }
        area
    }

    /// Where a local lies in it.
    pub(super) fn offset(&self, local: LocalId) -> Option<u32> {
        self.offsets.get(&local).copied()
    }
}

/// The verifier forgets what a pointer is when it is stored in a map's memory.
fn may_lie_in_map(ty: &Type) -> bool {
    !matches!(ty, Type::Ptr { space: AddrSpace::Ctx | AddrSpace::Bpf, .. })
}

//! The live system.

pub mod dwarf;
pub mod insn;

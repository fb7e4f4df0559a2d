//! The live system.

pub mod dwarf;
pub mod insn;
pub mod maps;
pub mod print;
pub mod sys;

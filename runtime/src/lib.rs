//! The live system.

pub mod btf;
pub mod debuginfo;
pub mod dwarf;
pub mod glob;
pub mod insn;
pub mod kallsyms;
pub mod lines;
pub mod maps;
pub mod near;
pub mod print;
pub mod symbols;
pub mod sys;
pub mod system;
pub mod tracefs;

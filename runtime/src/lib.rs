//! The live system.

// See `terminal`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod async_actions;
pub mod attach;
pub mod btf;
pub mod debuginfo;
pub mod dwarf;
pub mod events;
pub mod glob;
pub mod info;
pub mod insn;
pub mod kallsyms;
pub mod kernel;
pub mod kernelfs;
pub mod lines;
pub mod list;
pub mod load;
pub mod maps;
pub mod near;
pub mod print;
pub mod privileges;
pub mod session;
pub mod sink;
pub mod slots;
pub mod symbols;
pub mod sys;
pub mod system;
pub mod terminal;
pub mod tracefs;

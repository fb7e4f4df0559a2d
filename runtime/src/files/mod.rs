//! What is read from files: ELF and its symbols, DWARF, BTF, x86-64 code.
//!
//! **Invariant**: nothing here knows scripts or what they are attached to.

pub mod btf;
pub mod debuginfo;
pub mod dwarf;
pub mod elf;
mod error;
pub mod instructions;
pub mod symbols;
pub mod unwind;
pub mod zip;

pub use error::Error;

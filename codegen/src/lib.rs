//! From a typed program to BPF.
//!
//! `hir::Program ─lower─▶ ir::Module ─backend─▶ Code ─▶ object::Object`

pub mod arch;
pub mod args;
pub mod backend;
pub mod bitset;
pub mod btf;
pub mod builder;
pub mod compile;
pub mod dense;
pub mod disasm;
pub mod dominators;
pub mod driver;
pub mod emit;
pub mod error;
pub mod hash;
pub mod helpers;
pub mod ir;
pub mod kernel;
pub mod layout;
pub mod lower;
pub mod object;
pub mod passes;
pub mod regalloc;
pub mod steps;
pub mod text;
pub mod verify;

pub use compile::{compile, compile_as};

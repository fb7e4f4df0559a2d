//! From a typed program to BPF.
pub mod backend;
pub mod disasm;
pub mod emit;
pub mod ir;
pub mod object;
pub mod passes;
pub mod regalloc;
pub mod text;

//! What the encoder hands out.

use crate::object::Reloc;
use rbtrace_lang::Span;

/// Encoded functions of a module.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Code {
    /// Instructions, `struct bpf_insn` as little-endian words.
    pub insns: Vec<u64>,
    /// Immediates to fill in when maps exist.
    pub relocs: Vec<Reloc>,
    /// Place of each instruction in the script.
    pub spans: Vec<Span>,
    /// First instruction and name of each function, main first.
    pub funcs: Vec<(u32, String)>,
    /// Number of parameters of each function.
    pub params: Vec<u32>,
    /// Bytes of scratch memory that the module needs.
    pub scratch_bytes: u32,
}

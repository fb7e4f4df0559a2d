//! From IR to encoded BPF.

use crate::emit::{layout, select, tidy};
use crate::ir::Module;
use crate::kernel::Kernel;
use crate::object::Reloc;
use crate::regalloc::frame::{self, Frames};
use crate::{passes, regalloc};
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

/// Why code could not be generated.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendError {
    /// The place in the script.
    pub span: Span,
    /// One sentence.
    pub message: String,
}

impl BackendError {
    /// An error at a place.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        BackendError { span, message: message.into() }
    }
}

impl std::fmt::Display for BackendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BackendError {}

/// Attempts to divide the 512 bytes of stack between slots and spilled registers.
const MAX_ATTEMPTS: usize = 8;

/// Optimises a module, allocates registers and memory, and encodes it.
///
/// `module` is left in the form from which instructions were selected.
pub fn finish(module: &mut Module, kernel: &dyn Kernel) -> Result<Code, BackendError> {
    passes::optimize(module, kernel)?;
    let mut reserve = vec![frame::SPILL_RESERVE; module.funcs.len()];
    for _ in 0..MAX_ATTEMPTS {
        let mut attempt = module.clone();
        let frames = frame::place(&mut attempt, &reserve)?;
        passes::legalize(&mut attempt, kernel)?;
        let funcs = allocate(&attempt, &frames, kernel)?;
        if !frame::overflows(&attempt, &funcs, &mut reserve) {
            let mut code = layout::assemble(&attempt, &funcs, kernel)?;
            code.scratch_bytes = frames.scratch_bytes;
            code.params = attempt.funcs.iter().map(|f| f.blocks[0].params.len() as u32).collect();
            *module = attempt;
            return Ok(code);
        }
    }
    Err(BackendError::new(module.funcs[0].span, "the program needs more than the 512 bytes of BPF stack"))
}

fn allocate(
    module: &Module,
    frames: &Frames,
    kernel: &dyn Kernel,
) -> Result<Vec<crate::emit::mach::MFunc>, BackendError> {
    let mut out = vec![];
    for (f, frame) in module.funcs.iter().zip(&frames.funcs) {
        let mut m = select::select(f, frame, kernel)?;
        regalloc::liveness::remove_dead(&mut m);
        regalloc::allocate(&mut m, f.span)?;
        tidy::run(&mut m);
        out.push(m);
    }
    Ok(out)
}

//! From IR to encoded BPF.

pub use crate::emit::code::Code;

use crate::emit::{layout, select, tidy};
use crate::error::BackendError;
use crate::ir::Module;
use crate::kernel::Kernel;
use crate::regalloc::frame::{self, Frames};
use crate::{passes, regalloc};

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

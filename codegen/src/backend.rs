//! From IR to encoded BPF.

pub use crate::emit::code::Code;

use crate::emit::{layout, select, tidy};
use crate::error::BackendError;
use crate::ir::Module;
use crate::kernel::{Feature, Kernel};
use crate::passes::Idle;
use crate::regalloc::frame::{self, Frames};
use crate::{passes, regalloc};

/// Attempts to divide the 512 bytes of stack between slots and spilled registers.
const MAX_ATTEMPTS: usize = 8;
/// Numbers that registers and the stack are to hold at once: all of them, or, where that fails, fewer and fewer.
const NUMBERS: [Option<usize>; 4] = [None, Some(24), Some(12), Some(6)];

/// Optimises a module, allocates registers and memory, and encodes it.
///
/// `module` is left in the form from which instructions were selected.
pub fn finish(module: &mut Module, kernel: &dyn Kernel) -> Result<Code, BackendError> {
    let idle = passes::optimize(module, kernel)?;
    let hopeless = module.scratch.is_some() && module.funcs.iter().any(passes::pressure::is_far_too_high);
    let worth_trying =
        |most: &Option<usize>| if most.is_none() { !hopeless } else { module.scratch.is_some() };
    for most in NUMBERS.into_iter().filter(worth_trying) {
        let mut candidate = module.clone();
        let mut idle = idle.clone();
        if let Some(most) = most {
            candidate.funcs.iter_mut().for_each(|f| passes::demote::run(f, most));
            idle = Idle::nowhere(module);
        }
        if let Some(code) = place(&mut candidate, kernel, &idle)? {
            *module = candidate;
            return Ok(code);
        }
    }
    Err(BackendError::new(module.funcs[0].span, "the program needs more than the 512 bytes of BPF stack"))
}

/// Finds memory and registers for a module; `None` where the stack does not suffice.
fn place(module: &mut Module, kernel: &dyn Kernel, idle: &Idle) -> Result<Option<Code>, BackendError> {
    let mut reserve = vec![frame::SPILL_RESERVE; module.funcs.len()];
    let mut before = u32::MAX;
    for _ in 0..MAX_ATTEMPTS {
        let mut attempt = module.clone();
        let mut frames = frame::place(&mut attempt, &reserve)?;
        if frames.scratch_bytes > 0
            && let Some(scratch) = module.scratch.as_mut().filter(|s| s.preemptible)
            && !kernel.has(Feature::Atomics)
        {
            // Kernels before the atomics run every program without preemption.
            scratch.preemptible = false;
            return place(module, kernel, idle);
        }
        // Where all slots lie on the stack nothing has changed yet.
        let unchanged = frames.scratch_bytes == 0;
        let idle = if unchanged { idle.clone() } else { Idle::nowhere(module) };
        passes::legalize(&mut attempt, kernel, idle)?;
        // What was known only then may have been all that led to a function.
        let kept = passes::functions::remove_unused(&mut attempt);
        frames.keep(&kept);
        let funcs = allocate(&attempt, &frames, kernel)?;
        let overflow = frame::overflow(&attempt, &funcs);
        if overflow == 0 {
            let mut code = layout::assemble(&attempt, &funcs, kernel)?;
            code.scratch_bytes = frames.scratch_bytes;
            code.params = attempt.funcs.iter().map(|f| f.blocks[0].params.len() as u32).collect();
            *module = attempt;
            return Ok(Some(code));
        }
        // Slots lie in scratch memory already: what is left are registers.
        if overflow >= before {
            return Ok(None);
        }
        before = overflow;
        frame::raise(&mut reserve, kept.iter().copied().zip(&funcs));
    }
    Ok(None)
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

//! Register allocation: graph colouring with coalescing, spilling to the stack, and a checker.

pub mod checker;
pub mod color;
pub mod frame;
pub mod graph;
pub mod liveness;
pub mod slot_liveness;
pub mod spill;
pub mod spill_slots;

use crate::emit::frequency::Frequency;
use crate::emit::mach::{MFunc, MOp, Reg};
use crate::error::BackendError;
use color::Outcome;
use graph::Graph;
use rbtrace_lang::Span;

/// Rounds of spilling after which something is wrong.
const MAX_ROUNDS: usize = 40;

/// Replaces virtual registers by the machine's. `span` is the function's place, for the error.
pub fn allocate(f: &mut MFunc, span: Span) -> Result<(), BackendError> {
    number(f);
    let original = checker::enabled().then(|| f.clone());
    let frequency = Frequency::new(f);
    let mut spills = spill::Spills::default();
    for _ in 0..MAX_ROUNDS {
        let graph = Graph::new(f, &frequency.weight, &spills.minimal);
        match color::color(graph) {
            Outcome::Colored(colors) => {
                apply(f, &colors);
                if let Some(original) = original {
                    checker::check(&original, f).map_err(|e| BackendError::new(span, e))?;
                }
                clean(f);
                spill_slots::share(f);
                return Ok(());
            }
            Outcome::Spill(groups) => spills.rewrite(f, &groups),
        }
    }
    Err(BackendError::new(span, "internal: no register allocation was found"))
}

/// Numbers the instructions, for the checker.
fn number(f: &mut MFunc) {
    for (n, inst) in f.blocks.iter_mut().flat_map(|b| &mut b.insts).enumerate() {
        inst.origin = Some(n as u32);
    }
}

fn apply(f: &mut MFunc, colors: &[u8]) {
    let map = |r: Reg| Reg(u32::from(colors[r.index()]));
    for block in &mut f.blocks {
        for inst in &mut block.insts {
            inst.op.operands_mut(|r, _| *r = map(*r));
        }
        block.term.map_uses(map);
    }
}

/// Drops copies of a register to itself and what was left for the checker.
fn clean(f: &mut MFunc) {
    for block in &mut f.blocks {
        block.insts.retain(|i| match i.op {
            MOp::Stay { .. } => false,
            ref op => op.as_copy().is_none_or(|(d, s)| d != s),
        });
    }
}

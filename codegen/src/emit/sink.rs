//! Which sums of a register and a constant are better made where they are used than held in a register.

use crate::ir::*;
use crate::passes::util::{constants, fits_i32, operands, term_operands};

/// Uses of a pointer sum up to which making it each time is better: it takes one instruction more than a copy.
const MAX_POINTER_USES: u32 = 2;

/// Uses of a value other than as the base of a memory access, where a constant costs nothing.
#[derive(Clone, Copy, Default)]
struct Uses {
    count: u32,
    /// All of them stand in the block of the definition.
    elsewhere: bool,
}

/// By value: is it such a sum?
pub fn sums_to_sink(f: &Function) -> Vec<bool> {
    let constants = constants(f);
    let uses = uses(f);
    let mut sink = vec![false; f.types.len()];
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        let (Op::Alu(Alu::Add, _, c), Some(v)) = (&i.op, i.result) else { continue };
        if !constants.get(*c).is_some_and(|&c| fits_i32(c)) {
            continue;
        }
        let u = uses[v.0 as usize];
        sink[v.0 as usize] = match f.ty(v) {
            Ty::Ptr(_) => u.count <= MAX_POINTER_USES,
            Ty::I64 => u.count == 1 && !u.elsewhere,
            Ty::I32 => false,
        };
    }
    sink
}

fn uses(f: &Function) -> Vec<Uses> {
    let mut home = vec![Block(0); f.types.len()];
    for b in f.block_ids() {
        f.block(b).insts.iter().filter_map(|i| i.result).for_each(|v| home[v.0 as usize] = b);
    }
    let mut uses = vec![Uses::default(); f.types.len()];
    for b in f.block_ids() {
        let mut note = |v: Value| {
            let u = &mut uses[v.0 as usize];
            u.count += 1;
            u.elsewhere |= home[v.0 as usize] != b;
        };
        for i in &f.block(b).insts {
            match &i.op {
                Op::Load { .. } => {}
                Op::Store { value, .. } | Op::Atomic { value, .. } => note(*value),
                op => operands(op, &mut note),
            }
        }
        term_operands(&f.block(b).term, note);
    }
    uses
}

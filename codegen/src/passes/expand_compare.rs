//! Comparisons as values become branches that bring 1 or 0: BPF has no other form.

use super::util::split;
use crate::ir::*;

/// Expands every [`Op::Cmp`]; true if there was one.
pub fn run(f: &mut Function) -> bool {
    let (mut b, before) = (0, f.blocks.len());
    while b < f.blocks.len() {
        let at = f.blocks[b].insts.iter().position(|i| matches!(i.op, Op::Cmp(..)));
        if let Some(at) = at {
            expand(f, Block(b as u32), at);
        }
        b += 1;
    }
    f.blocks.len() != before
}

fn expand(f: &mut Function, block: Block, at: usize) {
    let rest = split(f, block, at);
    let cmp = f.block_mut(rest).insts.remove(0);
    let (Op::Cmp(cond, a, b), Some(result)) = (cmp.op, cmp.result) else { return };
    f.block_mut(rest).params.push(result);
    let ty = f.ty(result);
    let [one, zero] = [1, 0].map(|c| {
        let v = f.new_value(ty);
        f.block_mut(block).insts.push(Inst { op: Op::Const(c), result: Some(v), span: cmp.span });
        v
    });
    let data = f.block_mut(block);
    data.term_span = cmp.span;
    data.term =
        Term::Branch { cond, a, b, then: (rest, vec![one]), otherwise: (rest, vec![zero]), unlikely: false };
}

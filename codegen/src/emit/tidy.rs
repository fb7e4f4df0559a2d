//! Tidies allocated code: blocks that only jump are passed by; equal exits become one, which is repeated only
//! where that saves a jump on a likely path.

use super::frequency::cold_blocks;
use super::layout;
use super::mach::{MBlockId, MFunc, MOp, MTerm};
use crate::hash::FastMap;

/// Longest block that is repeated in place of a jump to it, if it leaves the function.
const DUPLICATED_EXIT: usize = 2;

/// Runs all of it.
pub fn run(f: &mut MFunc) {
    pass_by_jumps(f);
    share_exits(f);
    repeat_exits(f);
}

/// Where a jump to `b` ends, past blocks without instructions.
fn destination(f: &MFunc, mut b: MBlockId) -> MBlockId {
    for _ in 0..f.blocks.len() {
        match f.blocks[b].term {
            MTerm::Jump(t) if f.blocks[b].insts.is_empty() => b = t,
            _ => break,
        }
    }
    b
}

fn pass_by_jumps(f: &mut MFunc) {
    for b in 0..f.blocks.len() {
        let mut term = f.blocks[b].term.clone();
        match &mut term {
            MTerm::Jump(t) => *t = destination(f, *t),
            MTerm::Branch { then, otherwise, .. } => {
                *then = destination(f, *then);
                *otherwise = destination(f, *otherwise);
                if then == otherwise {
                    term = MTerm::Jump(*then);
                }
            }
            MTerm::Exit => {}
        }
        f.blocks[b].term = term;
    }
}

/// Leads all ways to blocks that do the same and leave the function to the first of them.
fn share_exits(f: &mut MFunc) {
    let mut exits: FastMap<Vec<MOp>, MBlockId> = FastMap::default();
    let mut shared: Vec<MBlockId> = (0..f.blocks.len()).collect();
    for b in (0..f.blocks.len()).filter(|&b| is_short_exit(f, b)) {
        let ops = f.blocks[b].insts.iter().map(|i| i.op).collect();
        shared[b] = *exits.entry(ops).or_insert(b);
    }
    for block in &mut f.blocks {
        match &mut block.term {
            MTerm::Jump(t) => *t = shared[*t],
            MTerm::Branch { then, otherwise, .. } => {
                (*then, *otherwise) = (shared[*then], shared[*otherwise]);
                if then == otherwise {
                    block.term = MTerm::Jump(shared[*then]);
                }
            }
            MTerm::Exit => {}
        }
    }
}

fn is_short_exit(f: &MFunc, b: MBlockId) -> bool {
    f.blocks[b].term == MTerm::Exit && f.blocks[b].insts.len() <= DUPLICATED_EXIT
}

/// Repeats short blocks that leave the function at the end of likely blocks that jump to them.
fn repeat_exits(f: &mut MFunc) {
    let cold = cold_blocks(f);
    let order = layout::order(f, &cold);
    let mut next = vec![None; f.blocks.len()];
    order.windows(2).for_each(|pair| next[pair[0]] = Some(pair[1]));
    for (b, cold) in cold.into_iter().enumerate() {
        let MTerm::Jump(t) = f.blocks[b].term else { continue };
        if cold || next[b] == Some(t) {
            continue;
        }
        let exit = &f.blocks[t];
        if exit.term == MTerm::Exit && exit.insts.len() <= DUPLICATED_EXIT && t != b {
            let (insts, span) = (exit.insts.clone(), exit.term_span);
            let block = &mut f.blocks[b];
            block.insts.extend(insts);
            (block.term, block.term_span) = (MTerm::Exit, span);
        }
    }
}

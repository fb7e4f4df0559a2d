//! Tidies allocated code: blocks that only jump are passed by, short exits are repeated.

use super::mach::{MBlockId, MFunc, MTerm};

/// Longest block that is repeated in place of a jump to it, if it leaves the function.
const DUPLICATED_EXIT: usize = 2;

/// Runs all of it.
pub fn run(f: &mut MFunc) {
    pass_by_jumps(f);
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

/// Repeats short blocks that leave the function at the end of blocks that jump to them.
fn repeat_exits(f: &mut MFunc) {
    for b in 0..f.blocks.len() {
        let MTerm::Jump(t) = f.blocks[b].term else { continue };
        let exit = &f.blocks[t];
        if exit.term == MTerm::Exit && exit.insts.len() <= DUPLICATED_EXIT && t != b {
            let (insts, span) = (exit.insts.clone(), exit.term_span);
            let block = &mut f.blocks[b];
            block.insts.extend(insts);
            (block.term, block.term_span) = (MTerm::Exit, span);
        }
    }
}

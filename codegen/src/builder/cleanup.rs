//! Tidies a function after construction: unreachable blocks go.

use crate::ir::{Block, Function};
use crate::passes::util::targets_mut;

/// Drops blocks that no path from the entry reaches and numbers the others anew, in order.
pub(super) fn remove_unreachable(func: &mut Function) {
    let mut new_number: Vec<Option<u32>> = vec![None; func.blocks.len()];
    let mut todo = vec![Block(0)];
    while let Some(b) = todo.pop() {
        if new_number[b.0 as usize].replace(0).is_none() {
            todo.extend(func.block(b).term.successors().map(|(to, _)| to));
        }
    }
    for (next, number) in (0..).zip(new_number.iter_mut().flatten()) {
        *number = next;
    }
    let mut keep = new_number.iter().map(Option::is_some);
    func.blocks.retain(|_| keep.next() == Some(true));
    for block in &mut func.blocks {
        for target in targets_mut(&mut block.term) {
            target.0.0 = new_number[target.0.0 as usize].unwrap_or(0);
        }
    }
}

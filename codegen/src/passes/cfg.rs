//! Control flow: drops unreachable blocks.

use super::util::{reverse_postorder, targets_mut};
use crate::ir::*;

/// Drops blocks that are not reached from the entry and numbers the others in reverse postorder.
pub fn remove_unreachable(f: &mut Function) {
    let order = reverse_postorder(f);
    let mut new = vec![Block(u32::MAX); f.blocks.len()];
    order.iter().enumerate().for_each(|(i, b)| new[b.0 as usize] = Block(i as u32));
    let mut old: Vec<Option<BlockData>> = std::mem::take(&mut f.blocks).into_iter().map(Some).collect();
    f.blocks = order.iter().filter_map(|b| old[b.0 as usize].take()).collect();
    for b in &mut f.blocks {
        for (target, _) in targets_mut(&mut b.term) {
            *target = new[target.0 as usize];
        }
    }
}

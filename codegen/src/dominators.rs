//! The graph of a function's blocks: predecessors, order, dominators.

use crate::ir::*;

/// The blocks from which each block is reached, one entry for each edge.
pub fn predecessors(f: &Function) -> Vec<Vec<Block>> {
    let mut preds = vec![vec![]; f.blocks.len()];
    for b in f.block_ids() {
        for (s, _) in f.block(b).term.successors() {
            preds[s.0 as usize].push(b);
        }
    }
    preds
}

/// Blocks in reverse postorder from the entry; unreachable ones are left out.
pub fn reverse_postorder(f: &Function) -> Vec<Block> {
    let next = |b: Block| f.block(b).term.successors().into_iter().map(|s| s.0).collect::<Vec<_>>();
    let mut seen = vec![false; f.blocks.len()];
    let mut order = vec![];
    let mut stack = vec![(Block(0), next(Block(0)))];
    seen[0] = true;
    while let Some((b, todo)) = stack.last_mut() {
        match todo.pop() {
            Some(s) if !seen[s.0 as usize] => {
                seen[s.0 as usize] = true;
                stack.push((s, next(s)));
            }
            Some(_) => {}
            None => {
                order.push(*b);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}

/// Immediate dominators (Cooper, Harvey and Kennedy).
#[derive(Debug)]
pub struct Dominators {
    /// By block; the entry's and unreachable blocks' own is themselves.
    pub idom: Vec<Block>,
    /// Reverse postorder.
    pub order: Vec<Block>,
    position: Vec<usize>,
}

impl Dominators {
    /// Computes them.
    pub fn new(f: &Function) -> Self {
        let order = reverse_postorder(f);
        let preds = predecessors(f);
        let mut position = vec![usize::MAX; f.blocks.len()];
        order.iter().enumerate().for_each(|(i, b)| position[b.0 as usize] = i);
        let mut d = Dominators { idom: f.block_ids().collect(), order, position };
        let mut known = vec![false; f.blocks.len()];
        known[0] = true;
        let mut changed = true;
        while changed {
            changed = false;
            for &b in &d.order.clone()[1..] {
                let mut done = preds[b.0 as usize].iter().copied().filter(|p| known[p.0 as usize]);
                let Some(first) = done.next() else { continue };
                let new = done.fold(first, |a, p| d.common(a, p));
                changed |= !std::mem::replace(&mut known[b.0 as usize], true) || d.idom[b.0 as usize] != new;
                d.idom[b.0 as usize] = new;
            }
        }
        d
    }

    /// Is it reached from the entry?
    pub fn reachable(&self, b: Block) -> bool {
        self.position[b.0 as usize] != usize::MAX
    }

    /// The nearest block that dominates both.
    pub fn common(&self, mut a: Block, mut b: Block) -> Block {
        let at = |b: Block| self.position[b.0 as usize];
        while a != b {
            while at(a) > at(b) {
                a = self.idom[a.0 as usize];
            }
            while at(b) > at(a) {
                b = self.idom[b.0 as usize];
            }
        }
        a
    }

    /// Does `a` dominate `b`?
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        self.reachable(a) && self.reachable(b) && self.common(a, b) == a
    }

    /// Blocks whose immediate dominator each block is.
    pub fn children(&self) -> Vec<Vec<Block>> {
        let mut children = vec![vec![]; self.idom.len()];
        for &b in self.order.iter().skip(1) {
            children[self.idom[b.0 as usize].0 as usize].push(b);
        }
        children
    }
}

//! The graph of a function's blocks: predecessors, order, dominators.

use crate::ir::*;

/// Lists of blocks, one for each block.
#[derive(Debug)]
pub struct BlockLists {
    starts: Vec<u32>,
    blocks: Vec<Block>,
}

impl BlockLists {
    /// Of these pairs, the second blocks by the first, in the order in which they come.
    pub(crate) fn new(blocks: usize, pairs: &[(Block, Block)]) -> Self {
        let mut starts = vec![0; blocks + 1];
        pairs.iter().for_each(|(of, _)| starts[of.0 as usize + 1] += 1);
        for i in 0..blocks {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut list = vec![Block(0); pairs.len()];
        for &(of, b) in pairs {
            let at = &mut next[of.0 as usize];
            list[*at as usize] = b;
            *at += 1;
        }
        BlockLists { starts, blocks: list }
    }

    /// The list of a block.
    pub fn of(&self, b: Block) -> &[Block] {
        let b = b.0 as usize;
        &self.blocks[self.starts[b] as usize..self.starts[b + 1] as usize]
    }
}

/// The blocks from which each block is reached, one entry for each edge.
pub fn predecessors(f: &Function) -> BlockLists {
    let edges = |b: Block| f.block(b).term.successors().map(move |(s, _)| (s, b));
    BlockLists::new(f.blocks.len(), &f.block_ids().flat_map(edges).collect::<Vec<_>>())
}

/// Blocks in reverse postorder from the entry; unreachable ones are left out.
pub fn reverse_postorder(f: &Function) -> Vec<Block> {
    let mut seen = vec![false; f.blocks.len()];
    let mut order = Vec::with_capacity(f.blocks.len());
    // Each block on the way, and how many of its successors were visited, the last one first.
    let mut stack = vec![(Block(0), 0)];
    seen[0] = true;
    while let Some((b, visited)) = stack.last_mut() {
        let next = f.block(*b).term.successors().rev().nth(*visited);
        *visited += 1;
        match next {
            Some((s, _)) if !seen[s.0 as usize] => {
                seen[s.0 as usize] = true;
                stack.push((s, 0));
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
        Self::with(f, &predecessors(f))
    }

    /// Computes them where the predecessors are known.
    pub fn with(f: &Function, preds: &BlockLists) -> Self {
        let order = reverse_postorder(f);
        let mut position = vec![usize::MAX; f.blocks.len()];
        order.iter().enumerate().for_each(|(i, b)| position[b.0 as usize] = i);
        let mut d = Dominators { idom: f.block_ids().collect(), order, position };
        // Without loops one round finds them all.
        let mut known = vec![false; f.blocks.len()];
        known[0] = true;
        while d.round(preds, &mut known) {}
        d
    }

    /// Goes through the blocks once; true if an answer may still change.
    fn round(&mut self, preds: &BlockLists, known: &mut [bool]) -> bool {
        let (mut changed, mut loops) = (false, false);
        for i in 1..self.order.len() {
            let b = self.order[i];
            let preds = preds.of(b);
            loops |= preds.iter().any(|p| self.reachable(*p) && self.position[p.0 as usize] >= i);
            let mut done = preds.iter().copied().filter(|p| known[p.0 as usize]);
            let Some(first) = done.next() else { continue };
            let new = done.fold(first, |a, p| self.common(a, p));
            let at = b.0 as usize;
            changed |= !std::mem::replace(&mut known[at], true) || self.idom[at] != new;
            self.idom[at] = new;
        }
        changed && loops
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
    pub fn children(&self) -> BlockLists {
        let pairs = self.order.iter().skip(1).map(|&b| (self.idom[b.0 as usize], b));
        BlockLists::new(self.idom.len(), &pairs.collect::<Vec<_>>())
    }
}

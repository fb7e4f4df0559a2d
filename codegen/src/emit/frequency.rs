//! How often each machine block is expected to run: loops often, unlikely branches hardly.

use super::mach::{MBlockId, MFunc, MTerm};

/// Expected runs of the blocks of a function, relative to its entry.
#[derive(Debug)]
pub struct Frequency {
    /// By block.
    pub weight: Vec<f64>,
    /// Is the block reached through unlikely branches only?
    pub cold: Vec<bool>,
}

/// Blocks in reverse postorder from the entry; what is not reached is left out. Unlikely targets come late, or
/// with `near` right behind their branch.
pub fn reverse_postorder(f: &MFunc, near: bool) -> Vec<MBlockId> {
    let mut seen = vec![false; f.blocks.len()];
    let mut order = Vec::with_capacity(f.blocks.len());
    // Each block on the way, and how many of its successors were visited.
    let mut stack: Vec<(MBlockId, usize)> = vec![(0, 0)];
    seen[0] = true;
    while let Some((b, visited)) = stack.last_mut() {
        let next = visit_order(&f.blocks[*b].term, near).get(*visited).copied().flatten();
        *visited += 1;
        match next {
            Some(s) if !seen[s] => {
                seen[s] = true;
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

/// Successors as they are visited: what is visited last comes right after the block.
fn visit_order(term: &MTerm, near: bool) -> [Option<MBlockId>; 2] {
    match *term {
        MTerm::Branch { then, otherwise, unlikely: true, .. } if !near => [Some(then), Some(otherwise)],
        MTerm::Branch { then, otherwise, .. } => [Some(otherwise), Some(then)],
        MTerm::Jump(t) => [Some(t), None],
        MTerm::Exit => [None, None],
    }
}

impl Frequency {
    /// Estimates it.
    pub fn new(f: &MFunc) -> Self {
        let order = reverse_postorder(f, false);
        let cold = cold_in(f, &order);
        let depth = loop_depths(f, &order);
        let weight = |b: usize| 8f64.powi(depth[b].min(6) as i32) * if cold[b] { 0.05 } else { 1.0 };
        Frequency { weight: (0..f.blocks.len()).map(weight).collect(), cold }
    }
}

/// By block: is it reached through unlikely branches only?
pub fn cold_blocks(f: &MFunc) -> Vec<bool> {
    cold_in(f, &reverse_postorder(f, false))
}

fn cold_in(f: &MFunc, order: &[MBlockId]) -> Vec<bool> {
    let mut cold = vec![true; f.blocks.len()];
    cold[0] = false;
    for &b in order {
        if cold[b] {
            continue;
        }
        match f.blocks[b].term {
            MTerm::Jump(t) => cold[t] = false,
            MTerm::Branch { then, otherwise, unlikely, .. } => {
                cold[otherwise] = false;
                cold[then] &= unlikely;
            }
            MTerm::Exit => {}
        }
    }
    cold
}

fn loop_depths(f: &MFunc, order: &[MBlockId]) -> Vec<u32> {
    let mut position = vec![usize::MAX; f.blocks.len()];
    order.iter().enumerate().for_each(|(i, &b)| position[b] = i);
    let mut depth = vec![0; f.blocks.len()];
    let back = |&b: &MBlockId| f.blocks[b].term.successors().any(|s| position[s] <= position[b]);
    if !order.iter().any(back) {
        return depth;
    }
    let mut preds = vec![vec![]; f.blocks.len()];
    order.iter().for_each(|&b| f.blocks[b].term.successors().for_each(|s| preds[s].push(b)));
    // The head of the last loop that each block was found in.
    let mut inside = vec![usize::MAX; f.blocks.len()];
    for &head in order {
        // Edges back to `head`, and all that reaches them without passing it.
        let mut todo: Vec<_> =
            preds[head].iter().copied().filter(|&p| position[p] >= position[head]).collect();
        if todo.is_empty() {
            continue;
        }
        inside[head] = head;
        depth[head] += 1;
        while let Some(b) = todo.pop() {
            if std::mem::replace(&mut inside[b], head) != head {
                depth[b] += 1;
                todo.extend(&preds[b]);
            }
        }
    }
    depth
}

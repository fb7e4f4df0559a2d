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
    let mut order = vec![];
    let mut stack: Vec<(MBlockId, Vec<MBlockId>)> = vec![(0, visit_order(&f.blocks[0].term, near))];
    seen[0] = true;
    while let Some((b, todo)) = stack.last_mut() {
        match todo.pop() {
            Some(s) if !seen[s] => {
                seen[s] = true;
                stack.push((s, visit_order(&f.blocks[s].term, near)));
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

/// Successors, the one to visit first at the end: what is visited last comes right after the block.
fn visit_order(term: &MTerm, near: bool) -> Vec<MBlockId> {
    match *term {
        MTerm::Branch { then, otherwise, unlikely: true, .. } if !near => vec![otherwise, then],
        MTerm::Branch { then, otherwise, .. } => vec![then, otherwise],
        MTerm::Jump(t) => vec![t],
        MTerm::Exit => vec![],
    }
}

impl Frequency {
    /// Estimates it.
    pub fn new(f: &MFunc) -> Self {
        let order = reverse_postorder(f, false);
        let cold = cold_blocks(f, &order);
        let depth = loop_depths(f, &order);
        let weight = |b: usize| 8f64.powi(depth[b].min(6) as i32) * if cold[b] { 0.05 } else { 1.0 };
        Frequency { weight: (0..f.blocks.len()).map(weight).collect(), cold }
    }
}

fn cold_blocks(f: &MFunc, order: &[MBlockId]) -> Vec<bool> {
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
    let mut preds = vec![vec![]; f.blocks.len()];
    let mut position = vec![usize::MAX; f.blocks.len()];
    for (i, &b) in order.iter().enumerate() {
        position[b] = i;
        f.blocks[b].term.successors().for_each(|s| preds[s].push(b));
    }
    let mut depth = vec![0; f.blocks.len()];
    for &head in order {
        // Edges back to `head`, and all that reaches them without passing it.
        let mut todo: Vec<_> =
            preds[head].iter().copied().filter(|&p| position[p] >= position[head]).collect();
        let mut inside = vec![false; f.blocks.len()];
        if todo.is_empty() {
            continue;
        }
        inside[head] = true;
        depth[head] += 1;
        while let Some(b) = todo.pop() {
            if !std::mem::replace(&mut inside[b], true) {
                depth[b] += 1;
                todo.extend(&preds[b]);
            }
        }
    }
    depth
}

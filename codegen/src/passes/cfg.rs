//! Control flow: drops unreachable blocks, joins blocks, goes past empty ones, and sends a jump whose outcome
//! at a following branch is known straight to where that leads.

use super::eval;
use super::util::{
    constants, operands, predecessors, replace, reverse_postorder, targets_mut, term_operands,
};
use crate::ir::*;
use std::collections::HashMap;

/// Runs all of it until nothing changes.
pub fn run(f: &mut Function) {
    for _ in 0..MAX_ROUNDS {
        let mut changed = remove_params(f);
        changed |= thread(f);
        remove_unreachable(f);
        changed |= join(f);
        if !changed {
            return;
        }
    }
}

/// Rounds after which it is good enough.
const MAX_ROUNDS: usize = 16;

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

/// Replaces block parameters that get one and the same value from everywhere.
pub fn remove_params(f: &mut Function) -> bool {
    let mut sources: HashMap<Value, Option<Value>> = HashMap::new();
    for b in &f.blocks {
        for (target, args) in b.term.successors() {
            for (&p, &a) in f.block(target).params.iter().zip(args).filter(|(p, a)| p != a) {
                sources.entry(p).and_modify(|s| *s = s.filter(|&s| s == a)).or_insert(Some(a));
            }
        }
    }
    let types = &f.types;
    let same = |(p, s): (Value, Option<Value>)| {
        s.filter(|s| types[s.0 as usize] == types[p.0 as usize]).map(|s| (p, s))
    };
    let mut map: HashMap<Value, Value> = sources.into_iter().filter_map(same).collect();
    // Parameters that stand for one another in a circle would never end.
    for p in circular(&map) {
        map.remove(&p);
    }
    if map.is_empty() {
        return false;
    }
    let dropped: Vec<Vec<bool>> =
        f.blocks.iter().map(|b| b.params.iter().map(|p| map.contains_key(p)).collect()).collect();
    for b in &mut f.blocks {
        b.params.retain(|p| !map.contains_key(p));
        for (target, args) in targets_mut(&mut b.term) {
            let mut drops = dropped[target.0 as usize].iter();
            args.retain(|_| !drops.next().copied().unwrap_or(false));
        }
    }
    replace(f, &map);
    true
}

/// One value of each circle.
fn circular(map: &HashMap<Value, Value>) -> Vec<Value> {
    let mut seen: HashMap<Value, usize> = HashMap::new();
    let mut found = vec![];
    for (walk, &start) in map.keys().enumerate() {
        let mut v = start;
        while let Some(&next) = map.get(&v) {
            match seen.insert(v, walk) {
                None => v = next,
                Some(earlier) => {
                    found.extend((earlier == walk).then_some(v));
                    break;
                }
            }
        }
    }
    found
}

/// Joins a block to the one that alone leads to it.
fn join(f: &mut Function) -> bool {
    let mut preds: Vec<usize> = predecessors(f).iter().map(Vec::len).collect();
    let mut map = HashMap::new();
    for b in 0..f.blocks.len() {
        while let Term::Jump(target, args) = &f.blocks[b].term {
            let t = target.0 as usize;
            if preds[t] != 1 || t == b || t == 0 {
                break;
            }
            let args = args.clone();
            let empty =
                BlockData { params: vec![], insts: vec![], term: Term::Unreachable, ..f.blocks[t].clone() };
            let next = std::mem::replace(&mut f.blocks[t], empty);
            map.extend(next.params.into_iter().zip(args));
            let block = &mut f.blocks[b];
            block.insts.extend(next.insts);
            (block.term, block.term_span) = (next.term, next.term_span);
            preds[t] = 0;
        }
    }
    replace(f, &map);
    let changed = !map.is_empty() || preds.iter().skip(1).any(|&n| n == 0);
    remove_unreachable(f);
    changed
}

/// A way out of a block: which block, and which of its edges.
type Edge = (Block, usize);

/// Retargets edges into blocks that do nothing but choose where to go on.
fn thread(f: &mut Function) -> bool {
    let private = private_blocks(f);
    let mut constants = constants(f);
    let mut changed = false;
    for b in f.block_ids() {
        for edge in 0..f.block(b).term.successors().len() {
            for _ in 0..MAX_ROUNDS {
                if !thread_edge(f, (b, edge), &private, &mut constants) {
                    break;
                }
                changed = true;
            }
        }
    }
    changed
}

/// Blocks of constants only whose values are used nowhere else: they can be passed by.
fn private_blocks(f: &Function) -> Vec<bool> {
    let mut home: Vec<Option<usize>> = vec![None; f.types.len()];
    for (i, b) in f.blocks.iter().enumerate() {
        b.params.iter().for_each(|p| home[p.0 as usize] = Some(i));
        b.insts.iter().filter_map(|i| i.result).for_each(|v| home[v.0 as usize] = Some(i));
    }
    let mut private: Vec<bool> =
        f.blocks.iter().map(|b| b.insts.iter().all(|i| matches!(i.op, Op::Const(_)))).collect();
    private[0] = false;
    for (i, b) in f.blocks.iter().enumerate() {
        let mut used = |v: Value| {
            if let Some(h) = home[v.0 as usize].filter(|&h| h != i) {
                private[h] = false;
            }
        };
        b.insts.iter().for_each(|inst| operands(&inst.op, &mut used));
        term_operands(&b.term, used);
    }
    private
}

/// Sends one edge past the block that it leads to, if its way on is known.
fn thread_edge(f: &mut Function, edge: Edge, private: &[bool], constants: &mut HashMap<Value, i64>) -> bool {
    let (target, args) = edge_of(f, edge);
    if !private[target.0 as usize] || target == edge.0 {
        return false;
    }
    let known: HashMap<Value, Value> = f.block(target).params.iter().copied().zip(args).collect();
    let Some((next, next_args)) = way_on(f, target, &known, constants) else { return false };
    if next == target {
        return false;
    }
    let mut out = vec![];
    for a in next_args {
        out.push(match known.get(&a) {
            Some(&v) => v,
            None => copy_constant(f, target, a, edge.0, constants),
        });
    }
    set_edge(f, edge, next, out);
    true
}

fn edge_of(f: &Function, (b, edge): Edge) -> (Block, Vec<Value>) {
    let (target, args) = f.block(b).term.successors()[edge];
    (target, args.to_vec())
}

fn set_edge(f: &mut Function, (b, edge): Edge, target: Block, args: Vec<Value>) {
    if let Some((t, a)) = targets_mut(&mut f.block_mut(b).term).into_iter().nth(edge) {
        (*t, *a) = (target, args);
    }
}

/// Where a block goes, given the values of its parameters.
fn way_on(
    f: &Function,
    b: Block,
    known: &HashMap<Value, Value>,
    constants: &HashMap<Value, i64>,
) -> Option<(Block, Vec<Value>)> {
    match &f.block(b).term {
        Term::Jump(t, args) => Some((*t, args.clone())),
        Term::Branch { cond, a, b, then, otherwise, .. } => {
            let value = |v: &Value| {
                let v = known.get(v).copied().unwrap_or(*v);
                constants.get(&v).copied()
            };
            let (x, y, ty) = (value(a)?, value(b)?, f.ty(*a));
            Some(if eval::cond(*cond, ty, x, y) { then.clone() } else { otherwise.clone() })
        }
        _ => None,
    }
}

/// A value for an edge out of `to` that `from`, which is passed by, would have given.
fn copy_constant(
    f: &mut Function,
    from: Block,
    v: Value,
    to: Block,
    constants: &mut HashMap<Value, i64>,
) -> Value {
    let Some(inst) = f.block(from).insts.iter().find(|i| i.result == Some(v)).cloned() else { return v };
    let ty = f.ty(v);
    let copy = f.new_value(ty);
    f.block_mut(to).insts.push(Inst { result: Some(copy), ..inst });
    constants.extend(constants.get(&v).copied().map(|c| (copy, c)));
    copy
}

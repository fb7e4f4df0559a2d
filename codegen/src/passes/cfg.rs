//! Control flow: drops unreachable blocks, joins blocks, goes past empty ones, and sends a jump whose outcome
//! at a following branch is known straight to where that leads.

use super::eval;
use super::util::{constants, operands, replace, reverse_postorder, targets_mut, term_operands};
use crate::dense::ValueMap;
use crate::hash::FastMap;
use crate::ir::*;

/// Runs all of it until nothing changes; true if anything did.
pub fn run(f: &mut Function) -> bool {
    let mut ever = false;
    for _ in 0..MAX_ROUNDS {
        let mut changed = remove_params(f);
        changed |= thread(f);
        ever |= remove_unreachable(f);
        changed |= join(f);
        ever |= changed;
        if !changed {
            break;
        }
    }
    ever
}

/// Rounds after which it is good enough.
const MAX_ROUNDS: usize = 16;

/// Drops blocks that are not reached from the entry and numbers the others in reverse postorder; true if that
/// changed anything.
pub fn remove_unreachable(f: &mut Function) -> bool {
    let order = reverse_postorder(f);
    if order.len() == f.blocks.len() && order.is_sorted() {
        return false;
    }
    let mut new = vec![Block(u32::MAX); f.blocks.len()];
    order.iter().enumerate().for_each(|(i, b)| new[b.0 as usize] = Block(i as u32));
    let mut old: Vec<Option<BlockData>> = std::mem::take(&mut f.blocks).into_iter().map(Some).collect();
    f.blocks = order.iter().filter_map(|b| old[b.0 as usize].take()).collect();
    for b in &mut f.blocks {
        for (target, _) in targets_mut(&mut b.term) {
            *target = new[target.0 as usize];
        }
    }
    true
}

/// Replaces block parameters that get one and the same value from everywhere.
pub fn remove_params(f: &mut Function) -> bool {
    let same = same_arguments(f);
    if same.is_empty() {
        return false;
    }
    for b in 0..f.blocks.len() {
        let mut term = std::mem::replace(&mut f.blocks[b].term, Term::Unreachable);
        for (target, args) in targets_mut(&mut term) {
            let mut params = f.block(*target).params.iter();
            args.retain(|_| !params.next().is_some_and(|p| same.contains(*p)));
        }
        f.blocks[b].term = term;
    }
    f.blocks.iter_mut().for_each(|b| b.params.retain(|p| !same.contains(*p)));
    replace(f, &same);
    true
}

/// The value that each such parameter gets.
fn same_arguments(f: &Function) -> ValueMap<Value> {
    let mut sources: ValueMap<Option<Value>> = ValueMap::new();
    for b in &f.blocks {
        for (target, args) in b.term.successors() {
            for (&p, &a) in f.block(target).params.iter().zip(args).filter(|(p, a)| p != a) {
                let source = sources.get(p).map_or(Some(a), |s| s.filter(|&s| s == a));
                sources.insert(p, source);
            }
        }
    }
    let (mut map, mut params) = (ValueMap::new(), vec![]);
    for &p in f.blocks.iter().flat_map(|b| &b.params) {
        let source = sources.get(p).copied().flatten();
        if let Some(source) = source.filter(|s| f.ty(*s) == f.ty(p)) {
            map.insert(p, source);
            params.push(p);
        }
    }
    // Parameters that stand for one another in a circle would never end.
    for p in circular(&map, &params) {
        map.remove(p);
    }
    map
}

/// One value of each circle.
fn circular(map: &ValueMap<Value>, params: &[Value]) -> Vec<Value> {
    let mut seen: ValueMap<usize> = ValueMap::new();
    let mut found = vec![];
    for (walk, &start) in params.iter().enumerate() {
        let mut v = start;
        while let Some(&next) = map.get(v) {
            match seen.get(v).copied() {
                None => {
                    seen.insert(v, walk);
                    v = next;
                }
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
    let mut preds = vec![0; f.blocks.len()];
    f.blocks.iter().flat_map(|b| b.term.successors()).for_each(|(t, _)| preds[t.0 as usize] += 1);
    let mut map = ValueMap::new();
    let mut joined = false;
    for b in 0..f.blocks.len() {
        while let Term::Jump(target, args) = &mut f.blocks[b].term {
            let t = target.0 as usize;
            if preds[t] != 1 || t == b || t == 0 {
                break;
            }
            let args = std::mem::take(args);
            let next = &mut f.blocks[t];
            let (params, mut insts) = (std::mem::take(&mut next.params), std::mem::take(&mut next.insts));
            let (term, term_span) = (std::mem::replace(&mut next.term, Term::Unreachable), next.term_span);
            params.into_iter().zip(args).for_each(|(p, a)| map.insert(p, a));
            let block = &mut f.blocks[b];
            block.insts.append(&mut insts);
            (block.term, block.term_span) = (term, term_span);
            preds[t] = 0;
            joined = true;
        }
    }
    if joined {
        replace(f, &map);
        remove_unreachable(f);
    }
    joined
}

/// A way out of a block: which block, and which of its edges.
type Edge = (Block, usize);

/// Retargets edges into blocks that do nothing but choose where to go on.
fn thread(f: &mut Function) -> bool {
    let private = private_blocks(f);
    let mut constants = constants(f);
    let mut changed = false;
    for b in f.block_ids() {
        for edge in 0..f.block(b).term.successors().count() {
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
fn thread_edge(f: &mut Function, edge: Edge, private: &[bool], constants: &mut ValueMap<i64>) -> bool {
    let Some((target, args)) = edge_of(f, edge).filter(|e| private[e.0.0 as usize] && e.0 != edge.0) else {
        return false;
    };
    let known: FastMap<Value, Value> =
        f.block(target).params.iter().copied().zip(args.iter().copied()).collect();
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

fn edge_of(f: &Function, (b, edge): Edge) -> Option<(Block, &[Value])> {
    f.block(b).term.successors().nth(edge)
}

fn set_edge(f: &mut Function, (b, edge): Edge, target: Block, args: Vec<Value>) {
    if let Some((t, a)) = targets_mut(&mut f.block_mut(b).term).nth(edge) {
        (*t, *a) = (target, args);
    }
}

/// Where a block goes, given the values of its parameters.
fn way_on(
    f: &Function,
    b: Block,
    known: &FastMap<Value, Value>,
    constants: &ValueMap<i64>,
) -> Option<(Block, Vec<Value>)> {
    match &f.block(b).term {
        Term::Jump(t, args) => Some((*t, args.clone())),
        Term::Branch { cond, a, b, then, otherwise, .. } => {
            let value = |v: &Value| {
                let v = known.get(v).copied().unwrap_or(*v);
                constants.get(v).copied()
            };
            let (x, y, ty) = (value(a)?, value(b)?, f.ty(*a));
            Some(if eval::cond(*cond, ty, x, y) { then.clone() } else { otherwise.clone() })
        }
        _ => None,
    }
}

/// A value for an edge out of `to` that `from`, which is passed by, would have given.
fn copy_constant(f: &mut Function, from: Block, v: Value, to: Block, constants: &mut ValueMap<i64>) -> Value {
    let Some(inst) = f.block(from).insts.iter().find(|i| i.result == Some(v)).copied() else { return v };
    let ty = f.ty(v);
    let copy = f.new_value(ty);
    f.block_mut(to).insts.push(Inst { result: Some(copy), ..inst });
    if let Some(&c) = constants.get(v) {
        constants.insert(copy, c);
    }
    copy
}

//! Tidies a function after construction: unreachable blocks and trivial block parameters go.

use crate::ir::{Block, BlockData, Function, Term, Value};
use crate::passes::util::operands_mut;
use std::collections::HashMap;

/// Drops blocks that no path from the entry reaches and numbers the others anew, in order.
pub(super) fn remove_unreachable(func: &mut Function) {
    let mut new_number: Vec<Option<u32>> = vec![None; func.blocks.len()];
    let mut todo = vec![Block(0)];
    while let Some(b) = todo.pop() {
        if new_number[b.0 as usize].replace(0).is_none() {
            todo.extend(func.block(b).term.successors().into_iter().map(|(to, _)| to));
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

/// Removes block parameters that are given one value only (or themselves).
pub(super) fn remove_trivial_params(func: &mut Function) {
    let mut renamed: HashMap<Value, Value> = HashMap::new();
    while remove_some(func, &mut renamed) {}
    if !renamed.is_empty() {
        rename(func, &renamed);
    }
}

/// One round; false when nothing was left to do.
fn remove_some(func: &mut Function, renamed: &mut HashMap<Value, Value>) -> bool {
    let mut changed = false;
    for b in 1..func.blocks.len() as u32 {
        let mut index = 0;
        while index < func.block(Block(b)).params.len() {
            match only_value(func, Block(b), index, renamed) {
                Some(value) => {
                    let param = func.block_mut(Block(b)).params.remove(index);
                    remove_argument(func, Block(b), index);
                    renamed.insert(param, value);
                    changed = true;
                }
                None => index += 1,
            }
        }
    }
    changed
}

/// The one value other than itself that a parameter is given, if there is only one.
fn only_value(func: &Function, b: Block, index: usize, renamed: &HashMap<Value, Value>) -> Option<Value> {
    let param = func.block(b).params[index];
    let mut only = None;
    for block in &func.blocks {
        for (to, args) in block.term.successors() {
            let arg = resolve(args.get(index).copied().filter(|_| to == b), renamed);
            match arg {
                Some(v) if v == param || Some(v) == only => {}
                Some(v) if only.is_none() => only = Some(v),
                Some(_) => return None,
                None => {}
            }
        }
    }
    only
}

fn resolve(value: Option<Value>, renamed: &HashMap<Value, Value>) -> Option<Value> {
    let mut value = value?;
    while let Some(&v) = renamed.get(&value) {
        value = v;
    }
    Some(value)
}

fn remove_argument(func: &mut Function, b: Block, index: usize) {
    for block in &mut func.blocks {
        for (to, args) in targets_mut(&mut block.term) {
            if *to == b {
                args.remove(index);
            }
        }
    }
}

fn rename(func: &mut Function, renamed: &HashMap<Value, Value>) {
    let fix = |v: &mut Value| *v = resolve(Some(*v), renamed).unwrap_or(*v);
    for BlockData { insts, term, .. } in &mut func.blocks {
        for inst in insts {
            operands_mut(&mut inst.op, fix);
        }
        match term {
            Term::Branch { a, b, .. } => [a, b].into_iter().for_each(fix),
            Term::Return(v) => fix(v),
            Term::Jump(..) | Term::Unreachable => {}
        }
        for (_, args) in targets_mut(term) {
            args.iter_mut().for_each(fix);
        }
    }
}

fn targets_mut(term: &mut Term) -> Vec<(&mut Block, &mut Vec<Value>)> {
    match term {
        Term::Jump(b, args) => vec![(b, args)],
        Term::Branch { then, otherwise, .. } => {
            vec![(&mut then.0, &mut then.1), (&mut otherwise.0, &mut otherwise.1)]
        }
        Term::Return(_) | Term::Unreachable => vec![],
    }
}

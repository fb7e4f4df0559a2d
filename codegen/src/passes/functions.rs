//! Drops functions that are neither called nor handed out: the verifier refuses code that nothing reaches.

use crate::ir::*;

/// Keeps the entry and what it leads to; gives the numbers that these functions had.
pub fn remove_unused(module: &mut Module) -> Vec<usize> {
    let mut order = vec![];
    let mut todo = vec![0];
    while let Some(f) = todo.pop() {
        if order.contains(&f) {
            continue;
        }
        order.push(f);
        todo.extend(references(&module.funcs[f]));
    }
    order.sort_unstable();
    let mut old: Vec<Option<Function>> = std::mem::take(&mut module.funcs).into_iter().map(Some).collect();
    module.funcs = order.iter().filter_map(|&f| old[f].take()).collect();
    for i in module.funcs.iter_mut().flat_map(|f| &mut f.blocks).flat_map(|b| &mut b.insts) {
        if let Op::FuncAddr(f) | Op::CallLocal(f, _) = &mut i.op {
            let new = order.iter().position(|&o| o == f.0 as usize);
            f.0 = new.unwrap_or_default() as u32;
        }
    }
    order
}

fn references(f: &Function) -> impl Iterator<Item = usize> + '_ {
    f.blocks.iter().flat_map(|b| &b.insts).filter_map(|i| match i.op {
        Op::FuncAddr(f) | Op::CallLocal(f, _) => Some(f.0 as usize),
        _ => None,
    })
}

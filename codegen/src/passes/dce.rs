//! Drops computations and block parameters that nothing needs.

use super::util::{operands, targets_mut, term_operands};
use crate::ir::*;

/// Runs the pass; true if it changed anything.
pub fn run(f: &mut Function) -> bool {
    let live = live_values(f);
    let is_live = |v: Value| live[v.0 as usize];
    let mut changed = false;
    for b in 0..f.blocks.len() {
        let mut term = std::mem::replace(&mut f.blocks[b].term, Term::Unreachable);
        for (target, args) in targets_mut(&mut term) {
            let mut params = f.block(*target).params.iter();
            args.retain(|_| params.next().is_none_or(|p| is_live(*p)));
        }
        f.blocks[b].term = term;
    }
    for (i, b) in f.blocks.iter_mut().enumerate() {
        let before = (b.insts.len(), b.params.len());
        b.insts.retain(|inst| inst.result.is_none_or(is_live) || !inst.op.is_pure());
        if i != 0 {
            b.params.retain(|p| is_live(*p));
        }
        changed |= before != (b.insts.len(), b.params.len());
        for inst in &mut b.insts {
            // The result of a call that is made for its effect.
            if inst.result.is_some_and(|v| !is_live(v)) && matches!(inst.op, Op::Call(..) | Op::CallLocal(..))
            {
                inst.result = None;
                changed = true;
            }
        }
    }
    changed
}

/// Values that effects, conditions or results depend on.
fn live_values(f: &Function) -> Vec<bool> {
    let mut marker = Marker { live: vec![false; f.types.len()], todo: vec![] };
    for b in &f.blocks {
        for inst in b.insts.iter().filter(|i| !i.op.is_pure()) {
            operands(&inst.op, |v| marker.mark(v));
        }
        match &b.term {
            Term::Branch { a, b, .. } => [*a, *b].into_iter().for_each(|v| marker.mark(v)),
            Term::Return(_) => term_operands(&b.term, |v| marker.mark(v)),
            _ => {}
        }
    }
    let sources = sources(f);
    while let Some(v) = marker.todo.pop() {
        match &sources[v.0 as usize] {
            Source::Op(op) => operands(op, |v| marker.mark(v)),
            Source::Param(args) => args.iter().for_each(|v| marker.mark(*v)),
            Source::None => {}
        }
    }
    marker.live
}

struct Marker {
    live: Vec<bool>,
    todo: Vec<Value>,
}

impl Marker {
    fn mark(&mut self, v: Value) {
        if !std::mem::replace(&mut self.live[v.0 as usize], true) {
            self.todo.push(v);
        }
    }
}

/// Where a value comes from.
#[derive(Clone)]
enum Source<'a> {
    None,
    Op(&'a Op),
    Param(Vec<Value>),
}

fn sources(f: &Function) -> Vec<Source<'_>> {
    let mut sources = vec![Source::None; f.types.len()];
    for b in &f.blocks {
        for inst in &b.insts {
            if let Some(v) = inst.result {
                sources[v.0 as usize] = Source::Op(&inst.op);
            }
        }
        for (target, args) in b.term.successors() {
            for (p, a) in f.block(target).params.iter().zip(args) {
                match &mut sources[p.0 as usize] {
                    Source::Param(list) => list.push(*a),
                    slot => *slot = Source::Param(vec![*a]),
                }
            }
        }
    }
    sources
}

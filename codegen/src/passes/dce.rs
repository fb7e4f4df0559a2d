//! Drops computations and block parameters that nothing needs.

use super::util::{operands, targets_mut, term_operands};
use crate::ir::*;

/// Runs the pass.
pub fn run(f: &mut Function) {
    let live = live_values(f);
    let keep_param: Vec<Vec<bool>> =
        f.blocks.iter().map(|b| b.params.iter().map(|p| live[p.0 as usize]).collect()).collect();
    for (i, b) in f.blocks.iter_mut().enumerate() {
        b.insts.retain(|inst| match inst.result {
            Some(v) => live[v.0 as usize] || !inst.op.is_pure(),
            None => true,
        });
        if i != 0 {
            b.params.retain(|p| live[p.0 as usize]);
        }
        for (target, args) in targets_mut(&mut b.term) {
            let mut keep = keep_param[target.0 as usize].iter();
            args.retain(|_| keep.next().copied().unwrap_or(true));
        }
    }
    for b in &mut f.blocks {
        for inst in &mut b.insts {
            // The result of a call that is made for its effect.
            if inst.result.is_some_and(|v| !live[v.0 as usize])
                && matches!(inst.op, Op::Call(..) | Op::CallLocal(..))
            {
                inst.result = None;
            }
        }
    }
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

//! Simplifies every operation and gives equal computations one value, in one walk over the dominator tree.

use super::fold::{Facts, Simpler};
use super::util::{BlockLists, Dominators, operands_mut, predecessors, replace, term_operands_mut};
use crate::dense::ValueMap;
use crate::hash::FastMap;
use crate::ir::*;

/// Rounds of simplification of one operation.
const MAX_ROUNDS: usize = 8;

/// Runs the pass; true if it changed anything.
pub fn run(f: &mut Function) -> bool {
    let preds = predecessors(f);
    let children = Dominators::with(f, &preds).children();
    let mut pass = Pass {
        defs: vec![None; f.types.len()],
        known: FastMap::with_capacity_and_hasher(f.types.len(), Default::default()),
        replaced: ValueMap::new(),
        conditions: FastMap::default(),
        block: Block(0),
        on_path: vec![false; f.blocks.len()],
        out: vec![],
        preds,
        changed: false,
        f,
    };
    let mut stack = vec![Step::Enter(Block(0))];
    while let Some(step) = stack.pop() {
        match step {
            Step::Enter(b) => {
                stack.push(Step::Leave(b));
                pass.enter(b);
                pass.block(b);
                stack.extend(children.of(b).iter().map(|c| Step::Enter(*c)));
            }
            Step::Leave(b) => pass.on_path[b.0 as usize] = false,
        }
    }
    let (replaced, changed) = (pass.replaced, pass.changed);
    replace(f, &replaced);
    changed
}

enum Step {
    Enter(Block),
    Leave(Block),
}

struct Pass<'a> {
    f: &'a mut Function,
    defs: Vec<Option<Op>>,
    /// Computations, each with the block where it stands: it is known in what that block dominates.
    known: FastMap<(Op, Ty), (Value, Block)>,
    replaced: ValueMap<Value>,
    /// Comparisons whose answer the way to a block tells, known likewise.
    conditions: FastMap<(Cond, Value, Value), (bool, Block)>,
    /// The current block.
    block: Block,
    /// The blocks that dominate the current one, and itself.
    on_path: Vec<bool>,
    /// Where the instructions of a block gather.
    out: Vec<Inst>,
    preds: BlockLists,
    changed: bool,
}

impl Pass<'_> {
    fn enter(&mut self, block: Block) {
        self.block = block;
        self.on_path[block.0 as usize] = true;
        self.assume(block);
    }

    /// What was found out in a block, where that still holds.
    fn holding<T: Copy>(&self, found: Option<&(T, Block)>) -> Option<T> {
        found.filter(|(_, home)| self.on_path[home.0 as usize]).map(|found| found.0)
    }

    /// In a block that only one side of a branch leads to, the branch's condition is known.
    fn assume(&mut self, block: Block) {
        let [pred] = self.preds.of(block)[..] else { return };
        let Term::Branch { cond, a, b, then, otherwise, .. } = &self.f.block(pred).term else { return };
        let (cond, a, b, holds) = (*cond, *a, *b, then.0 == block);
        if then.0 == otherwise.0 {
            return;
        }
        self.know(cond, a, b, holds);
        if let Some(negated) = cond.negate() {
            self.know(negated, a, b, !holds);
        }
    }

    fn know(&mut self, cond: Cond, a: Value, b: Value, holds: bool) {
        for key in [(cond, a, b), (cond.swap(), b, a)] {
            if self.holding(self.conditions.get(&key)).is_none() {
                self.conditions.insert(key, (holds, self.block));
            }
        }
    }

    fn resolve(&self, v: &mut Value) {
        while let Some(&w) = self.replaced.get(*v) {
            *v = w;
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts { types: &self.f.types, defs: &self.defs }
    }

    fn block(&mut self, b: Block) {
        let mut insts = std::mem::take(&mut self.f.block_mut(b).insts);
        insts.drain(..).for_each(|inst| self.inst(inst));
        insts.append(&mut self.out);
        self.f.block_mut(b).insts = insts;
        let mut term = std::mem::replace(&mut self.f.block_mut(b).term, Term::Unreachable);
        term_operands_mut(&mut term, |v| self.resolve(v));
        let term = self.term(term);
        self.f.block_mut(b).term = term;
    }

    fn inst(&mut self, mut inst: Inst) {
        let before = inst.op;
        operands_mut(&mut inst.op, |v| self.resolve(v));
        let ty = inst.result.map_or(Ty::I64, |v| self.f.ty(v));
        for _ in 0..MAX_ROUNDS {
            match self.facts().simplify(&inst.op, ty) {
                Simpler::Keep => break,
                Simpler::Op(op) if op == inst.op => break,
                Simpler::Op(op) => inst.op = op,
                Simpler::Value(v) if self.f.ty(v) == ty => {
                    self.replace(inst.result, v);
                    return;
                }
                Simpler::Value(_) => break,
                Simpler::WithConst(op, a, c) => {
                    let c = self.constant(c, if ty == Ty::I32 { Ty::I32 } else { Ty::I64 }, &inst);
                    inst.op = Op::Alu(op, a, c);
                }
            }
        }
        let Some(result) = inst.result else { return self.keep(inst, &before) };
        if self.is_known(&inst.op) {
            let key = (inst.op, ty);
            if let Some(v) = self.holding(self.known.get(&key)) {
                self.replace(Some(result), v);
                return;
            }
            self.known.insert(key, (result, self.block));
        }
        self.define(result, inst.op);
        self.keep(inst, &before);
    }

    fn keep(&mut self, inst: Inst, before: &Op) {
        self.changed |= inst.op != *before;
        self.out.push(inst);
    }

    fn replace(&mut self, result: Option<Value>, by: Value) {
        self.changed = true;
        if let Some(result) = result {
            self.replaced.insert(result, by);
        }
    }

    fn define(&mut self, v: Value, op: Op) {
        if self.defs.len() < self.f.types.len() {
            self.defs.resize(self.f.types.len(), None);
        }
        self.defs[v.0 as usize] = Some(op);
    }

    fn constant(&mut self, c: i64, ty: Ty, like: &Inst) -> Value {
        let key = (Op::Const(c), ty);
        if let Some(v) = self.holding(self.known.get(&key)) {
            return v;
        }
        let v = self.f.new_value(ty);
        self.define(v, Op::Const(c));
        self.out.push(Inst { op: Op::Const(c), result: Some(v), span: like.span });
        self.known.insert(key, (v, self.block));
        v
    }

    /// Does the operation give the same wherever it stands?
    fn is_known(&self, op: &Op) -> bool {
        match op {
            // The context does not change while a program runs.
            Op::Load { ptr, .. } => self.f.ty(*ptr) == Ty::Ptr(Space::Ctx),
            // It bounds what the next instruction uses.
            Op::Alu(Alu::UMin, ..) => false,
            op => op.is_pure(),
        }
    }

    fn term(&mut self, term: Term) -> Term {
        let Term::Branch { cond, a, b: right, then, otherwise, unlikely } = term else { return term };
        let facts = self.facts();
        let before = (cond, a, right);
        let (cond, a, right) = facts.condition(cond, a, right);
        self.changed |= before != (cond, a, right);
        let facts = self.facts();
        let known = facts.known_cond(cond, a, right).or(self.holding(self.conditions.get(&(cond, a, right))));
        if let Some(holds) = known {
            self.changed = true;
            let (b, args) = if holds { then } else { otherwise };
            return Term::Jump(b, args);
        }
        if then == otherwise {
            self.changed = true;
            return Term::Jump(then.0, then.1);
        }
        Term::Branch { cond, a, b: right, then, otherwise, unlikely }
    }
}

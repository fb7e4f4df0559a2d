//! Whether far more numbers are in use at once than registers and the stack can hold, so that trying is in vain.

use super::util::{BlockLists, operands, predecessors, term_operands};
use crate::dense::ValueMap;
use crate::emit::sink::sums_to_sink;
use crate::ir::*;

/// Twice the registers and the words of the stack.
const FAR_TOO_MANY: usize = 2 * (10 + 512 / 8);

/// Are they? Looks at what is needed behind the ends of blocks, and at what blocks need of their own.
pub fn is_far_too_high(f: &Function) -> bool {
    let insts = f.blocks.iter().map(|b| b.insts.len()).sum::<usize>();
    insts > FAR_TOO_MANY && Values::new(f).are_too_many(f)
}

/// What is known of the values of a function.
struct Values {
    /// The block of each value that takes a register or a word of the stack while it is needed, and nothing else: not what
    /// is made where it is used, and not what may share its place with another.
    home: Vec<Option<Block>>,
    /// Is it needed in other blocks?
    leaves: Vec<bool>,
    /// What is needed in place of each sum that is made where it is used.
    stands_for: ValueMap<Value>,
}

impl Values {
    fn new(f: &Function) -> Self {
        let sunk = sums_to_sink(f);
        let (home, leaves) = (vec![None; f.types.len()], vec![false; f.types.len()]);
        let mut values = Values { home, leaves, stands_for: ValueMap::new() };
        for b in f.block_ids() {
            for i in &f.block(b).insts {
                let Some(v) = i.result else { continue };
                match i.op {
                    Op::Alu(_, a, _) if sunk[v.0 as usize] => values.stands_for.insert(v, a),
                    op if takes_room(&op) && !matches!(f.ty(v), Ty::Ptr(_)) => {
                        values.home[v.0 as usize] = Some(b);
                    }
                    _ => {}
                }
            }
        }
        values
    }

    /// Calls `f` on each value that takes room and that an instruction needs; a sum needs nothing where it is made later.
    fn operands(&self, i: &Inst, mut f: impl FnMut(Value)) {
        if !i.result.is_some_and(|v| self.stands_for.contains(v)) {
            operands(&i.op, |v| f(self.needed(v)));
        }
    }

    fn needed(&self, mut v: Value) -> Value {
        while let Some(a) = self.stands_for.get(v) {
            v = *a;
        }
        v
    }

    fn are_too_many(&mut self, f: &Function) -> bool {
        let preds = predecessors(f);
        let mut uses: Vec<(Value, Block)> = vec![];
        for b in f.block_ids() {
            let mut used = |v: Value| {
                if self.home[v.0 as usize].is_some_and(|home| home != b) {
                    uses.push((v, b));
                }
            };
            f.block(b).insts.iter().for_each(|i| self.operands(i, &mut used));
            term_operands(&f.block(b).term, |v| used(self.needed(v)));
        }
        uses.sort_unstable();
        uses.dedup();
        uses.iter().for_each(|(v, _)| self.leaves[v.0 as usize] = true);
        let mut needed = vec![false; f.types.len()];
        self.cross_too_many(f, &uses, &preds) || f.blocks.iter().any(|b| self.meet_too_many(b, &mut needed))
    }

    /// Are too many needed behind the end of one block?
    fn cross_too_many(&self, f: &Function, uses: &[(Value, Block)], preds: &BlockLists) -> bool {
        let mut count = vec![0; f.blocks.len()];
        // The last value found to be needed behind each block.
        let mut last = vec![None; f.blocks.len()];
        for uses in uses.chunk_by(|a, b| a.0 == b.0) {
            let v = uses[0].0;
            let mut todo: Vec<Block> = uses.iter().map(|u| u.1).collect();
            while let Some(b) = todo.pop() {
                for &p in preds.of(b) {
                    if last[p.0 as usize].replace(v) == Some(v) {
                        continue;
                    }
                    count[p.0 as usize] += 1;
                    if count[p.0 as usize] > FAR_TOO_MANY {
                        return true;
                    }
                    todo.extend((self.home[v.0 as usize] != Some(p)).then_some(p));
                }
            }
        }
        false
    }

    /// Are too many of the values that only this block needs needed at once?
    fn meet_too_many(&self, b: &BlockData, needed: &mut [bool]) -> bool {
        let (mut now, mut most) = (0usize, 0);
        let mut need = |v: Value, needed: &mut [bool], now: &mut usize| {
            let i = v.0 as usize;
            let counts = self.home[i].is_some() && !self.leaves[i];
            if counts && !std::mem::replace(&mut needed[i], true) {
                *now += 1;
                most = most.max(*now);
            }
        };
        term_operands(&b.term, |v| need(self.needed(v), needed, &mut now));
        for i in b.insts.iter().rev() {
            let defined = i.result.is_some_and(|v| std::mem::take(&mut needed[v.0 as usize]));
            now -= usize::from(defined);
            self.operands(i, |v| need(v, needed, &mut now));
        }
        most > FAR_TOO_MANY
    }
}

/// Is a number that is computed so in a register of its own? An extension may be a mere copy.
fn takes_room(op: &Op) -> bool {
    !matches!(op, Op::Const(_) | Op::Zext(..) | Op::Sext(..))
}

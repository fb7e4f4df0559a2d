//! Checks the invariants of the IR; run after each pass in tests and with debug assertions.

use crate::dominators::Dominators;
use crate::ir::*;
use crate::passes::util::{operands, term_operands};

/// Checks a module; the error names the function and the place.
pub fn verify(module: &Module) -> Result<(), String> {
    for f in &module.funcs {
        Verifier::new(f).and_then(|v| v.run(module)).map_err(|e| format!("function {}: {e}", f.name))?;
    }
    Ok(())
}

struct Verifier<'a> {
    f: &'a Function,
    dominators: Dominators,
    /// Block and position of each definition; parameters stand at position 0, instruction `i` at `i + 1`.
    defs: Vec<Option<(Block, usize)>>,
}

impl<'a> Verifier<'a> {
    fn new(f: &'a Function) -> Result<Self, String> {
        for b in f.block_ids() {
            for (t, _) in f.block(b).term.successors() {
                if t.0 as usize >= f.blocks.len() {
                    return Err(format!("{b} goes to {t}, which does not exist"));
                }
            }
        }
        let mut v = Verifier { f, dominators: Dominators::new(f), defs: vec![None; f.types.len()] };
        for b in f.block_ids() {
            for p in &f.block(b).params {
                v.define(*p, (b, 0))?;
            }
            for (i, inst) in f.block(b).insts.iter().enumerate() {
                if let Some(r) = inst.result {
                    v.define(r, (b, i + 1))?;
                }
            }
        }
        Ok(v)
    }

    fn define(&mut self, v: Value, at: (Block, usize)) -> Result<(), String> {
        let slot = self.defs.get_mut(v.0 as usize).ok_or_else(|| format!("{v} has no type"))?;
        match slot.replace(at) {
            Some(_) => Err(format!("{v} is defined twice")),
            None => Ok(()),
        }
    }

    fn run(&self, module: &Module) -> Result<(), String> {
        for &b in &self.dominators.order {
            let data = self.f.block(b);
            for (i, inst) in data.insts.iter().enumerate() {
                let at = |e: String| format!("{b}: {}: {e}", inst.op);
                self.uses(b, i + 1, |f| operands(&inst.op, f)).map_err(at)?;
                self.inst(module, inst).map_err(at)?;
            }
            let at = |e: String| format!("{b}: {}: {e}", data.term);
            self.uses(b, usize::MAX, |f| term_operands(&data.term, f)).map_err(at)?;
            self.term(&data.term).map_err(at)?;
        }
        Ok(())
    }

    /// Each value that is read is defined before.
    fn uses(&self, b: Block, at: usize, each: impl FnOnce(&mut dyn FnMut(Value))) -> Result<(), String> {
        let mut bad = None;
        each(&mut |v| {
            let before = match self.defs.get(v.0 as usize).copied().flatten() {
                Some((home, i)) if home == b => i < at,
                Some((home, _)) => self.dominators.dominates(home, b),
                None => false,
            };
            if !before {
                bad = Some(v);
            }
        });
        bad.map_or(Ok(()), |v| Err(format!("{v} is not defined here")))
    }

    fn pointer(&self, v: Value) -> Result<(), String> {
        match self.f.ty(v) {
            Ty::Ptr(_) => Ok(()),
            ty => Err(format!("{v} is {ty}, not a pointer")),
        }
    }

    fn inst(&self, module: &Module, inst: &Inst) -> Result<(), String> {
        match &inst.op {
            Op::Alu(op, a, b) => self.alu(*op, *a, *b, inst.result)?,
            Op::Cmp(_, a, b) => self.comparable(*a, *b)?,
            Op::Load { ptr, .. }
            | Op::Store { ptr, .. }
            | Op::Atomic { ptr, .. }
            | Op::CmpXchg { ptr, .. } => self.pointer(*ptr)?,
            Op::Copy { dst, src, .. } => self.pointer(*dst).and_then(|()| self.pointer(*src))?,
            Op::Zero { dst, .. } => self.pointer(*dst)?,
            Op::SlotAddr(s) if s.0 as usize >= self.f.slots.len() => return Err("no such slot".into()),
            Op::CallLocal(f, args) => {
                let callee = module.funcs.get(f.0 as usize).ok_or("no such function")?;
                if callee.blocks[0].params.len() != args.len() {
                    return Err("wrong number of arguments".into());
                }
            }
            _ => {}
        }
        let wants_result = match &inst.op {
            Op::Store { .. } | Op::Copy { .. } | Op::Zero { .. } => Some(false),
            Op::Call(..) | Op::CallLocal(..) | Op::Atomic { .. } => None,
            _ => Some(true),
        };
        match wants_result {
            Some(wanted) if wanted != inst.result.is_some() => Err("a result is missing or too many".into()),
            _ => Ok(()),
        }
    }

    fn alu(&self, op: Alu, a: Value, b: Value, result: Option<Value>) -> Result<(), String> {
        let (ta, tb) = (self.f.ty(a), self.f.ty(b));
        let tr = result.map_or(ta, |r| self.f.ty(r));
        if op == Alu::UMin && tr != Ty::I64 {
            return Err(format!("the lesser of two {tr}"));
        }
        let offset = matches!(op, Alu::Add | Alu::Sub) && matches!(ta, Ty::Ptr(_)) && tb == Ty::I64;
        if (ta == tb && ta == tr) || (offset && (tr == ta || tr == Ty::I64)) {
            return Ok(());
        }
        Err(format!("{ta} and {tb} give {tr}"))
    }

    fn comparable(&self, a: Value, b: Value) -> Result<(), String> {
        let (ta, tb) = (self.f.ty(a), self.f.ty(b));
        if ta == tb || matches!((ta, tb), (Ty::Ptr(_), Ty::I64)) {
            return Ok(());
        }
        Err(format!("compares {ta} with {tb}"))
    }

    fn term(&self, term: &Term) -> Result<(), String> {
        if let Term::Branch { a, b, .. } = term {
            self.comparable(*a, *b)?;
        }
        for (b, args) in term.successors() {
            let params = &self.f.block(b).params;
            if b == Block(0) {
                return Err("goes to the entry".into());
            }
            if params.len() != args.len() {
                return Err(format!("{b} takes {} values", params.len()));
            }
            for (&p, &a) in params.iter().zip(args) {
                let (tp, ta) = (self.f.ty(p), self.f.ty(a));
                if std::mem::discriminant(&tp) != std::mem::discriminant(&ta) {
                    return Err(format!("{p} is {tp}, but gets {ta}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        let text = format!("func main(v0: *ctx) {{\nb0:\n{body}\n}}\n");
        verify(&crate::text::parse(&text).unwrap()).unwrap_err()
    }

    #[test]
    fn finds_what_is_wrong() {
        assert!(error("  ret v1").contains("v1 is not defined here"));
        assert!(error("  v1: i64 = const 1\n  v1: i64 = const 2\n  ret v1").contains("defined twice"));
        assert!(error("  v1: i64 = const 1\n  jump b1\nb1(v2: i64):\n  ret v2").contains("takes 1 values"));
        assert!(
            error("  v1: i32 = const 1\n  v2: i64 = neg v0\n  v3: i64 = add v1, v2\n  ret v3")
                .contains("give")
        );
        assert!(error("  v1: i64 = const 1\n  v2: i64 = load.b8 v1[0]\n  ret v2").contains("not a pointer"));
    }
}

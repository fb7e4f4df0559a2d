//! The textual form of the IR, for dumps and tests: [`std::fmt::Display`] prints it, [`parse`] reads it.
//!
//! ```text
//! func main(v0: *ctx) {
//! slot s0: 4 align 4
//! b0:
//!   v1: i64 = const 7
//!   v2: *stack = slot s0
//!   store.b4 v2[0], v1
//!   br ult v1, v3, b1, b2(v1) unlikely
//! …
//! }
//! ```

mod names;
mod parse;

pub use parse::parse;

use crate::ir::*;
use names::*;
use std::fmt::{self, Display, Formatter};

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl Display for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl Display for Ty {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Ty::I32 => f.write_str("i32"),
            Ty::I64 => f.write_str("i64"),
            Ty::Ptr(space) => write!(f, "*{}", name_of(SPACES, space)),
        }
    }
}

struct List<'a>(&'a [Value]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, v) in self.0.iter().enumerate() {
            write!(f, "{}{v}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Target<'a>(Block, &'a [Value]);

impl Display for Target<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if self.1.is_empty() { Ok(()) } else { write!(f, "({})", List(self.1)) }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Op::Const(c) => write!(f, "const {c}"),
            Op::Alu(op, a, b) => write!(f, "{} {a}, {b}", name_of(ALUS, op)),
            Op::Neg(a) => write!(f, "neg {a}"),
            Op::Cmp(c, a, b) => write!(f, "cmp.{} {a}, {b}", name_of(CONDS, c)),
            Op::Sext(w, a) => write!(f, "sext.{} {a}", name_of(WIDTHS, w)),
            Op::Zext(w, a) => write!(f, "zext.{} {a}", name_of(WIDTHS, w)),
            Op::Bswap(w, a) => write!(f, "bswap.{} {a}", name_of(WIDTHS, w)),
            Op::Load { width, signed, ptr, offset } => {
                let sign = if *signed { ".s" } else { "" };
                write!(f, "load.{}{sign} {ptr}[{offset}]", name_of(WIDTHS, width))
            }
            Op::Store { width, ptr, offset, value } => {
                write!(f, "store.{} {ptr}[{offset}], {value}", name_of(WIDTHS, width))
            }
            Op::Atomic { op, width, ptr, offset, value } => {
                write!(
                    f,
                    "atomic.{}.{} {ptr}[{offset}], {value}",
                    name_of(ATOMICS, op),
                    name_of(WIDTHS, width)
                )
            }
            Op::CmpXchg { ptr, offset, old, new } => write!(f, "cmpxchg {ptr}[{offset}], {old}, {new}"),
            Op::Copy { dst, dst_offset, src, src_offset, len, align } => {
                write!(f, "copy {dst}[{dst_offset}], {src}[{src_offset}], {len} align {align}")
            }
            Op::Zero { dst, offset, len, align } => write!(f, "zero {dst}[{offset}], {len} align {align}"),
            Op::SlotAddr(s) => write!(f, "slot s{}", s.0),
            Op::MapRef(m) => write!(f, "map m{}", m.0),
            Op::MapValue(m, offset) => write!(f, "mapvalue m{}[{offset}]", m.0),
            Op::FuncAddr(func) => write!(f, "func f{}", func.0),
            Op::Call(h, args) => write!(f, "call {}({})", h.0, List(args)),
            Op::CallLocal(func, args) => write!(f, "call f{}({})", func.0, List(args)),
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Term::Jump(b, args) => write!(f, "jump {}", Target(*b, args)),
            Term::Branch { cond, a, b, then, otherwise, unlikely } => {
                let (t, o) = (Target(then.0, &then.1), Target(otherwise.0, &otherwise.1));
                let unlikely = if *unlikely { " unlikely" } else { "" };
                write!(f, "br {} {a}, {b}, {t}, {o}{unlikely}", name_of(CONDS, cond))
            }
            Term::Return(v) => write!(f, "ret {v}"),
            Term::Unreachable => f.write_str("unreachable"),
        }
    }
}

impl Function {
    fn write_params(&self, f: &mut Formatter<'_>, params: &[Value]) -> fmt::Result {
        for (i, &p) in params.iter().enumerate() {
            write!(f, "{}{p}: {}", if i == 0 { "" } else { ", " }, self.ty(p))?;
        }
        Ok(())
    }
}

impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "func {}(", self.name)?;
        self.write_params(f, &self.blocks[0].params)?;
        writeln!(f, ") {{")?;
        for (i, s) in self.slots.iter().enumerate() {
            let stack = match s.memory {
                Memory::Any => "",
                Memory::Stack => " stack",
                Memory::Scratch => " scratch",
                Memory::ScratchStart => " scratchstart",
            };
            writeln!(f, "slot s{i}: {} align {}{stack}", s.size, s.align)?;
        }
        for b in self.block_ids() {
            write!(f, "{b}")?;
            if b.0 != 0 && !self.block(b).params.is_empty() {
                write!(f, "(")?;
                self.write_params(f, &self.block(b).params)?;
                write!(f, ")")?;
            }
            writeln!(f, ":")?;
            for i in &self.block(b).insts {
                match i.result {
                    Some(v) => writeln!(f, "  {v}: {} = {}", self.ty(v), i.op)?,
                    None => writeln!(f, "  {}", i.op)?,
                }
            }
            writeln!(f, "  {}", self.block(b).term)?;
        }
        writeln!(f, "}}")
    }
}

impl Display for Module {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(Scratch { map, places, preemptible, crowded: (counter, at) }) = self.scratch {
            let how = if preemptible { " preemptible" } else { "" };
            writeln!(f, "scratch m{}[{places}]{how} m{}[{at}]", map.0, counter.0)?;
        }
        self.funcs.iter().try_for_each(|func| func.fmt(f))
    }
}

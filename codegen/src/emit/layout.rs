//! Puts blocks in order, functions behind one another, and resolves jumps, calls and addresses.

use super::code::Code;
use super::encode::{self, Insn};
use super::frequency::{cold_blocks, reverse_postorder};
use super::mach::{MBlock, MBlockId, MFunc, MOp, MTerm, Reg, Src};
use crate::error::BackendError;
use crate::ir::{Cond, Module};
use crate::kernel::{Feature, Kernel};
use crate::object::{Reloc, RelocTarget};
use rbtrace_lang::Span;

/// Where a jump of the laid-out code goes.
#[derive(Clone, Copy, Debug)]
enum Fix {
    None,
    Block(MBlockId),
    Func(u32),
}

struct Placed {
    insn: Insn,
    span: Span,
    fix: Fix,
}

/// Encodes the functions of a module, main first.
pub fn assemble(module: &Module, funcs: &[MFunc], kernel: &dyn Kernel) -> Result<Code, BackendError> {
    let mut code = Code::default();
    let mut calls = vec![];
    for (f, ir) in funcs.iter().zip(&module.funcs) {
        let start = code.insns.len();
        code.funcs.push((start as u32, ir.name.clone()));
        let laid_out = Assembler::new(f, kernel).run(&order(f, &cold_blocks(f)));
        // Jumps reach 32,767 instructions: in a large function the error paths have to stand beside their branches.
        let near = || Assembler::new(f, kernel).run(&reverse_postorder(f, true));
        laid_out.or_else(|_| near())?.append(&mut code, &mut calls);
    }
    for (at, func) in calls {
        let mut insn = Insn::from_word(code.insns[at]);
        insn.imm = code.funcs[func as usize].0 as i32 - at as i32 - 1;
        code.insns[at] = insn.word();
    }
    Ok(code)
}

/// Blocks in the order of the code: likely ones first, each after what usually leads to it.
pub(super) fn order(f: &MFunc, cold: &[bool]) -> Vec<MBlockId> {
    let (cold, mut warm): (Vec<_>, Vec<_>) = reverse_postorder(f, false).into_iter().partition(|&b| cold[b]);
    warm.extend(cold);
    warm
}

struct Assembler<'a> {
    f: &'a MFunc,
    kernel: &'a dyn Kernel,
    out: Vec<Placed>,
    starts: Vec<usize>,
    relocs: Vec<(usize, RelocTarget)>,
}

impl<'a> Assembler<'a> {
    fn new(f: &'a MFunc, kernel: &'a dyn Kernel) -> Self {
        Assembler { f, kernel, out: vec![], starts: vec![usize::MAX; f.blocks.len()], relocs: vec![] }
    }

    /// Emits the blocks in an order.
    fn run(mut self, order: &[MBlockId]) -> Result<Self, BackendError> {
        for (i, &b) in order.iter().enumerate() {
            self.starts[b] = self.out.len();
            let block = &self.f.blocks[b];
            self.insts(block);
            self.term(block, order.get(i + 1).copied());
        }
        self.resolve()?;
        Ok(self)
    }

    /// Adds the function to the program; `calls` collects what calls or names other functions.
    fn append(self, code: &mut Code, calls: &mut Vec<(usize, u32)>) {
        let start = code.insns.len();
        for (i, p) in self.out.iter().enumerate() {
            code.insns.push(p.insn.word());
            code.spans.push(p.span);
            if let Fix::Func(func) = p.fix {
                calls.push((start + i, func));
            }
        }
        code.relocs.extend(self.relocs.iter().map(|&(i, target)| Reloc { insn: (start + i) as u32, target }));
    }

    fn insts(&mut self, block: &MBlock) {
        let mut words = vec![];
        for inst in &block.insts {
            let fix = match inst.op {
                MOp::CallLocal { func, .. } | MOp::LdFunc { func, .. } => Fix::Func(func.0),
                _ => Fix::None,
            };
            match inst.op {
                MOp::LdMap { map, .. } => self.relocs.push((self.out.len(), RelocTarget::Map(map))),
                MOp::LdMapValue { map, .. } => self.relocs.push((self.out.len(), RelocTarget::MapValue(map))),
                _ => {}
            }
            encode::encode(&inst.op, self.f.slot_bytes, &mut words);
            for (i, insn) in words.drain(..).enumerate() {
                let fix = if i == 0 { fix } else { Fix::None };
                self.out.push(Placed { insn, span: inst.span, fix });
            }
        }
    }

    fn term(&mut self, block: &MBlock, next: Option<MBlockId>) {
        let span = block.term_span;
        match block.term {
            MTerm::Exit => self.push(encode::exit(), span, Fix::None),
            MTerm::Jump(t) => self.goto(t, next, span),
            MTerm::Branch { cond, wide, a, b, then, otherwise, .. } => {
                let negated = cond.negate().filter(|_| next == Some(then));
                match negated {
                    Some(cond) => self.branch((cond, wide, a, b), otherwise, span),
                    None => {
                        self.branch((cond, wide, a, b), then, span);
                        self.goto(otherwise, next, span);
                    }
                }
            }
        }
    }

    fn push(&mut self, insn: Insn, span: Span, fix: Fix) {
        self.out.push(Placed { insn, span, fix });
    }

    fn branch(&mut self, (cond, wide, a, b): (Cond, bool, Reg, Src), target: MBlockId, span: Span) {
        self.push(encode::branch(cond, wide, a, b, 0), span, Fix::Block(target));
    }

    /// Falls through or jumps.
    fn goto(&mut self, t: MBlockId, next: Option<MBlockId>, span: Span) {
        if next != Some(t) {
            self.push(encode::jump(0), span, Fix::Block(t));
        }
    }

    /// Sets the offsets of jumps within the function.
    fn resolve(&mut self) -> Result<(), BackendError> {
        for i in 0..self.out.len() {
            let Fix::Block(b) = self.out[i].fix else { continue };
            let off = self.starts[b] as i64 - i as i64 - 1;
            let p = &mut self.out[i];
            match i16::try_from(off) {
                Ok(off) => p.insn.off = off,
                Err(_) if self.kernel.has(Feature::IsaV4) && p.insn == encode::jump(0) => {
                    p.insn = encode::jump(off as i32);
                }
                Err(_) => {
                    let text = "the program is too large: a jump is longer than BPF allows";
                    return Err(BackendError::new(p.span, text));
                }
            }
        }
        Ok(())
    }
}

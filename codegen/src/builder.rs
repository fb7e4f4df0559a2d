//! Builds a function block by block and makes SSA form of its variables on the fly.
//!
//! The algorithm is that of Braun et al., "Simple and Efficient Construction of Static Single Assignment
//! Form" (CC 2013), with block parameters in place of phis. A block is *sealed* once all jumps to it
//! exist; reading a variable in an unsealed block makes a parameter whose arguments follow on sealing.

use crate::dense::ValueMap;
use crate::hash::FastMap;
use crate::ir::{Alu, Block, Cond, Function, Inst, Op, Slot, Term, Ty, Value, Width};
use crate::passes::cfg;
use rbtrace_lang::Span;

mod cleanup;

/// A variable that may be assigned many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Var(u32);

/// A function under construction and the place where the next instruction goes.
#[derive(Debug)]
pub struct FunctionBuilder {
    func: Function,
    current: Block,
    span: Span,
    vars: Vec<Ty>,
    defs: FastMap<(Var, Block), Value>,
    edges: Vec<Edges>,
    /// The constants, with their blocks.
    constants: ValueMap<(i64, Block)>,
}

/// What is known of the ways into a block.
#[derive(Debug, Default)]
struct Edges {
    preds: Vec<Block>,
    sealed: bool,
    incomplete: Vec<Var>,
}

impl FunctionBuilder {
    /// A function whose entry block takes these parameters.
    pub fn new(name: impl Into<String>, params: &[Ty], span: Span) -> Self {
        let func = Function::new(name, params, span);
        FunctionBuilder {
            func,
            current: Block(0),
            span,
            vars: vec![],
            defs: FastMap::default(),
            constants: ValueMap::new(),
            edges: vec![Edges { sealed: true, ..Edges::default() }],
        }
    }

    /// The n-th parameter of the function.
    pub fn param(&self, n: usize) -> Value {
        self.func.block(Block(0)).params[n]
    }

    /// Sets the place in the script that the next instructions come from; returns the one before.
    pub fn set_span(&mut self, span: Span) -> Span {
        std::mem::replace(&mut self.span, span)
    }

    /// The place that instructions come from now.
    pub fn span(&self) -> Span {
        self.span
    }

    /// A new block without jumps to it, not sealed.
    pub fn create_block(&mut self) -> Block {
        self.edges.push(Edges::default());
        self.func.add_block()
    }

    /// An explicit parameter of a block; to be asked for before the first jump to it.
    pub fn block_param(&mut self, block: Block, ty: Ty) -> Value {
        self.func.add_param(block, ty)
    }

    /// The next instruction goes to the end of this block.
    pub fn switch_to(&mut self, block: Block) {
        self.current = block;
    }

    /// No more jumps to this block will come.
    pub fn seal(&mut self, block: Block) {
        let edges = &mut self.edges[block.0 as usize];
        edges.sealed = true;
        for var in std::mem::take(&mut edges.incomplete) {
            self.add_operands(block, var);
        }
    }

    /// [`Self::seal`], then [`Self::switch_to`].
    pub fn start(&mut self, block: Block) {
        self.seal(block);
        self.switch_to(block);
    }

    /// The block that instructions go to.
    pub fn current(&self) -> Block {
        self.current
    }

    /// Can the place of the next instruction be reached? False after a return or a jump.
    pub fn is_reachable(&self) -> bool {
        let edges = &self.edges[self.current.0 as usize];
        self.current == Block(0) || !edges.sealed || !edges.preds.is_empty()
    }

    /// A new variable.
    pub fn declare_var(&mut self, ty: Ty) -> Var {
        self.vars.push(ty);
        Var(self.vars.len() as u32 - 1)
    }

    /// Assigns a variable.
    pub fn def_var(&mut self, var: Var, value: Value) {
        self.defs.insert((var, self.current), value);
    }

    /// The value of a variable here; zero where it was never assigned.
    pub fn use_var(&mut self, var: Var) -> Value {
        self.read(var, self.current)
    }

    fn read(&mut self, var: Var, block: Block) -> Value {
        if let Some(&v) = self.defs.get(&(var, block)) {
            return v;
        }
        let ty = self.vars[var.0 as usize];
        let edges = &mut self.edges[block.0 as usize];
        let value = if !edges.sealed {
            edges.incomplete.push(var);
            self.func.add_param(block, ty)
        } else if let [pred] = edges.preds[..] {
            self.read(var, pred)
        } else if edges.preds.is_empty() {
            self.zero_at_start(block, ty)
        } else {
            let param = self.func.add_param(block, ty);
            self.defs.insert((var, block), param);
            self.add_operands(block, var);
            param
        };
        self.defs.insert((var, block), value);
        value
    }

    /// A zero at the start of a block, for a variable that was never assigned.
    fn zero_at_start(&mut self, block: Block, ty: Ty) -> Value {
        let value = self.func.new_value(ty);
        let inst = Inst { op: Op::Const(0), result: Some(value), span: self.span };
        self.func.block_mut(block).insts.insert(0, inst);
        self.constants.insert(value, (0, block));
        value
    }

    fn add_operands(&mut self, block: Block, var: Var) {
        for pred in self.edges[block.0 as usize].preds.clone() {
            let value = self.read(var, pred);
            match &mut self.func.block_mut(pred).term {
                Term::Jump(_, args) => args.push(value),
                Term::Branch { then, otherwise, .. } => {
                    for (target, args) in [then, otherwise] {
                        if *target == block {
                            args.push(value);
                        }
                    }
                }
                Term::Return(_) | Term::Unreachable => {}
            }
        }
    }

    /// Appends an instruction with a result.
    pub fn ins(&mut self, op: Op, ty: Ty) -> Value {
        let result = self.func.new_value(ty);
        self.push(op, Some(result));
        result
    }

    /// Appends an instruction without a result.
    pub fn effect(&mut self, op: Op) {
        self.push(op, None);
    }

    fn push(&mut self, op: Op, result: Option<Value>) {
        let span = self.span;
        if let (Op::Const(c), Some(v)) = (op, result) {
            self.constants.insert(v, (c, self.current));
        }
        self.func.block_mut(self.current).insts.push(Inst { op, result, span });
    }

    /// A 64-bit constant.
    pub fn iconst(&mut self, value: i64) -> Value {
        self.ins(Op::Const(value), Ty::I64)
    }

    /// 64-bit arithmetic; the result is a pointer where the left side is one.
    pub fn alu(&mut self, op: Alu, a: Value, b: Value) -> Value {
        let ty = self.func.ty(a);
        self.ins(Op::Alu(op, a, b), ty)
    }

    /// Arithmetic with a constant on the right.
    pub fn alu_imm(&mut self, op: Alu, a: Value, b: i64) -> Value {
        let b = self.iconst(b);
        self.alu(op, a, b)
    }

    /// `ptr + offset`
    pub fn offset(&mut self, ptr: Value, offset: i64) -> Value {
        if offset == 0 { ptr } else { self.alu_imm(Alu::Add, ptr, offset) }
    }

    /// Loads an integer, extended to 64 bits.
    pub fn load(&mut self, width: Width, signed: bool, ptr: Value, offset: i32) -> Value {
        self.ins(Op::Load { width, signed, ptr, offset }, Ty::I64)
    }

    /// Stores an integer's low bytes.
    pub fn store(&mut self, width: Width, ptr: Value, offset: i32, value: Value) {
        self.effect(Op::Store { width, ptr, offset, value });
    }

    /// A new slot.
    pub fn slot(&mut self, size: u32, align: u32) -> Slot {
        self.func.add_slot(size, align)
    }

    /// Keeps a slot on the stack.
    pub fn keep_on_stack(&mut self, slot: Slot) {
        self.func.slots[slot.0 as usize].memory = crate::ir::Memory::Stack;
    }

    /// Keeps a slot off the stack.
    pub fn keep_off_stack(&mut self, slot: Slot) {
        self.func.slots[slot.0 as usize].memory = crate::ir::Memory::Scratch;
    }

    /// Type of a value.
    pub fn ty(&self, value: Value) -> Ty {
        self.func.ty(value)
    }

    /// Is this value a constant that the current block defines? (That is enough for constants that were made for the
    /// next instruction.)
    pub fn known_const(&self, value: Value) -> Option<i64> {
        self.constants.get(value).filter(|known| known.1 == self.current).map(|known| known.0)
    }

    /// Ends the block with a jump.
    pub fn jump(&mut self, to: Block, args: &[Value]) {
        self.terminate(Term::Jump(to, args.to_vec()));
    }

    /// Ends the block with a branch; both targets take no explicit arguments.
    pub fn branch(&mut self, cond: Cond, a: Value, b: Value, then: Block, otherwise: Block) {
        self.branch_term(cond, a, b, then, otherwise, false);
    }

    /// A branch whose condition is expected to fail.
    pub fn branch_unlikely(&mut self, cond: Cond, a: Value, b: Value, then: Block, otherwise: Block) {
        self.branch_term(cond, a, b, then, otherwise, true);
    }

    fn branch_term(&mut self, cond: Cond, a: Value, b: Value, then: Block, otherwise: Block, unlikely: bool) {
        let (then, otherwise) = ((then, vec![]), (otherwise, vec![]));
        self.terminate(Term::Branch { cond, a, b, then, otherwise, unlikely });
    }

    /// Ends the function.
    pub fn ret(&mut self, value: Value) {
        self.terminate(Term::Return(value));
    }

    /// Sets the block's end. What follows goes to a block that nothing reaches.
    fn terminate(&mut self, term: Term) {
        let from = self.current;
        for (to, _) in term.successors() {
            let edges = &mut self.edges[to.0 as usize];
            debug_assert!(!edges.sealed, "a jump to a sealed block");
            if !edges.preds.contains(&from) {
                edges.preds.push(from);
            }
        }
        let span = self.span;
        let block = self.func.block_mut(from);
        block.term = term;
        block.term_span = span;
        let dead = self.create_block();
        self.start(dead);
    }

    /// The finished function, without unreachable blocks and needless block parameters.
    pub fn finish(mut self) -> Function {
        cleanup::remove_unreachable(&mut self.func);
        while cfg::remove_params(&mut self.func) {}
        self.func
    }
}

#[cfg(test)]
mod tests;

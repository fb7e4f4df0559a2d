//! What the program's context holds: arguments, registers, return values.

use super::Lowered;
use super::frame::{Lower, Registers};
use super::memory::{Place, Remote};
use crate::arch;
use crate::ir::{Alu, Op, Ty, Value, Width};
use rbtrace_lang::Span;
use rbtrace_lang::context::{Location, Memory, Register};
use rbtrace_lang::hir::{AttachPoint, Expr};
use rbtrace_lang::target::Target;
use rbtrace_lang::types::{Type, U64};

impl Lower<'_, '_> {
    /// The number at a location: the address of the context or of a field's data, or what lies there.
    pub(super) fn at(&mut self, location: Location, e: &Expr) -> Lowered<Value> {
        let location = self.locate(location);
        if let Some(value) = self.known(location) {
            return Ok(self.normalize(value, &e.ty));
        }
        match location {
            Location::Context => {
                // Who has the address may read them all.
                self.all_registers = true;
                self.ctx(e.span)
            }
            Location::Field(offset) => {
                let place = self.record(e.span)?.at(offset);
                self.load_scalar(&place, &e.ty)
            }
            Location::DataLoc(offset) => self.data_loc(offset, e.span),
            Location::Word(offset) => self.ctx_word(offset, &e.ty, e.span),
            Location::Pointer(offset) => {
                let copy = Place::slot(self.slot(8));
                let word = self.record(e.span)?.at(offset);
                self.read_certain(&copy, 8, &word);
                self.load_scalar(&copy, &e.ty)
            }
            Location::Register(register) => self.register(register, &e.ty, e.span),
            // The checker reads the words by themselves.
            Location::Pair(low, _) => self.register(low, &e.ty, e.span),
            Location::Constant(value) => Ok(self.f.b.iconst(value as i64)),
            Location::Memory(memory) => {
                let address = self.operand_address(memory, e.span)?;
                self.load_scalar(&Place::remote(address, Remote::User), &e.ty)
            }
        }
    }

    /// Where the operand of an instruction lies in the traced process.
    fn operand_address(&mut self, memory: Memory, span: Span) -> Lowered<Value> {
        let mut word = |offset| self.register(Register::At { offset, size: 8 }, &U64, span);
        let base = memory.base.map(&mut word).transpose()?;
        let index = memory.index.map(|(offset, scale)| Ok((word(offset)?, scale))).transpose()?;
        let mut address = self.f.b.iconst(memory.offset);
        if let Some(base) = base {
            address = self.f.b.alu(Alu::Add, address, base);
        }
        if let Some((index, scale)) = index {
            let distance = self.imm(Alu::Shl, index, i64::from(scale.trailing_zeros()));
            address = self.f.b.alu(Alu::Add, address, distance);
        }
        Ok(if memory.narrow { self.f.b.ins(Op::Zext(Width::B4, address), Ty::I64) } else { address })
    }

    /// The place of a field of the record; `None` for what lies nowhere in memory.
    pub(super) fn field_place(&mut self, location: Location) -> Lowered<Option<Place>> {
        let span = self.f.b.span();
        let Location::Field(offset) = self.locate(location) else { return Ok(None) };
        Ok(Some(self.record(span)?.at(offset)))
    }

    fn record(&mut self, span: Span) -> Lowered<Place> {
        Ok(Place::ptr(self.ctx(span)?))
    }

    /// Eight bytes of the context, cut to the value's type.
    pub(super) fn ctx_word(&mut self, offset: u32, ty: &Type, span: Span) -> Lowered<Value> {
        let ctx = self.ctx(span)?;
        let word = self.f.b.load(Width::B8, false, ctx, offset as i32);
        Ok(if ty.size() < 8 { self.normalize(word, ty) } else { word })
    }

    pub(super) fn register(&mut self, register: Register, ty: &Type, span: Span) -> Lowered<Value> {
        let (offset, size) = match register {
            Register::Arg(n) => match arch::CURRENT.args.get(usize::from(n)) {
                Some(&offset) => (offset, 8),
                None => {
                    let last = arch::CURRENT.args.len() - 1;
                    return self.unsupported(span, format!("Only arg0 to arg{last} are passed in registers"));
                }
            },
            Register::Return => (arch::CURRENT.ret, 8),
            Register::At { offset, size } => {
                self.all_registers |= !self.always_has(offset & !7);
                (offset, size)
            }
        };
        match self.registers.clone() {
            Registers::InContext => self.context_register(offset, size, ty, span),
            Registers::Behind(Some((place, low))) if offset >= low => {
                self.load_scalar(&place.at(offset - low), ty)
            }
            Registers::Behind(_) => {
                let place = self.read_registers(offset, offset + 8, span)?;
                let word = self.load_scalar(&place, &U64)?;
                Ok(self.normalize(word, ty))
            }
        }
    }

    fn context_register(&mut self, offset: u32, size: u8, ty: &Type, span: Span) -> Lowered<Value> {
        let word = self.ctx_word(offset & !7, &U64, span)?;
        let shift = i64::from(offset % 8) * 8;
        let word = if shift > 0 { self.imm(Alu::LShr, word, shift) } else { word };
        Ok(if size < 8 || ty.size() < 8 { self.normalize(word, ty) } else { word })
    }

    /// A copy of the registers from `low` to `end`, whose address is the first word of the context.
    pub(super) fn read_registers(&mut self, low: u32, end: u32, span: Span) -> Lowered<Place> {
        let place = Place::slot(self.slot(end - low));
        let registers = self.ctx_word(0, &U64, span)?;
        self.read_certain(&place, end - low, &Place::remote(registers, Remote::Kernel).at(low));
        Ok(place)
    }

    /// Does a kprobe-multi link hand on this register as a kprobe does? Since Linux 6.14 it saves what a function's
    /// call or its return needs (`ftrace_regs`, arch/x86/kernel/ftrace_64.S), and its instruction pointer is that of
    /// the hook.
    fn always_has(&self, offset: u32) -> bool {
        let of_return = |a: &&AttachPoint| matches!(a.target, Target::Kprobe { ret: true, .. });
        match self.plan.attach.iter().any(of_return) {
            true => offset == arch::CURRENT.ret,
            false => offset == arch::CURRENT.sp || arch::CURRENT.args.contains(&offset),
        }
    }

    pub(super) fn instruction_pointer(&mut self, span: Span) -> Lowered<Value> {
        let ip = Register::At { offset: arch::CURRENT.ip, size: 8 };
        self.register(ip, &U64, span)
    }

    /// Address of the data that a `__data_loc` member describes: record + low 16 bits.
    fn data_loc(&mut self, offset: u32, span: Span) -> Lowered<Value> {
        let ctx = self.ctx(span)?;
        let place = Place::ptr(ctx).at(offset);
        let word = self.load_scalar(&place, &Type::int(4, false))?;
        let low = self.f.b.ins(Op::Zext(Width::B2, word), Ty::I64);
        Ok(self.f.b.ins(Op::Alu(Alu::Add, ctx, low), Ty::I64))
    }
}

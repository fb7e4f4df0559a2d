//! Functions of which their arguments say all ([`Function`]).

use super::frame::Lower;
use super::memory::{Base, Fill, Place};
use super::{Lowered, debug};
use crate::helpers;
use crate::ir::{Alu, Block, Cond, Helper, Op, Space, Ty, Value, Width};
use crate::layout::TEXT_SPARE;
use crate::object::{Fault, ProgramType};
use rbtrace_lang::context::Location;
use rbtrace_lang::hir::{Expr, ExprKind, Function};
use rbtrace_lang::types::{Type, U64};
use rbtrace_lang::{Diagnostic, Span};

impl Lower<'_, '_> {
    /// Calls a function that gives a number, or nothing.
    pub(super) fn function_number(
        &mut self,
        function: &Function,
        args: &[Expr],
        span: Span,
    ) -> Lowered<Value> {
        match (function, args) {
            (Function::StrStr, [text, part]) => self.strstr(text, part),
            (Function::Memcmp, [a, b, count]) => self.memcmp(a, b, count),
            (Function::SignalThread, [signal]) => {
                self.needs(helpers::SEND_SIGNAL_THREAD, "bpf_send_signal_thread", span)?;
                let number = self.scalar(signal)?;
                let result = self.call(helpers::SEND_SIGNAL_THREAD, &[number]);
                self.fault_if(Cond::Ne, result, 0, Fault::HelperFailed("send_signal_thread"));
                Ok(self.f.b.iconst(0))
            }
            (Function::WriteUser, [to, value, count]) => self.write_user(to, value, count, span),
            (Function::Debug(pieces), args) => debug::print(self, pieces, args, span),
            (Function::SocketCookie, [sock]) => self.socket_cookie(sock),
            _ => self.unsupported(span, "internal: this function gives no number"),
        }
    }

    /// Calls a function that gives a text.
    pub(super) fn function_text(&mut self, function: &Function, args: &[Expr], e: &Expr) -> Lowered<Place> {
        match (function, args) {
            (Function::StrConcat, [a, b]) => self.str_concat(a, b, &e.ty),
            (Function::Path, [path]) => self.path(path, &e.ty, e.span),
            _ => self.unsupported(e.span, "internal: this function gives no text"),
        }
    }

    /// An error where a program of this type may not call a helper on this kernel.
    fn needs(&mut self, helper: Helper, name: &str, span: Span) -> Lowered<()> {
        if self.can_call(helper) {
            return Ok(());
        }
        let since =
            helper.info().map_or_else(String::new, |i| format!(" ({}.{} or newer)", i.since.0, i.since.1));
        let error = Diagnostic::error(span, format!("This kernel does not let the probe call {name}{since}"));
        let locked =
            "a kernel that is locked down (/sys/kernel/security/lockdown) lets no program write to processes";
        Err(if helper == helpers::PROBE_WRITE_USER { error.hint(locked) } else { error })
    }

    /// `strstr(text, part)`: where it begins, or -1.
    fn strstr(&mut self, text: &Expr, part: &Expr) -> Lowered<Value> {
        let (found, missing, end) =
            (self.f.b.create_block(), self.f.b.create_block(), self.f.b.create_block());
        let at = self.f.b.declare_var(Ty::I64);
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(at, zero);
        self.str_contains(text, part, found, missing, Some(at))?;
        self.f.b.start(missing);
        let none = self.f.b.iconst(-1);
        self.f.b.def_var(at, none);
        self.f.b.jump(end, &[]);
        self.f.b.start(found);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(self.f.b.use_var(at))
    }

    /// `memcmp(a, b, count)`: the difference of the first two bytes that differ, both with their sign.
    fn memcmp(&mut self, a: &Expr, b: &Expr, count: &Expr) -> Lowered<Value> {
        let most = a.ty.size().min(b.ty.size());
        let limit = match count.kind {
            ExprKind::Const(_) => None,
            _ => Some(self.scalar(count)?),
        };
        let rounds = match count.kind {
            ExprKind::Const(n) => n.min(u64::from(most)) as u32,
            _ => most,
        };
        let (a, b) = (self.own_copy(a)?, self.own_copy(b)?);
        let (result, end) = (self.f.b.declare_var(Ty::I64), self.f.b.create_block());
        let zero = self.f.b.iconst(0);
        self.f.b.def_var(result, zero);
        let char = Type::int(1, true);
        self.counted(rounds, end, |lower, index, next| {
            if let Some(limit) = limit {
                let within = lower.f.b.create_block();
                lower.f.b.branch(Cond::UGe, index, limit, end, within);
                lower.f.b.start(within);
            }
            let (x, y) = (lower.displaced(&a, index, 1)?, lower.displaced(&b, index, 1)?);
            let (x, y) = (lower.load_scalar(&x, &char)?, lower.load_scalar(&y, &char)?);
            let differ = lower.f.b.create_block();
            lower.f.b.branch(Cond::Ne, x, y, differ, next);
            lower.f.b.start(differ);
            let difference = lower.f.b.alu(Alu::Sub, x, y);
            lower.f.b.def_var(result, difference);
            lower.f.b.jump(end, &[]);
            Ok(())
        })?;
        self.f.b.start(end);
        Ok(self.f.b.use_var(result))
    }

    /// A value in a slot, zeros behind its texts.
    fn own_copy(&mut self, e: &Expr) -> Lowered<Place> {
        let place = Place::slot(self.slot_for(&e.ty)).padded();
        self.store_as(e, &e.ty, &place, Fill::Padded)?;
        Ok(place)
    }

    /// `str_concat(a, b)`: the second text begins where the first one ends.
    fn str_concat(&mut self, a: &Expr, b: &Expr, ty: &Type) -> Lowered<Place> {
        let (Type::Str(first), Type::Str(second)) = (&a.ty, &b.ty) else {
            return self.unsupported(a.span, "str_concat() takes texts");
        };
        let (first, second) = (*first, *second);
        let slot = self.slot(ty.size() + second + TEXT_SPARE);
        // At an unknown offset the stack is no place to write to, in older kernels.
        self.f.b.keep_off_stack(slot);
        let whole = Place::slot(slot).padded();
        self.zero(&whole, ty.size() + second + TEXT_SPARE);
        let read = {
            let from = self.own_copy(a)?;
            self.copy_str(&whole, first + TEXT_SPARE, &from)
        };
        let one = self.f.b.iconst(1);
        let read = self.select(Cond::SGe, read, one, read, one);
        let len = self.imm(Alu::Sub, read, 1);
        let most = self.f.b.iconst(i64::from(first));
        let len = self.select(Cond::ULe, len, most, len, most);
        let from = self.own_copy(b)?;
        let behind = self.displaced(&whole, len, 1)?;
        self.copy_str(&behind, second + TEXT_SPARE, &from);
        Ok(whole)
    }

    /// `write_user(address, value, count)`: did it work?
    fn write_user(&mut self, to: &Expr, value: &Expr, count: &Expr, span: Span) -> Lowered<Value> {
        self.needs(helpers::PROBE_WRITE_USER, "bpf_probe_write_user", span)?;
        let (place, room) = match &value.ty {
            Type::Ptr { to, .. } => (self.target(value)?, to.size()),
            ty => (self.place(value)?, ty.size()),
        };
        let room = match count.kind {
            // How much memory a pointer points to is not known; constant bytes are followed by zeros.
            ExprKind::Const(n) if matches!(place.base, Base::Remote(..) | Base::Bytes(_)) => n as u32,
            ExprKind::Const(n) => (n as u32).min(room),
            _ => room,
        };
        let slot = self.slot(room.max(1));
        self.copy_bytes(&place, &Place::slot(slot), room);
        let size = match count.kind {
            ExprKind::Const(_) => self.f.b.iconst(i64::from(room)),
            _ => self.capped(count, room)?,
        };
        let address = self.scalar(to)?;
        let address = self.as_number(address);
        let from = self.slot_addr(slot);
        let result = self.call(helpers::PROBE_WRITE_USER, &[address, from, size]);
        let zero = self.f.b.iconst(0);
        Ok(self.compare(Cond::Eq, result, zero))
    }

    /// `socket_cookie(sock)`. In programs that are bound to a function the kernel makes a cookie if the socket has none
    /// yet; other programs read the one that it has.
    fn socket_cookie(&mut self, sock: &Expr) -> Lowered<Value> {
        if let Some(Bound { hops, offset: 0 }) = bound_object(sock)
            && let [word] = hops[..]
            && self.plan.load.ty == ProgramType::Tracing
        {
            let object = self.ctx_word(word, &U64, sock.span)?;
            return Ok(self.call(helpers::GET_SOCKET_COOKIE, &[object]));
        }
        self.unsupported(
            sock.span,
            "socket_cookie() takes an argument of the function here: socket_cookie(args.sk)",
        )
    }

    /// `path(path)`; empty where there is none.
    fn path(&mut self, path: &Expr, ty: &Type, span: Span) -> Lowered<Place> {
        let Some(bound) = bound_object(path).filter(|_| self.plan.load.ty == ProgramType::Tracing) else {
            return self.unsupported(
                span,
                "path() takes a path that lies in an argument of the function or in ctx: path(args.file.f_path), path(args.path), path(ctx.file.f_path)",
            );
        };
        let place = Place::slot(self.slot(ty.size() + TEXT_SPARE)).padded();
        self.zero(&place, ty.size() + TEXT_SPARE);
        let end = self.f.b.create_block();
        let object = self.follow_pointers(&bound, end, span)?;
        let (to, size) = (self.address(&place), self.f.b.iconst(i64::from(ty.size())));
        // Where it has no room for the whole path the end of it stands there.
        self.call(helpers::D_PATH, &[object, to, size]);
        self.f.b.jump(end, &[]);
        self.f.b.start(end);
        Ok(place)
    }

    /// Where an object lies, as a pointer that the verifier knows the type of; goes to `null` where a pointer on the way
    /// to it leads nowhere.
    fn follow_pointers(&mut self, bound: &Bound, null: Block, span: Span) -> Lowered<Value> {
        let mut object = self.ctx(span)?;
        for offset in &bound.hops {
            let load = Op::Load { width: Width::B8, signed: false, ptr: object, offset: *offset as i32 };
            object = self.f.b.ins(load, Ty::Ptr(Space::Btf));
            let found = self.f.b.create_block();
            self.branch_null(object, null, found);
            self.f.b.start(found);
        }
        Ok(self.f.b.offset(object, i64::from(bound.offset)))
    }
}

/// How to get to an object of the kernel with nothing but loads that the verifier can follow.
struct Bound {
    /// Where the pointers lie: the first in the program's context, each further one in what the one before points to.
    hops: Vec<u32>,
    /// The object itself, in what the last one points to.
    offset: u32,
}

/// How to get to what an expression stands for, or points to.
fn bound_object(e: &Expr) -> Option<Bound> {
    match &e.kind {
        ExprKind::At(Location::Pointer(word) | Location::Word(word)) => {
            Some(Bound { hops: vec![*word], offset: 0 })
        }
        ExprKind::At(Location::Context) => Some(Bound { hops: vec![], offset: 0 }),
        ExprKind::Convert(inner) | ExprKind::Reinterpret(inner) => bound_object(inner),
        ExprKind::Deref(pointer) => bound_object(pointer),
        ExprKind::Field { base, offset, bits: None } => {
            let mut bound = bound_object(base)?;
            bound.offset += offset;
            if matches!(e.ty, Type::Ptr { .. }) {
                bound.hops.push(std::mem::take(&mut bound.offset));
            }
            Some(bound)
        }
        _ => None,
    }
}

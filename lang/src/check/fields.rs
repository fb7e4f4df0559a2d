//! Members of structs, records and `args`; dereferencing.

use super::convert::convert;
use super::literal::int_literal;
use super::memory::Member;
use super::suggest::did_you_mean;
use super::{Checker, Typed};
use crate::Span;
use crate::ast::{self, BinOp, Name, TypeOrExpr};
use crate::context::{Args, Argument, Holds, Location, Memory, Register};
use crate::hir::{Expr, ExprKind};
use crate::types::{AddrSpace, StructType, Type, U64};
use std::rc::Rc;

impl Checker<'_> {
    /// `base.name`; of a pointer, what it points to.
    pub(crate) fn field(&mut self, base: &ast::Expr, name: &Name, span: Span) -> Typed {
        if matches!(&base.kind, ast::ExprKind::Ident(word) if &**word == "args")
            && self.user_constant("args").is_none()
        {
            return self.args_field(name, span, base.span);
        }
        let base = self.expr(base)?;
        self.field_of(base, name, span)
    }

    /// The member of a value that is typed.
    pub(crate) fn field_of(&mut self, base: Expr, name: &Name, span: Span) -> Typed {
        match base.ty.clone() {
            Type::Ptr { to, .. } if matches!(*to, Type::Struct(_) | Type::Tuple(_) | Type::Ptr { .. }) => {
                let place = self.deref(base, span)?;
                self.field_of(place, name, span)
            }
            Type::Struct(s) => self.struct_field(base, &s, name, span),
            Type::Tuple(t) => {
                let Some(at) = t.fields.iter().position(|(n, _)| n.as_deref() == Some(&*name.text)) else {
                    let hint = did_you_mean(&name.text, t.fields.iter().filter_map(|(n, _)| n.clone()));
                    return self.error_hint(span, format!("this record has no field '{}'", name.text), hint);
                };
                self.tuple_field(base, at as i128, span)
            }
            ty => {
                let hint = match ty {
                    Type::Int { .. } => Some(format!("cast it first: ((struct NAME *)x).{}", name.text)),
                    _ => None,
                };
                self.error_hint(span, format!("'{ty}' has no fields, so no '{}'", name.text), hint)
            }
        }
    }

    fn struct_field(&mut self, base: Expr, s: &Rc<StructType>, name: &Name, span: Span) -> Typed {
        let Some(found) = self.member(s, &name.text, span)? else {
            return self.no_such_field(s, &name.text, span);
        };
        let space = space_of(&base).unwrap_or_else(|| self.space());
        Some(self.member_of(base, &found, space, span))
    }

    fn no_such_field(&mut self, s: &Rc<StructType>, name: &str, span: Span) -> Typed {
        let names = self.member_names(s, span);
        let hint = did_you_mean(name, names.iter().map(|n| &**n));
        let ty = Type::Struct(Rc::clone(s));
        self.error_hint(span, format!("'{ty}' has no field '{name}'"), hint)
    }

    fn member_of(&mut self, base: Expr, found: &Member, space: AddrSpace, span: Span) -> Expr {
        // A record's pointers know where they point; those of other structs point where the struct lies.
        let ty = self.resolved(&found.ty);
        if found.data_loc {
            let ty = Type::ptr(element(ty), AddrSpace::Kernel);
            return Expr { kind: ExprKind::At(Location::DataLoc(found.offset)), ty, span };
        }
        let ty = if space == AddrSpace::Ctx { ty } else { ty.in_space(space) };
        let kind = ExprKind::Field { base: Box::new(base), offset: found.offset, bits: found.bits };
        Expr { kind, ty, span }
    }

    /// `*x`: the place that a pointer points to.
    pub(crate) fn deref(&mut self, e: Expr, span: Span) -> Typed {
        let e = match &e.ty {
            Type::Ptr { to, .. } if **to == Type::Void => {
                let ty = e.ty.clone();
                return self.error_hint(
                    span,
                    format!("'*' cannot read from '{ty}': what it points to is not known"),
                    Some("cast it first: *(uint64 *)x".into()),
                );
            }
            Type::Ptr { .. } => e,
            // An integer is an address of 8 bytes.
            Type::Int { .. } => self.as_pointer(e, U64),
            ty => {
                let message = format!("'*' reads where a pointer points: '{ty}' is not one");
                return self.error(span, message);
            }
        };
        let Type::Ptr { to, .. } = &e.ty else { return None };
        let ty = self.resolved(to);
        if let Type::Struct(s) = &ty
            && s.size == 0
            && self.fields_of(s, span)?.is_empty()
        {
            return self.error(span, format!("'{ty}' is only declared: its members are not known"));
        }
        Some(Expr { kind: ExprKind::Deref(Box::new(e)), ty, span })
    }

    /// `args.name`
    fn args_field(&mut self, name: &Name, span: Span, base: Span) -> Typed {
        let args = self.view.context.args.clone();
        if let Some(found) = args.list().iter().find(|a| a.name == name.text) {
            return self.argument(found, span);
        }
        match args {
            Args::Record(s, _) => self.no_such_field(&s, &name.text, span),
            Args::Values(list) => {
                let hint = did_you_mean(&name.text, list.iter().map(|a| &*a.name));
                self.error_hint(span, format!("the function has no parameter '{}'", name.text), hint)
            }
            Args::Unavailable(e) => self.error_hint(span, e.message, e.hint),
            Args::None => self.no_args(base),
        }
    }

    fn argument(&mut self, argument: &Argument, span: Span) -> Typed {
        match &argument.at {
            Ok(location) => self.at(*location, &argument.ty, span),
            Err(why) => self.error(span, format!("args.{} cannot be read: {why}", argument.name)),
        }
    }

    /// The value of this type at a place that the probe gives.
    pub(crate) fn at(&mut self, location: Location, ty: &Type, span: Span) -> Typed {
        let ty = self.resolved(ty);
        let value = |ty| Expr { kind: ExprKind::At(location), ty, span };
        match (location.holds(), location) {
            (Holds::Value, Location::Memory(memory)) if !super::casts::is_word(&ty) => {
                Some(in_memory(memory, ty, span))
            }
            (Holds::Value, _) => Some(value(ty)),
            (Holds::Data, _) => Some(value(Type::ptr(element(ty), AddrSpace::Kernel))),
            (Holds::Word, _) if super::casts::is_word(&ty) => Some(convert(value(U64), ty)),
            (Holds::Word, Location::Register(_)) if is_aggregate(&ty, 8) => {
                Some(in_words(&[location], ty, span))
            }
            (Holds::Parts, Location::Pair(low, high)) if is_aggregate(&ty, 16) => {
                Some(in_words(&[Location::Register(low), Location::Register(high)], ty, span))
            }
            (Holds::Word | Holds::Parts, _) => {
                self.error(span, format!("a parameter of type '{ty}' cannot be read"))
            }
        }
    }

    /// `args` by itself.
    pub(crate) fn args_whole(&mut self, span: Span) -> Typed {
        match self.view.context.args.clone() {
            Args::Record(s, _) => self.at(Location::Field(0), &Type::Struct(s), span),
            Args::Values(list) => {
                let fields: Vec<_> = list.iter().map(|a| self.argument(a, span)).collect();
                let fields = fields.into_iter().collect::<Option<Vec<_>>>()?;
                let types = list.iter().zip(&fields).map(|(a, e)| (Some(Rc::clone(&a.name)), e.ty.clone()));
                let ty = Type::Tuple(Rc::new(crate::types::TupleType { fields: types.collect() }));
                Some(Expr { kind: ExprKind::Tuple(fields), ty, span })
            }
            Args::Unavailable(e) => self.error_hint(span, e.message, e.hint),
            Args::None => self.no_args(span),
        }
    }

    fn no_args(&mut self, span: Span) -> Typed {
        let probes = rbtrace_stdlib::builtin("args").map_or(&[][..], |b| b.probes);
        self.not_here("args", probes, span)
    }

    /// `offsetof(struct x, a.b)`
    pub(crate) fn offset_of(&mut self, of: &TypeOrExpr, path: &[Name], span: Span) -> Typed {
        let mut ty = self.type_of(of)?;
        let mut offset = 0;
        for name in path {
            let Type::Struct(s) = &ty else {
                return self.error(name.span, format!("'{ty}' has no field '{}'", name.text));
            };
            let s = Rc::clone(s);
            let Some(found) = self.member(&s, &name.text, span)? else {
                let names = self.member_names(&s, span);
                let hint = did_you_mean(&name.text, names.iter().map(|n| &**n));
                return self.error_hint(span, format!("'{ty}' has no field '{}'", name.text), hint);
            };
            offset += found.offset;
            ty = found.ty;
        }
        Some(int_literal(i128::from(offset), span))
    }
}

/// Is it a struct or an array of at most so many bytes?
fn is_aggregate(ty: &Type, most: u32) -> bool {
    matches!(ty, Type::Struct(_) | Type::Array { .. }) && (1..=most).contains(&ty.size())
}

/// A value whose bytes are those of machine words.
fn in_words(words: &[Location], ty: Type, span: Span) -> Expr {
    let word = |at: &Location| Expr { kind: ExprKind::At(*at), ty: U64, span };
    let words: Vec<Expr> = words.iter().map(word).collect();
    let bytes = Type::tuple(words.iter().map(|_| U64));
    let bytes = Expr { kind: ExprKind::Tuple(words), ty: bytes, span };
    Expr { kind: ExprKind::Reinterpret(Box::new(bytes)), ty, span }
}

/// A value that is larger than a machine word, in the memory of the traced process.
fn in_memory(memory: Memory, ty: Type, span: Span) -> Expr {
    let register = |offset| {
        let at = Location::Register(Register::At { offset, size: 8 });
        Expr { kind: ExprKind::At(at), ty: U64, span }
    };
    let offset = Expr { kind: ExprKind::Const(memory.offset as u64), ty: U64, span };
    let address = match memory.base {
        Some(base) => {
            let kind = ExprKind::Binary(BinOp::Add, Box::new(register(base)), Box::new(offset));
            Expr { kind, ty: U64, span }
        }
        None => offset,
    };
    let address = convert(address, Type::ptr(ty.clone(), AddrSpace::User));
    Expr { kind: ExprKind::Deref(Box::new(address)), ty, span }
}

/// What an array is made of; other types as they are.
fn element(ty: Type) -> Type {
    match ty {
        Type::Array { elem, .. } => *elem,
        other => other,
    }
}

/// The address space that a place lies in, if it lies in memory.
pub(crate) fn space_of(e: &Expr) -> Option<AddrSpace> {
    match &e.kind {
        ExprKind::Deref(p) => match p.ty {
            Type::Ptr { space, .. } => Some(space),
            _ => None,
        },
        ExprKind::At(Location::Field(_)) => Some(AddrSpace::Ctx),
        ExprKind::Field { base, .. } | ExprKind::Index { base, .. } => space_of(base),
        _ => None,
    }
}

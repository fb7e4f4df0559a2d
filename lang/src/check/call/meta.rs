//! What is answered when the script is compiled.

use crate::ast;
use crate::check::config::Unstable;
use crate::check::literal::{self, boolean, const_value, constant, is_literal};
use crate::check::{Checker, Typed};
use crate::format::Piece;
use crate::hir::{Expr, ExprKind, Unary};
use crate::types::{TupleType, Type, U64};
use crate::{Severity, Span};

impl Checker<'_> {
    /// `is_str(x)` and its kin: the argument is not evaluated.
    pub(crate) fn question(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        if name == "is_scalar" {
            return self.is_scalar(&args[0], span);
        }
        if let ast::ExprKind::TypeArg(ty) = &args[0].kind {
            let ty = self.resolve_type(ty)?;
            return Some(boolean(is(name, &ty), span));
        }
        self.scopes.dead += 1;
        let typed = self.expr(&args[0]);
        self.scopes.dead -= 1;
        let e = typed?;
        if name == "is_literal" {
            let literal = is_literal(&e) || matches!(e.kind, ExprKind::Text(_) | ExprKind::Const(_));
            return Some(boolean(literal, span));
        }
        let ty = crate::check::convert::decay(e).ty;
        Some(boolean(is(name, &ty), span))
    }

    /// `is_scalar(@x)`: is it a map without keys? Uses in branches that hang on the answer do not count.
    fn is_scalar(&mut self, map: &ast::Expr, span: Span) -> Typed {
        let Some(id) = self.named_map(map) else {
            return self.error(map.span, "is_scalar() needs a map");
        };
        match self.is_keyed(id) {
            Some(keyed) => Some(boolean(!keyed, span)),
            None => self.unknown(span, || "nothing says yet whether this map has keys".to_owned()),
        }
    }

    /// `is_known(x)`: could `x` be compiled for this kernel? What is wrong with it is not reported.
    pub(crate) fn is_known(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let before = self.diags.len();
        self.scopes.dead += 1;
        let typed = self.expr(&args[0]);
        self.scopes.dead -= 1;
        let wrong = self.diags.split_off(before).iter().any(|d| d.severity == Severity::Error);
        // Without an error its type is only not known yet.
        if typed.is_none() && !wrong {
            return None;
        }
        Some(boolean(!wrong, span))
    }

    /// `comptime x`: a value that must be known now.
    pub(crate) fn comptime(&mut self, value: &ast::Expr, span: Span) -> Typed {
        let e = self.value(value)?;
        if let Some(holds) = folded(&e) {
            return Some(boolean(holds, span));
        }
        if !is_constant(&e) {
            return self
                .error(value.span, "comptime needs a value that is known when the script is compiled");
        }
        let known = match plain(&e) {
            Some(field) if matches!(e.kind, ExprKind::TupleField(..)) => field.clone(),
            _ => e,
        };
        Some(Expr { span, ..known })
    }

    /// `typeinfo(x)`: what is known of a type or of an expression's value, as a record.
    pub(crate) fn typeinfo(&mut self, of: &ast::TypeOrExpr, span: Span) -> Typed {
        self.allows(Unstable::TypeInfo, span)?;
        let ty = self.type_of(of)?;
        let key = if let Type::Struct(s) = &ty { s.key } else { 0 };
        let fields = [
            ("btf_id", constant(key & 0xffff_ffff, U64, span)),
            ("base_type", literal::text(base_name(&ty).as_bytes(), span)),
            ("full_type", literal::text(ty.to_string().as_bytes(), span)),
        ];
        let types = fields.iter().map(|(name, e)| (Some((*name).into()), e.ty.clone())).collect();
        let ty = Type::Tuple(TupleType { fields: types }.into());
        Some(Expr { kind: ExprKind::Tuple(fields.into_iter().map(|(_, e)| e).collect()), ty, span })
    }

    /// `kfunc_exist("name")`
    pub(crate) fn kfunc_exist(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let name = self.name_arg("kfunc_exist", args, 0)?;
        let found = self.system.kernel_function_proto(None, &name).is_ok_and(|f| f.function.is_some());
        Some(boolean(found, span))
    }

    /// `kfunc_allowed("name")`
    pub(crate) fn kfunc_allowed(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let name = self.name_arg("kfunc_allowed", args, 0)?;
        let answer = self.system.may_call(self.view.context.kind, &name);
        Some(boolean(self.ask(span, answer)?, span))
    }

    /// `fail(format, …)`: an error where it can be reached.
    pub(crate) fn fail(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (pieces, values) = self.format_args("fail", args, span)?;
        if self.scopes.dead > 0 {
            return Some(super::nothing(span));
        }
        let mut values = values.iter();
        let mut message = String::new();
        for piece in &*pieces {
            match piece {
                Piece::Text(t) => message.push_str(t),
                Piece::Conv(_) => match values.next().and_then(shown) {
                    Some(value) => message.push_str(&value),
                    None => {
                        return self
                            .error(span, "fail() can only show what is known when the script is compiled");
                    }
                },
            }
        }
        self.error(span, message)
    }

    pub(crate) fn static_assert(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let holds = self.value_arg("static_assert", args, 0)?;
        let message = self.name_arg("static_assert", args, 1)?;
        match const_value(&holds) {
            Some(0) => self.error(span, message),
            Some(_) => Some(super::nothing(span)),
            None => {
                self.error(args[0].span, "static_assert() needs a condition that is known when compiling")
            }
        }
    }
}

/// Is the whole value known?
fn is_constant(e: &Expr) -> bool {
    let Some(e) = plain(e) else { return false };
    match &e.kind {
        ExprKind::Text(_) => true,
        ExprKind::Tuple(fields) => fields.iter().all(is_constant),
        _ => const_value(e).is_some(),
    }
}

/// The value itself, without what widens it or takes it out of a tuple.
fn plain(e: &Expr) -> Option<&Expr> {
    match &e.kind {
        ExprKind::Widen(inner) => plain(inner),
        ExprKind::TupleField(tuple, n) => match &plain(tuple)?.kind {
            ExprKind::Tuple(fields) => plain(fields.get(*n as usize)?),
            _ => None,
        },
        _ => Some(e),
    }
}

/// What a question about constants comes to, comparisons of texts and records included.
fn folded(e: &Expr) -> Option<bool> {
    match &e.kind {
        ExprKind::CompareMemory { negate, left, right, limit: None } => Some(equal(left, right)? != *negate),
        ExprKind::Unary(Unary::Not, inner) => Some(!folded(inner)?),
        ExprKind::Logical { and, left, right } => match (folded(left)?, and) {
            (false, true) => Some(false),
            (true, false) => Some(true),
            _ => folded(right),
        },
        _ if e.ty == Type::Bool => Some(const_value(e)? != 0),
        _ => None,
    }
}

fn equal(a: &Expr, b: &Expr) -> Option<bool> {
    let (a, b) = (plain(a)?, plain(b)?);
    match (&a.kind, &b.kind) {
        (ExprKind::Text(a), ExprKind::Text(b)) => Some(a == b),
        (ExprKind::Tuple(a), ExprKind::Tuple(b)) if a.len() == b.len() => {
            let fields: Option<Vec<bool>> = a.iter().zip(b).map(|(a, b)| equal(a, b)).collect();
            Some(fields?.into_iter().all(|same| same))
        }
        _ => Some(const_value(a)? == const_value(b)?),
    }
}

/// The kind of a type, as `typeinfo` names it.
fn base_name(ty: &Type) -> &'static str {
    match ty {
        Type::Void => "void",
        Type::Bool => "bool",
        Type::Int { .. } | Type::Enum(_) => "int",
        Type::Float(_) => "none",
        Type::Str(_) => "string",
        Type::Buf(_) => "buffer",
        Type::Ptr { .. } => "pointer",
        Type::Struct(_) => "c_type",
        Type::Array { .. } => "array",
        Type::Tuple(t) if t.fields.iter().any(|(name, _)| name.is_some()) => "record",
        Type::Tuple(_) => "tuple",
        Type::KStack(_) => "kstack",
        Type::UStack(_) => "ustack",
        Type::Ksym => "ksym_t",
        Type::Usym => "usym_t",
        Type::Timestamp { .. } => "timestamp",
        Type::Inet => "inet",
        Type::Mac => "mac_address",
        Type::Username => "username",
        Type::CgroupPath(_) => "cgroup_path_t",
        Type::Strerror => "strerror_t",
        Type::SignalName => "signal_name_t",
        Type::SyscallName => "syscall_name_t",
        Type::ProbeName => "probe_t",
        Type::Agg(_) => "aggregation",
    }
}

/// A constant as text.
fn shown(e: &Expr) -> Option<String> {
    match &e.kind {
        ExprKind::Text(t) => Some(String::from_utf8_lossy(t).into_owned()),
        _ => const_value(e).map(|v| v.to_string()),
    }
}

fn is(name: &str, ty: &Type) -> bool {
    match name {
        "is_str" => matches!(ty, Type::Str(_)),
        "is_ptr" => matches!(ty, Type::Ptr { .. }),
        "is_array" => matches!(ty, Type::Array { .. }),
        "is_integer" => matches!(ty, Type::Int { .. }),
        "is_unsigned_integer" => matches!(ty, Type::Int { signed: false, .. }),
        _ => false,
    }
}

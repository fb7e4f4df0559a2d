//! Arguments: each is of the kind that the library's table gives its parameter.

use crate::ast;
use crate::check::convert::{convert, to_int};
use crate::check::literal::const_value;
use crate::check::{Checker, Typed};
use crate::hir::ExprKind;
use crate::types::{Type, U64};
use rbtrace_stdlib::{self as stdlib, Kind};
use std::rc::Rc;

impl Checker<'_> {
    /// Argument number `n` of a call.
    pub(crate) fn value_arg(&mut self, function: &str, args: &[ast::Expr], n: usize) -> Typed {
        let (e, param) = (args.get(n)?, stdlib::function(function)?.params.get(n)?);
        match param.kind {
            Kind::Int => self.int_value(e, &format!("{function}()")),
            Kind::ConstInt => self.constant_value(e, &format!("the {} of {function}()", param.name)),
            Kind::Text => self.text_value(e, function),
            Kind::Literal => self.literal_value(e, function),
            Kind::Address => self.address(e, function),
            Kind::Bool => self.condition(e),
            // The function decides.
            Kind::Any | Kind::Map | Kind::Word => self.expr(e),
        }
    }

    /// An argument that is a number known when the script is compiled.
    pub(crate) fn const_arg(&mut self, function: &str, args: &[ast::Expr], n: usize) -> Option<i128> {
        const_value(&self.value_arg(function, args, n)?)
    }

    /// The bytes of an argument that is a text literal.
    pub(crate) fn literal_arg(&mut self, function: &str, args: &[ast::Expr], n: usize) -> Option<Rc<[u8]>> {
        match self.value_arg(function, args, n)?.kind {
            ExprKind::Text(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The same as text; bytes that are not UTF-8 become the replacement character.
    pub(crate) fn name_arg(&mut self, function: &str, args: &[ast::Expr], n: usize) -> Option<String> {
        self.literal_arg(function, args, n).map(|b| String::from_utf8_lossy(&b).into_owned())
    }

    fn literal_value(&mut self, e: &ast::Expr, function: &str) -> Typed {
        let typed = match self.param_as_text(e) {
            Some(typed) => typed?,
            None => self.value(e)?,
        };
        match typed.kind {
            ExprKind::Text(_) => Some(typed),
            _ => self.error(e.span, format!("{function}() takes a text in quotes here, not {}", typed.ty)),
        }
    }

    /// `probe` counts as a text.
    fn text_value(&mut self, e: &ast::Expr, function: &str) -> Typed {
        if let Some(typed) = self.param_as_text(e) {
            return typed;
        }
        let typed = self.value(e)?;
        match typed.ty {
            Type::Str(_) => Some(typed),
            Type::ProbeName => self.probe_as_text_here(),
            ref ty => self.error(e.span, format!("{function}() takes a text, not {ty}")),
        }
    }

    /// An integer is an address without a type; that of a symbol is one, too.
    fn address(&mut self, e: &ast::Expr, function: &str) -> Typed {
        let typed = self.value(e)?;
        match &typed.ty {
            Type::Int { .. } => Some(to_int(typed, U64)),
            Type::Ksym => Some(convert(typed, U64)),
            Type::Ptr { .. } => Some(typed),
            ty => self.error(e.span, format!("{function}() takes an integer or a pointer, not {ty}")),
        }
    }
}

//! Bare words: builtins, constants, functions without arguments.

use super::literal::int_literal;
use super::suggest::did_you_mean;
use super::{Checker, Typed};
use crate::Span;
use crate::ast::Name;
use crate::hir::{Expr, ExprKind};
use crate::types::{EnumType, Type};
use rbtrace_stdlib as stdlib;
use std::rc::Rc;

impl Checker<'_> {
    /// A word: the script's own constants win, then builtins, the library's constants, the kernel's.
    pub(crate) fn ident(&mut self, name: &Rc<str>, span: Span) -> Typed {
        if let Some((value, ty)) = self.user_constant(name) {
            return Some(enum_constant(value, ty, span));
        }
        // bpftrace's own macros call builtins by a longer name.
        let plain: Rc<str> = name.strip_prefix("__builtin_").map_or_else(|| Rc::clone(name), Rc::from);
        if let Some(typed) = self.builtin(&plain, span) {
            return typed;
        }
        if stdlib::function(name).is_some() {
            return self.call(&Name { text: Rc::clone(name), span }, &[], span);
        }
        self.system_constant(name, span).or_else(|| self.unknown_word(name, span))
    }

    /// A constant of the script, of the library's table, of the machine or of the kernel's enums.
    pub(crate) fn constant(&mut self, name: &str, span: Span) -> Typed {
        let own = self.user_constant(name).map(|(value, ty)| enum_constant(value, ty, span));
        own.or_else(|| self.system_constant(name, span))
    }

    fn system_constant(&mut self, name: &str, span: Span) -> Typed {
        if let Some(value) = stdlib::constants::constant(name) {
            return Some(int_literal(i128::from(value), span));
        }
        if let Some(value) = self.system.machine_constant(name) {
            return Some(int_literal(i128::from(value), span));
        }
        self.system.enum_constant(name).map(|(value, ty)| enum_constant(value, ty, span))
    }

    fn unknown_word(&mut self, name: &str, span: Span) -> Typed {
        let known = stdlib::BUILTINS
            .iter()
            .map(|b| b.name)
            .chain(stdlib::supported_functions().map(|f| f.name))
            .chain(stdlib::constants::constant_names());
        let hint = did_you_mean(name, known);
        self.error_hint(span, format!("nothing here is called '{name}'"), hint)
    }
}

fn enum_constant(value: i64, ty: Rc<EnumType>, span: Span) -> Expr {
    Expr { kind: ExprKind::Const(value as u64), ty: Type::Enum(ty), span }
}

//! `kstack`, `ustack`.

use crate::Span;
use crate::ast::{self, ExprKind as Ast};
use crate::check::config::{Unstable, stack_mode};
use crate::check::{Checker, Typed};
use crate::hir::{Expr, ExprKind};
use crate::types::{StackMode, StackType, Type};

/// `kernel.perf_event_max_stack` by default (include/uapi/linux/perf_event.h, PERF_MAX_STACK_DEPTH).
pub(crate) const MAX_DEPTH: u16 = 127;

impl Checker<'_> {
    /// `kstack([mode], [limit])`, in this order or with the limit alone.
    pub(crate) fn stack_call(&mut self, name: &str, args: &[ast::Expr], span: Span) -> Typed {
        let mut stack = self.default_stack();
        let (mode, limit) = match args {
            [] => (None, None),
            [mode @ ast::Expr { kind: Ast::Ident(_), .. }, rest @ ..] => (Some(mode), rest.first()),
            [limit] => (None, Some(limit)),
            [first, ..] => {
                return self.error(first.span, "the mode stands first, then the limit");
            }
        };
        if let Some(mode) = mode {
            stack.mode = self.stack_mode(mode)?;
        }
        if let Some(limit) = limit {
            stack.depth = self.stack_depth(name, limit)?;
        }
        if stack.mode == StackMode::BuildId && name != "ustack" {
            if mode.is_some() {
                return self.error(span, format!("{name} has no build_id: that mode belongs to ustack"));
            }
            stack.mode = StackMode::Raw;
        }
        if name == "dw_ustack" {
            self.allows(Unstable::Unwinding, span)?;
            self.needs_target_process(span)?;
            stack.cfi = true;
        }
        Some(self.stack(name, stack, span))
    }

    /// The tables by which a stack is unwound are made for chosen processes only: they are large.
    fn needs_target_process(&mut self, span: Span) -> Option<()> {
        let options = self.options;
        if options.pid.is_some() || options.command.is_some() || !options.unwound.is_empty() {
            return Some(());
        }
        self.error_hint(
            span,
            "dw_ustack() works in a chosen process only, whose files it reads",
            Some("name it by -p PID, -c COMMAND or --dwarf-pid PID; ustack works in all of them".into()),
        )
    }

    /// A stack of a mode and depth.
    pub(crate) fn stack(&self, name: &str, stack: StackType, span: Span) -> Expr {
        let (kind, ty) = match name {
            "kstack" => (ExprKind::KStack(stack), Type::KStack(stack)),
            _ => (ExprKind::UStack(stack), Type::UStack(stack)),
        };
        Expr { kind, ty, span }
    }

    fn stack_mode(&mut self, word: &ast::Expr) -> Option<StackMode> {
        let Ast::Ident(name) = &word.kind else { return None };
        match stack_mode(name) {
            Some(mode) => Some(mode),
            None => self.error_hint(
                word.span,
                format!("there is no stack mode '{name}'"),
                Some("modes are bpftrace, perf, raw and, for ustack, build_id".into()),
            ),
        }
    }

    fn stack_depth(&mut self, name: &str, limit: &ast::Expr) -> Option<u16> {
        match self.const_int(limit, &format!("the limit of {name}()"))? {
            n if n < 1 || n > i128::from(MAX_DEPTH) => {
                self.error(limit.span, format!("{name}() takes 1 to {MAX_DEPTH} frames, not {n}"))
            }
            n => Some(n as u16),
        }
    }
}

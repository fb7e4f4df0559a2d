//! Scratch variables: scopes, declaration, inferred types.

use super::shape::{Conflict, Shape};
use super::{Checker, Phase};
use crate::hir::{Expr, ExprKind, Local, LocalId};
use crate::types::{I64, Type};
use crate::{Diagnostic, Span};
use std::collections::HashMap;
use std::rc::Rc;

/// What is known of a variable.
#[derive(Clone, Debug)]
pub(crate) struct Var {
    /// Its type so far.
    pub shape: Option<Shape>,
    /// The type of its declaration: it does not widen.
    pub declared: Option<Type>,
}

/// Variables by body, name and place of declaration: their numbers may differ from round to round.
pub(crate) type Vars = HashMap<(usize, Rc<str>, Span), Var>;

/// A variable of the body that is being walked.
struct Entry {
    name: Rc<str>,
    /// Where it was declared or first assigned.
    span: Span,
    /// The type of one that the checker made for itself.
    fixed: Option<Type>,
}

/// The open scopes of one body, and all of its variables.
#[derive(Default)]
pub(crate) struct Scopes {
    /// Number of the body.
    body: usize,
    /// All variables so far; [`LocalId`] indexes it.
    locals: Vec<Entry>,
    open: Vec<HashMap<Rc<str>, LocalId>>,
    /// Loops around the current statement, `unroll` among them.
    pub loops: u32,
    /// > 0 inside of an operand whose value is not used (`sizeof`) or a branch that is never taken.
    pub dead: u32,
}

impl Scopes {
    pub(crate) fn new(body: usize) -> Self {
        Scopes { body, ..Scopes::default() }
    }

    pub(crate) fn push(&mut self) {
        self.open.push(HashMap::new());
    }

    pub(crate) fn pop(&mut self) {
        self.open.pop();
    }

    fn find(&self, name: &str) -> Option<LocalId> {
        self.open.iter().rev().find_map(|scope| scope.get(name)).copied()
    }

    fn names(&self) -> Vec<String> {
        self.open.iter().flat_map(HashMap::keys).map(|name| format!("${name}")).collect()
    }

    fn add(&mut self, name: &Rc<str>, span: Span) -> LocalId {
        let id = LocalId(self.locals.len() as u32);
        self.locals.push(Entry { name: Rc::clone(name), span, fixed: None });
        if let Some(scope) = self.open.last_mut() {
            scope.insert(Rc::clone(name), id);
        }
        id
    }
}

impl Checker<'_> {
    /// The state of a variable.
    pub(crate) fn var(&mut self, id: LocalId) -> &mut Var {
        let entry = &self.scopes.locals[id.0 as usize];
        let key = (self.scopes.body, Rc::clone(&entry.name), entry.span);
        self.vars.entry(key).or_insert(Var { shape: None, declared: None })
    }

    /// The variable of this name that is in scope.
    pub(crate) fn lookup(&self, name: &str) -> Option<LocalId> {
        self.scopes.find(name)
    }

    /// Brings a variable into the innermost scope.
    pub(crate) fn introduce(&mut self, name: &Rc<str>, span: Span) -> LocalId {
        self.scopes.add(name, span)
    }

    /// A variable of the checker's own: no script can name it, and its type is settled.
    pub(crate) fn temporary(&mut self, name: &str, ty: Type, span: Span) -> LocalId {
        self.scopes.locals.push(Entry { name: name.into(), span, fixed: Some(ty) });
        LocalId(self.scopes.locals.len() as u32 - 1)
    }

    /// `let` of a name that is in scope already is an error.
    pub(crate) fn check_shadowing(&mut self, name: &str, span: Span) -> Option<()> {
        let Some(id) = self.scopes.find(name) else { return Some(()) };
        let first = self.scopes.locals[id.0 as usize].span;
        self.diags.push(
            Diagnostic::error(span, format!("there is a ${name} already: a second one would hide it"))
                .related(first, "the first one begins here"),
        );
        None
    }

    /// Reads a variable.
    pub(crate) fn read_var(&mut self, name: &str, span: Span) -> Option<Expr> {
        let Some(id) = self.lookup(name) else {
            let hint = super::suggest::did_you_mean(&format!("${name}"), self.scopes.names());
            return self.error_hint(span, format!("there is no variable ${name} here"), hint);
        };
        let ty = self.var_type(id)?;
        Some(Expr { kind: ExprKind::Local(id), ty, span })
    }

    /// The type of a variable so far. One that is declared and never assigned is the integer 0.
    pub(crate) fn var_type(&mut self, id: LocalId) -> Option<Type> {
        if let Some(shape) = &self.var(id).shape {
            return Some(shape.to_type());
        }
        // After an error the variable may have got its type from what is wrong.
        self.unknown = true;
        (self.phase == Phase::Report && !self.has_errors()).then_some(I64)
    }

    /// Widens a variable by what is assigned to it; gives its type.
    pub(crate) fn join_var(&mut self, id: LocalId, value: &Expr, span: Span) -> Option<Type> {
        let shape = Shape::of_expr(value);
        self.join_var_shape(id, &shape, &value.ty, span)
    }

    /// The same for a shape; `ty` is what the message names.
    pub(crate) fn join_var_shape(
        &mut self,
        id: LocalId,
        shape: &Shape,
        ty: &Type,
        span: Span,
    ) -> Option<Type> {
        let var = self.var(id);
        let Some(old) = var.shape.clone() else {
            var.shape = Some(shape.clone());
            self.changed = true;
            return Some(shape.to_type());
        };
        let mut new = old.clone();
        match new.join(shape) {
            Ok(()) => {
                if new != old {
                    self.var(id).shape = Some(new.clone());
                    self.changed = true;
                }
                Some(new.to_type())
            }
            Err(Conflict::ProbeText) => self.probe_as_text(),
            Err(Conflict::Types) => self.var_mismatch(id, ty, &old.to_type(), span),
        }
    }

    /// The error that a value does not go into a variable.
    pub(crate) fn var_mismatch<T>(&mut self, id: LocalId, value: &Type, var: &Type, span: Span) -> Option<T> {
        let Entry { name, span: first, .. } = &self.scopes.locals[id.0 as usize];
        self.diags.push(
            Diagnostic::error(span, format!("${name} holds '{var}': '{value}' cannot be assigned to it"))
                .related(*first, format!("${name} is '{var}' since here")),
        );
        None
    }

    /// All variables of the body with their final types.
    pub(crate) fn finish_locals(&mut self) -> Vec<Local> {
        (0..self.scopes.locals.len())
            .map(|n| {
                let Entry { name, fixed, .. } = &self.scopes.locals[n];
                let (name, fixed) = (format!("${name}").into(), fixed.clone());
                let ty = fixed.unwrap_or_else(|| {
                    self.var(LocalId(n as u32)).shape.as_ref().map_or(I64, Shape::to_type)
                });
                Local { name, ty }
            })
            .collect()
    }
}

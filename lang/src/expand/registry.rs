//! All macros by name, and which of them a call means.

use crate::Diagnostic;
use crate::ast::{Expr, ExprKind, Macro, MacroParam, Name};
use std::collections::HashMap;

/// Macros by name, in the order of their definition.
pub(super) struct Registry<'a> {
    macros: HashMap<&'a str, Vec<&'a Macro>>,
}

/// Which macro a call means.
pub(super) enum Found<'a> {
    /// This one.
    Macro(&'a Macro),
    /// None of the macros with this name fits; this one is the nearest.
    Mismatch(&'a Macro),
    /// There is none with the name.
    Nothing,
}

impl<'a> Registry<'a> {
    /// Collects macros; reports those that are defined twice.
    pub(super) fn new(own: &'a [Macro], library: &'a [Macro], diags: &mut Vec<Diagnostic>) -> Self {
        let mut registry = Registry { macros: HashMap::new() };
        for m in own.iter().chain(library) {
            let list = registry.macros.entry(&m.name.text).or_default();
            let before = list.iter().find(|o| o.from_stdlib == m.from_stdlib && same_signature(o, m));
            if let Some(before) = before {
                let message =
                    format!("macro '{}' is already defined for parameters of these kinds", m.name.text);
                let note = "the first definition";
                diags.push(Diagnostic::error(m.name.span, message).related(before.name.span, note));
            } else if params_are_distinct(m, diags) {
                list.push(m);
            }
        }
        registry
    }

    /// The macro that a call means: the script's own before the library's; with `library_only` the
    /// script's own are ignored.
    pub(super) fn lookup(&self, name: &str, args: &[Expr], library_only: bool) -> Found<'a> {
        let Some(list) = self.macros.get(name) else { return Found::Nothing };
        let visible = || list.iter().filter(|m| m.from_stdlib || !library_only);
        let exact = |stdlib| visible().find(|m| m.from_stdlib == stdlib && distance(m, args) == 0);
        if let Some(m) = exact(false).or_else(|| exact(true)) {
            return Found::Macro(m);
        }
        // A macro that does not fit leaves its name to what the compiler knows by it.
        if rbtrace_stdlib::function(name).is_some() || rbtrace_stdlib::builtin(name).is_some() {
            return Found::Nothing;
        }
        visible().min_by_key(|m| distance(m, args)).map_or(Found::Nothing, |m| Found::Mismatch(m))
    }
}

/// A parameter's name.
pub(super) fn param_name(param: &MacroParam) -> &Name {
    match param {
        MacroParam::Var(n) | MacroParam::Map(n) | MacroParam::Expr(n) => n,
    }
}

/// Whether an argument is what a parameter wants.
pub(super) fn fits(param: &MacroParam, arg: &Expr) -> bool {
    match param {
        MacroParam::Var(_) => matches!(arg.kind, ExprKind::Var(_)),
        MacroParam::Map(_) => matches!(arg.kind, ExprKind::Map(_)),
        MacroParam::Expr(_) => true,
    }
}

/// How far a macro is from a call; a wrong number of arguments outweighs all else.
fn distance(m: &Macro, args: &[Expr]) -> usize {
    let misfits = m.params.iter().zip(args).filter(|(p, a)| !fits(p, a)).count();
    1024 * m.params.len().abs_diff(args.len()) + misfits
}

fn same_signature(a: &Macro, b: &Macro) -> bool {
    let same = |(p, q): (&MacroParam, &MacroParam)| std::mem::discriminant(p) == std::mem::discriminant(q);
    a.params.len() == b.params.len() && a.params.iter().zip(&b.params).all(same)
}

fn params_are_distinct(m: &Macro, diags: &mut Vec<Diagnostic>) -> bool {
    for (i, p) in m.params.iter().enumerate() {
        let sigil = match p {
            MacroParam::Var(_) => "$",
            MacroParam::Map(_) => "@",
            MacroParam::Expr(_) => "",
        };
        if m.params[..i].iter().any(|q| is_same(p, q)) {
            let name = param_name(p);
            let message = format!("macro '{}' has two parameters called {sigil}{}", m.name.text, name.text);
            diags.push(Diagnostic::error(name.span, message));
            return false;
        }
    }
    true
}

fn is_same(p: &MacroParam, q: &MacroParam) -> bool {
    std::mem::discriminant(p) == std::mem::discriminant(q) && param_name(p).text == param_name(q).text
}

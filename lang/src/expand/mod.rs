//! Macros and `#define` names, replaced by what they stand for.
//!
//! A call of a macro becomes a block: the macro's body with its parameters replaced and its own
//! variables renamed (`$x` becomes `$x@3`, which no script can write), so that body and caller cannot
//! touch each other's names by accident. Expressions are put in where the parameter stands, as often
//! as it stands there.

mod measure;
mod registry;
#[cfg(test)]
mod tests;
mod types;
mod walk;

use crate::ast::{CDefKind, Expr, Macro, Script};
use crate::{Diagnostic, Span};
use registry::Registry;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Most nodes that expansion may add. A macro that uses its argument twice doubles it with each level.
const MAX_NODES: usize = 200_000;

/// Deepest expression that expansion may build, as later passes walk it by recursion.
const MAX_DEPTH: usize = 1000;

/// Replaces all macro calls and `#define` names of a script; its own macros win over the library's.
///
/// The result has no macros left. It is whole when no diagnostic is an error.
pub fn expand(mut script: Script, library: &[Macro]) -> (Script, Vec<Diagnostic>) {
    let own = std::mem::take(&mut script.macros);
    let mut diags = vec![];
    let registry = Registry::new(&own, library, &mut diags);
    let defines = defines(&script);
    let mut expander = Expander {
        registry,
        defines,
        active_defines: vec![],
        stack: vec![],
        frame: None,
        expansions: 0,
        nodes: 0,
        diags,
    };
    for def in &mut script.c_defs {
        expander.c_def(def);
    }
    for probe in &mut script.probes {
        if let Some(e) = &mut probe.predicate {
            expander.expr(e);
        }
        expander.block(&mut probe.body);
    }
    (script, expander.diags)
}

/// What `#define` names stand for; a later line replaces an earlier one.
fn defines(script: &Script) -> HashMap<Rc<str>, Define> {
    let lines = script.c_defs.iter().filter_map(|d| match &d.kind {
        CDefKind::Define { name, text, value } => {
            let define = Define { text: text.clone(), value: value.clone(), span: d.span };
            Some((name.text.clone(), define))
        }
        _ => None,
    });
    lines.collect()
}

/// One `#define`.
struct Define {
    text: Rc<str>,
    value: Option<Expr>,
    span: Span,
}

/// What the parameters of the macro in hand stand for.
#[derive(Default)]
struct Frame {
    /// `$a` of the macro → variable of the caller.
    vars: HashMap<Rc<str>, Rc<str>>,
    /// `@a` of the macro → map of the caller.
    maps: HashMap<Rc<str>, Rc<str>>,
    /// `a` of the macro → expression of the caller, expanded.
    exprs: HashMap<Rc<str>, Expr>,
    /// Variables that the body declares or assigns.
    own: HashSet<Rc<str>>,
    /// Number of the expansion.
    number: u32,
}

struct Expander<'a> {
    registry: Registry<'a>,
    defines: HashMap<Rc<str>, Define>,
    /// `#define` names that are being replaced.
    active_defines: Vec<Rc<str>>,
    /// Macros that are being expanded.
    stack: Vec<&'a Macro>,
    /// Of the innermost macro; `None` in the script itself.
    frame: Option<Frame>,
    expansions: u32,
    nodes: usize,
    diags: Vec<Diagnostic>,
}

impl Expander<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.diags.push(Diagnostic::error(span, message));
    }

    /// Whether the code in hand is the library's: scripts' macros and `#define` do not reach into it.
    fn in_library(&self) -> bool {
        self.stack.last().is_some_and(|m| m.from_stdlib)
    }
}

//! The type checker: from the syntax tree to the typed program.
//!
//! One walk does both inference and building: it is repeated until no map's and no variable's type
//! widens any more, and the last round's program and messages are the answer.
//!
//! **Invariant**: an expression that could not be typed is `None` ("poison"); whoever gets it stays
//! silent, because either a message was given already or its type is only not known *yet*.

mod assign;
mod builtins;
mod call;
mod casts;
mod compare;
mod config;
mod convert;
mod expr;
mod fields;
mod ident;
mod index;
mod layout;
mod literal;
mod loops;
mod many;
mod maps;
mod memory;
mod only_pid;
mod ops;
mod params;
mod probes;
mod scope;
mod shape;
mod stmt;
pub(crate) mod suggest;
mod typename;
mod uses;

#[cfg(test)]
mod tests;

use crate::hir::{self, Program};
use crate::types::AddrSpace;
use crate::{Diagnostic, Options, Severity, Source, Span, System, ast};
use layout::CTypes;
use maps::Maps;
use probes::{Body, View};
use scope::Scopes;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// An expression, or `None` where it could not be typed.
pub(crate) type Typed = Option<hir::Expr>;

/// More rounds than this mean that a type never settles.
const MAX_ROUNDS: usize = 64;

/// What a round of inference does with types that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// They may become known by what comes later in the text.
    Infer,
    /// `@x++` and `@x += 1` of a map that nothing else assigns make it an integer.
    Seed,
    /// They are errors.
    Report,
}

/// State of the checker; the parts that outlive a round say so.
pub(crate) struct Checker<'a> {
    system: &'a dyn System,
    options: &'a Options,
    settings: config::Settings,
    /// Structs, enums, typedefs and `#define`s of the script. Outlives rounds.
    c: CTypes<'a>,
    /// Outlives rounds.
    maps: Maps,
    /// Variables by body and number. Outlives rounds.
    vars: scope::Vars,
    /// Blocks (by their number in the script) in which `probe` is a text. Outlives rounds.
    text_probes: HashSet<usize>,
    /// Blocks that use `probe`.
    probe_users: Vec<usize>,
    /// Messages of this round.
    diags: Vec<Diagnostic>,
    /// Something widened in this round.
    changed: bool,
    /// Something was not known in this round.
    unknown: bool,
    phase: Phase,
    /// Named parameters that the script asks for. Outlives rounds.
    named: Vec<params::NamedParam>,
    /// Number of the block and the body that is being walked.
    block: usize,
    view: Rc<View>,
    scopes: Scopes,
    /// The calls of macros whose bodies are being typed, outermost first.
    expanded: Vec<Span>,
}

/// Types a script. What could be typed comes with the messages; it is ready for code generation where none of them is
/// an error.
pub fn check(
    script: &ast::Script,
    sources: Vec<Source>,
    system: &dyn System,
    options: &Options,
) -> (Program, Vec<Diagnostic>) {
    let mut diags = vec![];
    let settings = config::read(script, options, &mut diags);
    let declared = script.map_decls.first();
    diags.extend(declared.and_then(|d| settings.refusal(config::Unstable::MapDeclarations, d.span)));
    let blocks = probes::resolve(script, system, options, &settings.config, &mut diags);
    let mut checker = Checker::new(script, system, options, settings, &mut diags);
    checker.probe_users = blocks.iter().filter(|b| b.uses_probe).map(|b| b.probe).collect();
    let probes = checker.infer(script, &blocks);
    diags.append(&mut checker.diags);
    checker.unused(&mut diags);
    diags.extend(checker.maps.misdeclared());
    diags.extend(checker.unexpected_params());
    let program = Program { sources, probes, maps: checker.maps.finish(), config: checker.settings.config };
    (program, sort_and_dedup(diags))
}

/// A body for several groups of attach points says the same thing for each: once is enough.
fn sort_and_dedup(diags: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = vec![];
    let mut there: HashMap<Option<Span>, Vec<usize>> = HashMap::new();
    for d in diags {
        let there = there.entry(d.span).or_default();
        if !there.iter().any(|n| out[*n] == d) {
            there.push(out.len());
            out.push(d);
        }
    }
    out.sort_by_key(|d| d.span.map_or((u16::MAX, 0), |s| (s.file, s.start)));
    out
}

impl<'a> Checker<'a> {
    fn new(
        script: &'a ast::Script,
        system: &'a dyn System,
        options: &'a Options,
        settings: config::Settings,
        diags: &mut Vec<Diagnostic>,
    ) -> Self {
        Checker {
            system,
            options,
            c: CTypes::new(script),
            maps: Maps::new(script, settings.config.max_map_keys, diags),
            settings,
            vars: scope::Vars::default(),
            text_probes: HashSet::new(),
            probe_users: vec![],
            named: vec![],
            block: 0,
            diags: vec![],
            changed: false,
            unknown: false,
            phase: Phase::Infer,
            view: Rc::new(View::outside()),
            scopes: Scopes::default(),
            expanded: vec![],
        }
    }

    /// Rounds until nothing changes.
    fn infer(&mut self, script: &ast::Script, blocks: &[probes::Block]) -> Vec<hir::Probe> {
        for _ in 0..MAX_ROUNDS {
            self.diags.clear();
            self.changed = false;
            self.unknown = false;
            let text_probes = self.text_probes.len();
            let probes = self.round(script, blocks);
            if self.text_probes.len() > text_probes {
                // The bodies are other ones now, with variables of their own.
                self.vars = scope::Vars::default();
                self.maps.forget_types();
                self.phase = Phase::Infer;
                continue;
            }
            if self.changed {
                continue;
            }
            match self.phase {
                _ if !self.unknown => return probes,
                Phase::Infer => self.phase = Phase::Seed,
                Phase::Seed => self.phase = Phase::Report,
                Phase::Report => {
                    self.report_circular_maps();
                    return probes;
                }
            }
        }
        let span = script.probes.first().map(|p| p.span).unwrap_or_default();
        self.error::<()>(span, "the types of this script's maps and variables never settle");
        vec![]
    }

    fn round(&mut self, script: &ast::Script, blocks: &[probes::Block]) -> Vec<hir::Probe> {
        let mut out = vec![];
        let mut body_number = 0;
        for block in blocks {
            let probe = &script.probes[block.probe];
            self.block = block.probe;
            for body in block.bodies(self.text_probes.contains(&block.probe)) {
                out.extend(self.probe_body(probe, &body, body_number));
                body_number += 1;
            }
        }
        out
    }

    fn probe_body(&mut self, probe: &ast::Probe, body: &Body, number: usize) -> Option<hir::Probe> {
        self.view = Rc::clone(&body.view);
        self.scopes = Scopes::new(number);
        self.scopes.push();
        let predicate = probe.predicate.as_ref().map(|p| self.condition(p));
        self.scopes.pop();
        let stmts = self.block(&probe.body);
        let mut typed = hir::Probe {
            attach: body.attach.clone(),
            space: body.view.context.space,
            predicate: match predicate {
                Some(p) => Some(p?),
                None => None,
            },
            body: stmts,
            locals: self.finish_locals(),
            span: probe.span,
        };
        if let Some(pid) = self.options.pid.filter(|_| body.view.context.any_process) {
            only_pid::restrict(&mut typed, pid);
        }
        Some(typed)
    }

    /// Warns of what was declared and never used.
    fn unused(&self, diags: &mut Vec<Diagnostic>) {
        for (name, span) in self.maps.unused() {
            diags.push(Diagnostic::warning(
                span,
                format!("Unused map: {name} is declared, but no probe uses it"),
            ));
        }
    }

    /// Gives an error; the value is poison.
    fn error<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.diags.push(Diagnostic::error(span, message));
        None
    }

    /// Gives an error that says what to do; the value is poison.
    fn error_hint<T>(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) -> Option<T> {
        let mut d = Diagnostic::error(span, message);
        d.hints.extend(hint);
        self.diags.push(d);
        None
    }

    /// An error where a feature of the language is forbidden.
    fn allows(&mut self, feature: config::Unstable, span: Span) -> Option<()> {
        let Some(refusal) = self.settings.refusal(feature, span) else { return Some(()) };
        self.diags.push(refusal);
        None
    }

    /// Was an error given in this round?
    fn has_errors(&self) -> bool {
        self.diags.iter().any(|d| d.severity == Severity::Error)
    }

    fn warn(&mut self, span: Span, message: impl Into<String>) {
        self.diags.push(Diagnostic::warning(span, message));
    }

    /// An answer of the system, or its error at this place.
    fn ask<T>(&mut self, span: Span, answer: crate::system::Answer<T>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(e) => self.error_hint(span, e.message, e.hint),
        }
    }

    /// Something is not known in this round. In the last one that is the error that `message` makes.
    fn unknown<T>(&mut self, span: Span, message: impl FnOnce() -> String) -> Option<T> {
        self.unknown = true;
        if self.phase == Phase::Report {
            self.diags.push(Diagnostic::error(span, message()));
        }
        None
    }

    /// The address space of plain integers used as pointers in this body.
    fn space(&self) -> AddrSpace {
        self.view.context.space
    }
}

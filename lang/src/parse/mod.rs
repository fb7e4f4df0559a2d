//! From text to the syntax tree.
//!
//! `layout` splits a source into items, the grammar (`grammar.pest`) parses each of them, and the
//! other files here build the tree from what it found. Errors of one item do not hide others.

mod constant;
mod declare;
mod dump;
mod error;
mod expr;
mod import;
#[cfg(test)]
mod import_tests;
mod include;
mod include_line;
mod item;
mod layout;
mod literal;
mod preprocess;
mod pretty;
mod scan;
mod stmt;
#[cfg(test)]
mod tests;
mod types;
mod valued;

use crate::ast::{AttachSpec, Block, ExprKind};
use crate::ast::{CDef, CDefKind, ConfigEntry, Expr, Macro, MacroParam, MapDecl, Name, Probe, Script};
use crate::{Diagnostic, Options, Source, Span};
use import::Imports;
use include::Included;
use item::{Item, ItemKind};
pub(crate) use literal::number;
use pest::Parser as _;
use pest::iterators::Pair;
use preprocess::Directive;
pub use pretty::pretty;
use std::num::NonZeroUsize;
use std::sync::Once;

/// The generated parser; its rules are documented in `grammar.pest`.
mod grammar {
    #![allow(missing_docs, reason = "generated; the grammar file documents the rules")]
    #[derive(pest_derive::Parser)]
    #[grammar = "grammar.pest"]
    pub(super) struct Grammar;
}
use grammar::{Grammar, Rule};

/// Most steps of the grammar for one item: far above what real scripts need, and the end of those that
/// no one could wait for.
const MAX_STEPS: usize = 100_000_000;

/// Most operators and branches around one value. The passes after this one walk the tree by recursion.
const MAX_DEPTH: usize = 500;

/// Parses a source; `file` is the number that its spans carry.
///
/// The script holds all items that could be parsed; it is whole when no diagnostic is an error. Of the headers
/// that it includes none is read.
pub fn parse(source: &Source, file: u16) -> (Script, Vec<Diagnostic>) {
    let (script, diags, _) = parse_parts(source, file, Included::default());
    (script, diags)
}

/// Parses the first of `sources` with what it includes and imports, which is appended to `sources`.
pub fn parse_with_headers(sources: &mut Vec<Source>, options: &Options) -> (Script, Vec<Diagnostic>) {
    let Some(source) = sources.first() else { return Default::default() };
    let (mut script, mut diags, headers) = parse_parts(source, 0, Included::new(options, sources.len()));
    let mut imports = Imports::new(&source.name, headers);
    imports.resolve(&mut script, &source.name);
    let headers = imports.headers;
    if !script.imports.is_empty() {
        diags.append(&mut imports.diags);
        script.c_defs.sort_by_cached_key(|d| headers.order(d.span));
        diags.sort_by_cached_key(|d| d.span.map(|s| headers.order(s)));
    }
    sources.extend(headers.sources);
    (script, diags)
}

fn parse_parts(source: &Source, file: u16, headers: Included) -> (Script, Vec<Diagnostic>, Included) {
    let layout = layout::split(source, file, headers);
    let mut script = Script::default();
    let mut diags = layout.diags;
    for directive in &layout.directives.found {
        directive_item(directive, &mut script, &mut diags);
    }
    for part in &layout.parts {
        for item in &part.items {
            let text = &part.text[item.start..item.end];
            let mut builder = Builder::new(part.file, item.start);
            builder.item(*item, text, &mut script);
            diags.append(&mut builder.diags);
        }
    }
    script.c_defs.sort_by_cached_key(|d| layout.headers.order(d.span));
    diags.sort_by_cached_key(|d| d.span.map(|s| layout.headers.order(s)));
    (script, diags, layout.headers)
}

fn limit_steps() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| pest::set_call_limit(NonZeroUsize::new(MAX_STEPS)));
}

/// A preprocessor line as a declaration.
fn directive_item(directive: &Directive, script: &mut Script, diags: &mut Vec<Diagnostic>) {
    let (kind, span) = match directive {
        Directive::Include(path, span) => (CDefKind::Include { path: path.as_str().into() }, *span),
        Directive::Define(d, span) => {
            let name = Name { text: d.name.as_str().into(), span: d.name_span };
            let place = d.body_span;
            let mut builder = Builder { c_mode: true, ..Builder::new(place.file, place.start as usize) };
            let mut value = match &d.params {
                Some(params) => builder.value(&bare_params(&d.body, params)),
                None => builder.value(&d.body),
            };
            if let Some(params) = &d.params {
                script.macros.extend(value.take().and_then(|body| function_like(&name, params, body, *span)));
            }
            diags.append(&mut builder.diags);
            (CDefKind::Define { name, text: d.body.as_str().into(), value }, *span)
        }
    };
    script.c_defs.push(CDef { kind, span });
}

/// The body of a function-like `#define` with `(x)` as ` x ` for each parameter: what stands for it is put in as
/// a whole, and `(x) * 2` would otherwise read as a cast.
fn bare_params(body: &str, params: &[Name]) -> String {
    let mut bare = body.to_owned();
    for param in params {
        let quoted = format!("({})", param.text);
        let calls = |at: usize| bare[..at].trim_end().ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let places: Vec<usize> =
            bare.match_indices(&quoted).map(|(at, _)| at).filter(|at| !calls(*at)).collect();
        for at in places {
            bare.replace_range(at..at + quoted.len(), &format!(" {} ", param.text));
        }
    }
    bare
}

/// `#define NAME(a, b) EXPRESSION` as a macro; `None` where its parameters hide a builtin.
fn function_like(name: &Name, params: &[Name], body: Expr, span: Span) -> Option<Macro> {
    if params.iter().any(|p| rbtrace_stdlib::builtin(&p.text).is_some()) {
        return None;
    }
    let params = params.iter().cloned().map(MacroParam::Expr).collect();
    let body = Block { stmts: vec![], span: body.span, value: Some(Box::new(body)) };
    Some(Macro { name: name.clone(), params, body, span, from_stdlib: false })
}

/// Builds tree nodes of one item.
struct Builder {
    /// The source's number.
    file: u16,
    /// Where the item's text begins in the source.
    base: u32,
    /// Errors so far.
    diags: Vec<Diagnostic>,
    /// In C declarations integer suffixes are C's.
    c_mode: bool,
    /// Operators around the current expression.
    depth: usize,
    /// Enums that are defined inside a struct: they are declarations of their own.
    inner_defs: Vec<CDef>,
}

impl Builder {
    fn new(file: u16, base: usize) -> Self {
        limit_steps();
        Builder { file, base: base as u32, diags: vec![], c_mode: false, depth: 0, inner_defs: vec![] }
    }

    /// A constant expression on its own, with C's literals; `None` if it is not one.
    fn constant(text: &str) -> Option<Expr> {
        let mut builder = Builder { c_mode: true, ..Builder::new(0, 0) };
        let value = builder.value(text)?;
        builder.diags.is_empty().then_some(value)
    }

    /// The text of a `#define` as an expression, if it is one.
    fn value(&mut self, text: &str) -> Option<Expr> {
        if !layout::is_shallow(text) {
            return None;
        }
        let pair = Grammar::parse(Rule::define_value, text).ok()?.next()?;
        pair.into_inner().find(|p| p.as_rule() == Rule::expr).map(|p| self.expr(p))
    }

    fn item(&mut self, item: Item, text: &str, script: &mut Script) {
        let rule = match item.kind {
            ItemKind::C => Rule::c_item,
            ItemKind::Config => Rule::config_item,
            ItemKind::Import => Rule::import_item,
            ItemKind::Map => Rule::map_item,
            ItemKind::Macro => Rule::macro_item,
            ItemKind::Probe => Rule::probe_item,
            ItemKind::Other => return,
            ItemKind::Function => {
                let span = self.place(0, 2);
                self.diags.push(
                    Diagnostic::error(span, "functions (fn) are not supported yet").hint("use a macro"),
                );
                return;
            }
        };
        if item.kind == ItemKind::C && is_forward(text) {
            return;
        }
        match Grammar::parse(rule, text) {
            Ok(mut pairs) => {
                if let Some(pair) = pairs.next() {
                    self.build(pair, script);
                }
            }
            Err(e) => self.diags.push(error::describe(&e, text, item, self)),
        }
    }

    fn build(&mut self, pair: Pair<Rule>, script: &mut Script) {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::c_item => {
                self.c_mode = true;
                let def = self.c_item(pair);
                script.c_defs.append(&mut self.inner_defs);
                script.c_defs.extend(def.map(|kind| CDef { kind, span }));
            }
            Rule::config_item => {
                let entries: Vec<_> = inner(pair, Rule::config_entry).collect();
                script.config.extend(entries.into_iter().filter_map(|p| self.config_entry(p)));
            }
            Rule::import_item => {
                if let Some(p) = inner(pair, Rule::string).next() {
                    let place = self.span(&p);
                    let path = self.string(p);
                    script.imports.push((String::from_utf8_lossy(&path).into(), place));
                }
            }
            Rule::map_item => script.map_decls.extend(self.map_decl(pair, span)),
            Rule::macro_item => script.macros.extend(self.macro_item(pair, span)),
            _ => script.probes.push(self.probe(pair, span)),
        }
    }

    fn config_entry(&mut self, pair: Pair<Rule>) -> Option<ConfigEntry> {
        let mut parts = pair.into_inner();
        let name = self.name(&parts.next()?);
        let value = parts.find(|p| p.as_rule() == Rule::config_value)?.into_inner().next()?;
        let span = self.span(&value);
        let value = match value.as_rule() {
            Rule::string => String::from_utf8_lossy(&self.string(value)).into(),
            Rule::int => self.integer(&value).to_string().into(),
            _ => value.as_str().into(),
        };
        Some(ConfigEntry { name, value, span })
    }

    fn map_decl(&mut self, pair: Pair<Rule>, span: Span) -> Option<MapDecl> {
        let mut decl = (None, None, None);
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::map_name => decl.0 = Some(self.name(&p)),
                Rule::ident => decl.1 = Some(self.name(&p)),
                Rule::int => decl.2 = Some(self.integer(&p)),
                _ => {}
            }
        }
        Some(MapDecl { name: decl.0?, kind: decl.1?, entries: decl.2?, span })
    }

    fn macro_item(&mut self, pair: Pair<Rule>, span: Span) -> Option<Macro> {
        let mut name = None;
        let mut params = vec![];
        let mut body = None;
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::ident => name = Some(self.name(&p)),
                Rule::macro_param => params.extend(self.macro_param(p)),
                Rule::block => body = Some(self.block(p, true)),
                _ => {}
            }
        }
        Some(Macro { name: name?, params, body: body?, span, from_stdlib: false })
    }

    fn macro_param(&mut self, pair: Pair<Rule>) -> Option<MacroParam> {
        let p = pair.into_inner().next()?;
        let name = self.name(&p);
        Some(match p.as_rule() {
            Rule::var => MacroParam::Var(name),
            Rule::map_name => MacroParam::Map(name),
            _ => {
                if rbtrace_stdlib::builtin(&name.text).is_some() {
                    let message =
                        format!("syntax: a parameter cannot be called '{}': that is a builtin", name.text);
                    self.error(name.span, message);
                }
                MacroParam::Expr(name)
            }
        })
    }

    fn probe(&mut self, pair: Pair<Rule>, span: Span) -> Probe {
        let mut probe = Probe { attach: vec![], predicate: None, body: Default::default(), span };
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::attach => probe.attach.push(self.attach(p)),
                Rule::predicate => probe.predicate = inner(p, Rule::expr).next().map(|e| self.expr(e)),
                Rule::block => probe.body = self.block(p, false),
                _ => {}
            }
        }
        probe
    }

    fn attach(&mut self, pair: Pair<Rule>) -> AttachSpec {
        let span = self.span(&pair);
        let mut spec = AttachSpec { label: None, text: "".into(), span };
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::label => spec.label = Some(self.name(&p)),
                _ => spec.text = p.as_str().into(),
            }
        }
        spec
    }

    /// A name with its sigil taken off.
    fn name(&self, pair: &Pair<Rule>) -> Name {
        Name { text: pair.as_str().trim_start_matches(['$', '@']).into(), span: self.span(pair) }
    }

    /// The place of a node. Rules may take the blanks behind them along; those are no part of it.
    fn span(&self, pair: &Pair<Rule>) -> Span {
        let (start, text) = (pair.as_span().start(), pair.as_str());
        self.place(start, start + text.trim_end().len())
    }

    fn place(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: self.base + start as u32, end: self.base + end as u32 }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.diags.push(Diagnostic::error(span, message));
    }

    /// What stands for an expression that has an error.
    fn nothing(span: Span) -> Expr {
        Expr { kind: ExprKind::Int(0), span }
    }
}

/// The children of one kind.
fn inner(pair: Pair<Rule>, rule: Rule) -> impl Iterator<Item = Pair<Rule>> {
    pair.into_inner().filter(move |p| p.as_rule() == rule)
}

/// `struct x;` says nothing that a script could use.
fn is_forward(text: &str) -> bool {
    let text = text.trim_end();
    !text.contains('{') && !text.starts_with("typedef") && text.ends_with(';')
}

//! What a body is attached to, as far as its typing depends on it.
//!
//! A block's attach points are put in groups for which every name of the body has one type: such a
//! group shares one program.

use super::Checker;
use super::many;
use super::uses::Uses;
use crate::attach::{self, Refusal};
use crate::context::{Args, Context, Ctx, Wants};
use crate::hir::{AttachPoint, Config, MissingProbes};
use crate::target::Target;
use crate::{Diagnostic, Options, Severity, System, ast, select};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What typing a body needs to know of its attach points.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub context: Context,
    /// `probe` is this text rather than a number.
    pub text: Option<Rc<str>>,
}

impl View {
    /// For expressions that stand in no probe: an array size of a struct.
    pub(crate) fn outside() -> View {
        View { context: Context::bare("none"), text: None }
    }
}

/// A group of attach points that share a program.
#[derive(Clone)]
pub(crate) struct Body {
    pub attach: Vec<AttachPoint>,
    pub view: Rc<View>,
}

/// A block of the script with its groups.
pub(crate) struct Block {
    /// Its number in the script.
    pub probe: usize,
    /// Does it use the `probe` builtin?
    pub uses_probe: bool,
    groups: Vec<Body>,
}

impl Block {
    /// The bodies to make of this block: one per group, or one per attach point where `probe` is used
    /// as a text.
    pub(crate) fn bodies(&self, text: bool) -> Vec<Body> {
        if !text {
            return self.groups.clone();
        }
        let one = |group: &Body, point: &AttachPoint| {
            let view = View { text: Some(Rc::clone(&point.name)), ..(*group.view).clone() };
            Body { attach: vec![point.clone()], view: Rc::new(view) }
        };
        self.groups.iter().flat_map(|g| g.attach.iter().map(move |p| one(g, p))).collect()
    }
}

/// Resolves all attach points of the script and groups them.
pub(crate) fn resolve(
    script: &ast::Script,
    system: &dyn System,
    options: &Options,
    config: &Config,
    diags: &mut Vec<Diagnostic>,
) -> Vec<Block> {
    let mut next = 0;
    let mut blocks = vec![];
    let (mut missing, mut left_out) = (false, false);
    let mut named: Vec<(Rc<str>, crate::Span)> = vec![];
    for (number, probe) in script.probes.iter().enumerate() {
        let mut points = vec![];
        for spec in &probe.attach {
            match attach::resolve(spec, system, options, &mut next) {
                Ok(found) => {
                    diags.extend(twice(&found, spec.span, &mut named));
                    points.extend(found);
                }
                Err(Refusal::Missing(_)) if !attach::is_wanted(spec, options) => left_out = true,
                Err(Refusal::Missing(d)) => {
                    missing = true;
                    diags.extend(as_configured(d, config.missing_probes));
                }
                Err(Refusal::Wrong(d)) => diags.push(d),
            }
        }
        if !points.is_empty() {
            let uses = Uses::of(probe);
            many::share(&mut points, &uses, wants(&uses), system);
            let groups = group(&uses, points, system);
            blocks.push(Block { probe: number, uses_probe: uses.probe, groups });
        }
    }
    let failed = diags.iter().any(|d| d.severity == Severity::Error);
    if blocks.is_empty() && !failed {
        diags.push(select::nothing_left(match (missing, left_out) {
            (true, _) => "none of the script's probes exists",
            (_, true) => "--probe-filter leaves none of the probes",
            _ => "the script has no probes",
        }));
    }
    check_limits(&blocks, config, diags);
    blocks
}

/// Blocks of `--test` and `--bench` are reported by their names, so each has one of its own.
fn twice(
    points: &[AttachPoint],
    span: crate::Span,
    named: &mut Vec<(Rc<str>, crate::Span)>,
) -> Option<Diagnostic> {
    let point = points.iter().find(|p| matches!(p.target, Target::Block { .. }))?;
    if let Some((_, first)) = named.iter().find(|(name, _)| *name == point.name) {
        let error = Diagnostic::error(span, format!("there are two blocks called {}", point.name));
        return Some(error.related(*first, "the first one"));
    }
    named.push((Rc::clone(&point.name), span));
    None
}

fn as_configured(d: Diagnostic, missing: MissingProbes) -> Option<Diagnostic> {
    match missing {
        MissingProbes::Error => Some(d),
        MissingProbes::Warn => Some(Diagnostic { severity: Severity::Warning, ..d }),
        MissingProbes::Ignore => None,
    }
}

fn check_limits(blocks: &[Block], config: &Config, diags: &mut Vec<Diagnostic>) {
    let mut limit =
        |count: usize, limit: u32, what: &str, variable: &str| {
            if count > limit as usize {
                let d = Diagnostic::error(
                    crate::Span::default(),
                    format!("the script needs {count} {what}: the limit is {limit}"),
                );
                diags.push(Diagnostic { span: None, ..d }.hint(format!(
                    "raise it with config {variable}; many probes slow the traced system down"
                )));
            }
        };
    // A probe may have several places.
    let points = blocks.iter().flat_map(|b| &b.groups).flat_map(|g| &g.attach).map(|p| p.id);
    let points = points.collect::<BTreeSet<_>>().len();
    limit(points, config.max_probes, "probes", "max_probes");
    limit(blocks.iter().map(|b| b.groups.len()).sum(), config.max_bpf_progs, "BPF programs", "max_bpf_progs");
}

fn group(uses: &Uses, points: Vec<AttachPoint>, system: &dyn System) -> Vec<Body> {
    let mut groups: Vec<Body> = vec![];
    for point in points {
        let view = view(&point, uses, system);
        match groups.iter_mut().find(|g| same_typing(&g.view.context, &view.context, uses)) {
            Some(g) => g.attach.push(point),
            None => groups.push(Body { attach: vec![point], view: Rc::new(view) }),
        }
    }
    groups
}

fn view(point: &AttachPoint, uses: &Uses, system: &dyn System) -> View {
    View { context: attach::context(point, wants(uses), system), text: None }
}

fn wants(uses: &Uses) -> Wants {
    Wants { args: !uses.no_args(), retval: uses.retval, numbered: !uses.numbered.is_empty() }
}

/// Has every name that the body uses the same type and place for both?
fn same_typing(a: &Context, b: &Context, uses: &Uses) -> bool {
    let same_retval = !uses.retval || a.retval == b.retval;
    let same_numbered = uses.numbered.iter().all(|&n| a.numbered.get(n) == b.numbered.get(n));
    let same_retval = same_retval && (!uses.matched || a.matched == b.matched);
    a.kind == b.kind && a.space == b.space && same_retval && same_numbered && same_args(a, b, uses)
}

fn same_args(a: &Context, b: &Context, uses: &Uses) -> bool {
    let whole = uses.whole_args || uses.ctx && a.ctx == Ctx::Record;
    let find = |args: &Args, name: &str| args.list().iter().find(|a| &*a.name == name).cloned();
    match (&a.args, &b.args) {
        (Args::None, Args::None) => true,
        (Args::Unavailable(a), Args::Unavailable(b)) => a == b,
        (Args::Record(..), Args::Record(..)) | (Args::Values(_), Args::Values(_)) if whole => {
            a.args.list() == b.args.list()
        }
        (Args::Record(..), Args::Record(..)) | (Args::Values(_), Args::Values(_)) => {
            uses.args.iter().all(|n| find(&a.args, n) == find(&b.args, n))
        }
        _ => false,
    }
}

impl Checker<'_> {
    /// `probe` must be a text in this block: the round is repeated with one body per attach point.
    pub(crate) fn probe_as_text_here<T>(&mut self) -> Option<T> {
        self.text_probes.insert(self.block);
        None
    }

    /// A map or variable holds `probe` and texts: it is a text in every block that uses it.
    pub(crate) fn probe_as_text<T>(&mut self) -> Option<T> {
        self.text_probes.extend(&self.probe_users);
        None
    }
}

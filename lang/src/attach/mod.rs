//! Attach points: from `kprobe:vfs_*` to the places that it means.
//!
//! One file for each kind of probe, each with one [`Provider`]. What kinds there are and how they are
//! written stands in stdlib's table; what exists is asked of the [`System`].

mod begin_end;
mod block;
pub mod by_type;
mod fentry;
mod iterator;
mod kprobe;
mod lex;
mod operand;
mod perf_event;
mod rawtracepoint;
mod self_signal;
#[cfg(test)]
mod tests;
mod timer;
mod tracepoint;
mod uprobe;
mod usdt;
mod watchpoint;

use crate::ast::AttachSpec;
use crate::context::{Args, Argument, Context, Location, Wants};
use crate::hir::{AttachPoint, ProbeId};
use crate::system::{Answer, Cause, FuncProto, SystemError};
use crate::target::Target;
use crate::types::{AddrSpace, Type};
use crate::{Diagnostic, Options, Span, System};
pub use by_type::Matched;
use lex::Parts;
pub use perf_event::event_names;
use rbtrace_stdlib::{PROBES, ProbeKind, probe_kind};
use std::rc::Rc;
pub use usdt::argument_types;

/// Why an attach point means no place.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// There is no such probe: the config variable `missing_probes` says what becomes of it.
    Missing(Diagnostic),
    /// It is written wrongly, or cannot be probed.
    Wrong(Diagnostic),
}

impl Refusal {
    /// The message.
    pub fn into_diagnostic(self) -> Diagnostic {
        match self {
            Refusal::Missing(diagnostic) | Refusal::Wrong(diagnostic) => diagnostic,
        }
    }

    /// Adds what to do.
    fn hint(self, hint: impl Into<String>) -> Refusal {
        match self {
            Refusal::Missing(d) => Refusal::Missing(d.hint(hint)),
            Refusal::Wrong(d) => Refusal::Wrong(d.hint(hint)),
        }
    }
}

impl From<Diagnostic> for Refusal {
    fn from(wrong: Diagnostic) -> Refusal {
        Refusal::Wrong(wrong)
    }
}

/// The places that one attach point means, each with a number taken from `next_id`.
///
/// Positional parameters in it are replaced by those of `options`; `$*` makes one attach point of each.
pub fn resolve(
    spec: &AttachSpec,
    system: &dyn System,
    options: &Options,
    next_id: &mut u32,
) -> Result<Vec<AttachPoint>, Refusal> {
    if !spec.text.contains(lex::EACH) {
        return resolve_one(spec, system, options, "", next_id);
    }
    if options.params.is_empty() {
        let message = format!("{} stands for the script's parameters: none was given", lex::EACH);
        return Err(Diagnostic::error(spec.span, message).into());
    }
    let mut points = vec![];
    for param in &options.params {
        points.extend(resolve_one(spec, system, options, param, next_id)?);
    }
    Ok(points)
}

/// Does `--probe-filter` want what is written there? A pattern may stand for wanted names.
pub(crate) fn is_wanted(spec: &AttachSpec, options: &Options) -> bool {
    let Some(filter) = &options.probe_filter else { return true };
    let Ok(parts) = lex::split(&spec.text, options, "") else { return true };
    let provider = probe_kind(&parts.provider).map_or(&*parts.provider, |kind| kind.name);
    let name = std::iter::once(provider).chain(parts.args.iter().map(String::as_str));
    let name = name.collect::<Vec<_>>().join(":");
    has_wildcard(&name) || filter.wants(&name)
}

/// The same with one parameter in the place of `$*`.
fn resolve_one(
    spec: &AttachSpec,
    system: &dyn System,
    options: &Options,
    each: &str,
    next_id: &mut u32,
) -> Result<Vec<AttachPoint>, Refusal> {
    let parts = lex::split(&spec.text, options, each).map_err(|m| Diagnostic::error(spec.span, m))?;
    let kind = probe_kind(&parts.provider).ok_or_else(|| unknown(&parts.provider, spec.span))?;
    let provider = PROVIDERS.iter().find(|p| p.names().contains(&kind.name));
    let Some(provider) = provider else {
        let message = format!("{} probes are not supported yet", kind.name);
        return Err(Diagnostic::error(spec.span, message).into());
    };
    let request = Request { kind, parts: &parts, span: spec.span, system, options };
    let places = provider.resolve(&request)?;
    let mut points = vec![];
    for place in places {
        let id = ProbeId(*next_id);
        *next_id += 1;
        // A label replaces the name.
        let name: Rc<str> = spec.label.as_ref().map_or_else(|| place.name.into(), |l| l.text.clone());
        let point = |target| {
            let (name, matched) = (name.clone(), place.matched.clone());
            AttachPoint { id, name, provider: kind.name, target, matched, span: spec.span }
        };
        points.extend(place.targets.into_iter().map(point));
    }
    Ok(points)
}

/// What a body sees at an attach point, as far as it wants to know.
pub fn context(point: &AttachPoint, wants: Wants, system: &dyn System) -> Context {
    let provider = PROVIDERS.iter().find(|p| p.names().contains(&point.provider));
    let sight = Sight {
        kind: point.provider,
        name: &point.name,
        target: &point.target,
        matched: point.matched.as_deref(),
        wants,
        system,
    };
    provider.map_or_else(|| Context::bare(point.provider), |p| p.context(&sight))
}

/// Resolves attach points of some kinds, and says what a body sees there.
trait Provider: Sync {
    /// The kinds, as stdlib's table names them.
    fn names(&self) -> &'static [&'static str];

    /// The places; never empty.
    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal>;

    /// What a body sees at one of the places.
    fn context(&self, sight: &Sight) -> Context;
}

const PROVIDERS: &[&dyn Provider] = &[
    &begin_end::BeginEnd,
    &block::Block,
    &fentry::Fentry,
    &iterator::Iterator,
    &kprobe::Kprobe,
    &perf_event::PerfEvent,
    &rawtracepoint::RawTracepoint,
    &self_signal::SelfSignal,
    &timer::Timer,
    &tracepoint::Tracepoint,
    &uprobe::Uprobe,
    &usdt::Usdt,
    &watchpoint::Watchpoint,
];

/// One attach point to resolve.
struct Request<'a> {
    kind: &'static ProbeKind,
    parts: &'a Parts,
    span: Span,
    system: &'a dyn System,
    options: &'a Options,
}

/// One place that a body asks about.
struct Sight<'a> {
    kind: &'static str,
    name: &'a str,
    target: &'a Target,
    matched: Option<&'a Matched>,
    wants: Wants,
    system: &'a dyn System,
}

/// One place that was found.
struct Place {
    /// As the `probe` builtin prints it.
    name: String,
    /// One, or the places of one probe.
    targets: Vec<Target>,
    /// The argument by whose type it was found.
    matched: Option<Rc<Matched>>,
}

impl Place {
    fn new(name: String, target: Target) -> Place {
        Place { name, targets: vec![target], matched: None }
    }

    /// One that was found by an argument of type `ty`, behind so many words of arguments.
    fn taking(self, ty: &Type, word: u8) -> Place {
        Place { matched: Some(Rc::new(Matched { ty: ty.clone(), word })), ..self }
    }
}

impl<'a> Request<'a> {
    /// The parts after the first colon.
    fn args(&self) -> &'a [String] {
        &self.parts.args
    }

    fn error(&self, message: impl Into<String>) -> Refusal {
        let mut diag = Diagnostic::error(self.span, message);
        if !self.kind.forms.is_empty() {
            diag = diag.hint(format!("forms: {}", self.kind.forms.join(", ")));
        }
        diag.into()
    }

    /// Wrong number of parts; `wanted` as `1 or 2`.
    fn count_error(&self, wanted: &str) -> Refusal {
        let found = self.args().len();
        self.error(format!("{} takes {wanted} parts after its colon, not {found}", self.kind.name))
    }

    /// Nothing of this name exists.
    fn missing(&self, what: &str, why: SystemError) -> Refusal {
        let diag = Diagnostic::error(self.span, format!("nothing matches {}:{what}", self.kind.name));
        let diag = match why.cause {
            Cause::Missing => diag,
            Cause::Other => diag.hint(why.message),
        };
        Refusal::Missing(match why.hint {
            Some(hint) => diag.hint(hint),
            None => diag,
        })
    }

    /// What the system refuses, in its own words.
    fn refused(&self, why: SystemError) -> Refusal {
        let diag = Diagnostic::error(self.span, why.message);
        Refusal::Wrong(match why.hint {
            Some(hint) => diag.hint(hint),
            None => diag,
        })
    }

    /// Source lines are for kernel functions only.
    fn no_source_line(&self) -> Result<(), Refusal> {
        if self.parts.line.is_some() {
            Err(self.error(format!("{} takes no source line", self.kind.name)))
        } else {
            Ok(())
        }
    }
}

/// A function's parameters as `args`; `at` says where the n-th lies.
fn parameters(
    proto: Answer<FuncProto>,
    space: AddrSpace,
    at: impl Fn(usize) -> Result<Location, &'static str>,
) -> Args {
    let proto = match proto {
        Ok(proto) => proto,
        Err(why) => return Args::Unavailable(why),
    };
    let argument = |(n, (name, ty)): (usize, (Rc<str>, Type))| Argument {
        name,
        ty: ty.in_space(space),
        at: at(n).map_err(Rc::from),
    };
    Args::Values(proto.params.into_iter().enumerate().map(argument).collect())
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// `FUNC+OFFSET` in its parts; without a `+` the offset is `None`.
fn split_offset(text: &str) -> Result<(&str, Option<u64>), String> {
    let mut parts = text.split('+');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(func), None, _) => Ok((func, None)),
        (Some(_), Some(_), Some(_)) => Err("more than one offset is given".into()),
        (Some(func), Some(offset), None) if !func.is_empty() && !offset.is_empty() => {
            let offset =
                crate::parse::number(offset).map_err(|e| format!("the offset cannot be read: {e}"))?;
            Ok((func, Some(offset)))
        }
        _ => Err("one side of the '+' is empty: write FUNC+OFFSET".into()),
    }
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    let diag = Diagnostic::error(span, format!("there is no probe type '{name}'"));
    if has_wildcard(name) {
        return diag.hint("wildcards in the type of a probe are for listing only");
    }
    let lower = name.to_ascii_lowercase();
    let near = PROBES.iter().map(|p| (edits(p.name, &lower), p.name)).min();
    match near {
        Some((distance, near)) if distance <= 2 => diag.hint(format!("did you mean '{near}'?")),
        _ => diag,
    }
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

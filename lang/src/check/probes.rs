//! What a body is attached to, as far as its typing depends on it.
//!
//! A block's attach points are put in groups for which every name of the body has one type: such a
//! group shares one program.

use super::Checker;
use super::uses::Uses;
use crate::attach::{self, Refusal};
use crate::hir::{Attach, AttachPoint, Config, Ctx, MissingProbes};
use crate::system::{SystemError, TracepointFormat};
use crate::types::{AddrSpace, Field, StructKind, StructType, Type};
use crate::{Diagnostic, Options, Severity, System, ast};
use std::cell::OnceCell;
use std::rc::Rc;

/// Kind of an attach point, as messages and tables name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not in a probe at all: an array size of a struct.
    Outside,
    Begin,
    End,
    SelfProbe,
    Kprobe,
    Kretprobe,
    Tracepoint,
    RawTracepoint,
    Interval,
    Profile,
    Software,
    Hardware,
    Uprobe,
    Uretprobe,
}

impl Kind {
    fn of(attach: &Attach) -> Kind {
        match attach {
            Attach::Begin => Kind::Begin,
            Attach::End => Kind::End,
            Attach::SelfSignal(_) => Kind::SelfProbe,
            Attach::Kprobe { ret: false, .. } => Kind::Kprobe,
            Attach::Kprobe { ret: true, .. } => Kind::Kretprobe,
            Attach::Tracepoint { .. } => Kind::Tracepoint,
            Attach::RawTracepoint { .. } => Kind::RawTracepoint,
            Attach::Interval(_) => Kind::Interval,
            Attach::Profile(_) => Kind::Profile,
            Attach::PerfEvent { perf_type: 0, .. } => Kind::Hardware,
            Attach::PerfEvent { .. } => Kind::Software,
            Attach::Uprobe { ret: false, .. } => Kind::Uprobe,
            Attach::Uprobe { ret: true, .. } => Kind::Uretprobe,
        }
    }

    /// The provider's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Outside => "none",
            Kind::Begin => "begin",
            Kind::End => "end",
            Kind::SelfProbe => "self",
            Kind::Kprobe => "kprobe",
            Kind::Kretprobe => "kretprobe",
            Kind::Tracepoint => "tracepoint",
            Kind::RawTracepoint => "rawtracepoint",
            Kind::Interval => "interval",
            Kind::Profile => "profile",
            Kind::Software => "software",
            Kind::Hardware => "hardware",
            Kind::Uprobe => "uprobe",
            Kind::Uretprobe => "uretprobe",
        }
    }
}

/// What `args` is.
#[derive(Clone, Debug)]
pub(crate) enum Args {
    /// Not used by the body, or not available here.
    None,
    /// A tracepoint's record.
    Record(Rc<StructType>),
    /// Parameters by position.
    Params(Rc<[(Rc<str>, Type)]>),
    /// The system could not say.
    Unavailable(SystemError),
}

/// What typing a body needs to know of its attach points.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub kind: Kind,
    pub ctx: Ctx,
    /// Where integers point to that are used as pointers.
    pub space: AddrSpace,
    pub args: Args,
    /// One attach point of the group.
    pub attach: Option<AttachPoint>,
    /// `probe` is this text rather than a number.
    pub text: Option<Rc<str>>,
}

impl View {
    /// For expressions that stand in no probe.
    pub(crate) fn outside() -> View {
        View {
            kind: Kind::Outside,
            ctx: Ctx::None,
            space: AddrSpace::Unknown,
            args: Args::None,
            attach: None,
            text: None,
        }
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
    let mut missing = false;
    for (number, probe) in script.probes.iter().enumerate() {
        let mut points = vec![];
        for spec in &probe.attach {
            match attach::resolve(spec, system, options, &mut next) {
                Ok(found) => points.extend(found),
                Err(Refusal::Missing(d)) => {
                    missing = true;
                    diags.extend(as_configured(d, config.missing_probes));
                }
                Err(Refusal::Wrong(d)) => diags.push(d),
            }
        }
        if !points.is_empty() {
            let uses = Uses::of(probe);
            let groups = group(&uses, points, system);
            blocks.push(Block { probe: number, uses_probe: uses.probe, groups });
        }
    }
    let failed = diags.iter().any(|d| d.severity == Severity::Error);
    if blocks.is_empty() && !failed {
        let why = if missing {
            "there is nothing to attach: none of the probes exists"
        } else {
            "there is nothing to attach: the script has no probes"
        };
        diags.push(Diagnostic { span: None, ..Diagnostic::error(crate::Span::default(), why) });
    }
    check_limits(&blocks, config, diags);
    blocks
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
    let points = blocks.iter().flat_map(|b| &b.groups).map(|g| g.attach.len()).sum();
    limit(points, config.max_probes, "probes", "max_probes");
    limit(blocks.iter().map(|b| b.groups.len()).sum(), config.max_bpf_progs, "BPF programs", "max_bpf_progs");
}

fn group(uses: &Uses, points: Vec<AttachPoint>, system: &dyn System) -> Vec<Body> {
    let mut groups: Vec<Body> = vec![];
    for point in points {
        let view = view(&point, uses, system);
        match groups.iter_mut().find(|g| same_typing(&g.view, &view, uses)) {
            Some(g) => g.attach.push(point),
            None => groups.push(Body { attach: vec![point], view: Rc::new(view) }),
        }
    }
    groups
}

fn view(point: &AttachPoint, uses: &Uses, system: &dyn System) -> View {
    View {
        kind: Kind::of(&point.kind),
        ctx: attach::ctx_of(&point.kind),
        space: space(&point.kind),
        args: if uses.no_args() { Args::None } else { args(&point.kind, system) },
        attach: Some(point.clone()),
        text: None,
    }
}

fn space(attach: &Attach) -> AddrSpace {
    match attach {
        Attach::Kprobe { .. } | Attach::RawTracepoint { .. } => AddrSpace::Kernel,
        Attach::Uprobe { .. } => AddrSpace::User,
        // Arguments of system calls are the process's pointers.
        Attach::Tracepoint { category, .. } if matches!(&**category, "syscalls" | "raw_syscalls") => {
            AddrSpace::User
        }
        Attach::Tracepoint { .. } => AddrSpace::Kernel,
        _ => AddrSpace::Unknown,
    }
}

fn args(attach: &Attach, system: &dyn System) -> Args {
    let answer = match attach {
        Attach::Tracepoint { category, event, .. } => system
            .tracepoint_format(category, event)
            .map(|format| Args::Record(Rc::new(record(&format, category, event, space(attach))))),
        Attach::RawTracepoint { event, module } => {
            system.raw_tracepoint_proto(module.as_deref(), event).map(|p| Args::Params(p.params.into()))
        }
        Attach::Kprobe { func, module, offset: 0, ret: false } if !func.is_empty() => {
            system.kernel_function_proto(module.as_deref(), func).map(|p| Args::Params(p.params.into()))
        }
        _ => return Args::None,
    };
    answer.unwrap_or_else(Args::Unavailable)
}

/// A tracepoint's record as a struct. Its pointers point where the event's arguments do.
fn record(format: &TracepointFormat, category: &str, event: &str, space: AddrSpace) -> StructType {
    let fields: Rc<[Field]> = format
        .fields
        .iter()
        .map(|f| Field { ty: super::memory::in_space(&f.ty, space), ..f.clone() })
        .collect();
    let size = fields.iter().map(|f| f.offset + f.ty.size()).max().unwrap_or(0);
    StructType {
        name: format!("_tracepoint_{category}_{event}").into(),
        kind: StructKind::Struct,
        size,
        align: 8,
        key: u64::from(format.id) | 1 << 63,
        fields: OnceCell::from(fields),
    }
}

fn same_typing(a: &View, b: &View, uses: &Uses) -> bool {
    a.kind == b.kind && a.ctx == b.ctx && a.space == b.space && same_args(&a.args, &b.args, uses)
}

fn same_args(a: &Args, b: &Args, uses: &Uses) -> bool {
    let field = |s: &Rc<StructType>, name: &str| {
        s.fields.get().and_then(|fields| fields.iter().find(|f| &*f.name == name).cloned())
    };
    match (a, b) {
        (Args::None, Args::None) => true,
        (Args::Unavailable(a), Args::Unavailable(b)) => a == b,
        (Args::Record(a), Args::Record(b)) if uses.whole_args => a.fields == b.fields,
        (Args::Record(a), Args::Record(b)) => uses.args.iter().all(|n| field(a, n) == field(b, n)),
        (Args::Params(a), Args::Params(b)) => {
            let at = |p: &[(Rc<str>, Type)], name: &str| {
                p.iter().enumerate().find(|(_, (n, _))| &**n == name).map(|(i, (_, t))| (i, t.clone()))
            };
            uses.args.iter().all(|n| at(a, n) == at(b, n))
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

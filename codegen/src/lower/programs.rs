//! Which BPF programs a body becomes, and the frame of each.

use super::frame::{Lower, OpenFunction};
use super::plan::Plan;
use super::shared::Shared;
use super::{Lowered, Unit, visit};
use crate::helpers;
use crate::ir::{Module, Space, Ty};
use crate::kernel::Kernel;
use crate::layout::kernel_name;
use crate::object::{Attachment, LoadAs, ProgramType};
use rbtrace_lang::hir::{AttachPoint, Builtin, Probe};
use rbtrace_lang::system::BtfFunction;
use rbtrace_lang::target::Target;

/// Groups the attach points of a body by the program that can serve them.
pub(super) fn split<'p>(
    probe: &'p Probe,
    points: Vec<&'p AttachPoint>,
    kernel: &dyn Kernel,
) -> Vec<Plan<'p>> {
    let asks_name = visit::uses_builtin(probe, Builtin::Probe);
    let asks_function = visit::uses_builtin(probe, Builtin::Func);
    // A return probe knows its function since 5.15; before, it is written into the program.
    let only_here = |target: &Target| {
        asks_function
            && matches!(target, Target::Kprobe { ret: true, .. })
            && !kernel.can_call(ProgramType::Kprobe, helpers::GET_FUNC_IP)
    };
    let mut plans: Vec<Plan<'p>> = vec![];
    for point in points {
        let load = load(&point.target);
        let own = asks_name && !has_cookie(load.ty, kernel)
            || load.ty == ProgramType::TestRun
            // The events that threads inherit have no cookie.
            || matches!(point.target, Target::Watchpoint { .. })
            || only_here(&point.target);
        let fits =
            |p: &&mut Plan| !own && p.load == load && flavour(&p.attach[0].target) == flavour(&point.target);
        match plans.iter_mut().find(fits) {
            Some(plan) => plan.attach.push(point),
            None => plans.push(Plan { load, attach: vec![point] }),
        }
    }
    plans
}

/// `BPF_TRACE_FENTRY` (include/uapi/linux/bpf.h).
const TRACE_FENTRY: u32 = 24;
/// `BPF_TRACE_FEXIT`
const TRACE_FEXIT: u32 = 25;

/// `BPF_TRACE_ITER`
const TRACE_ITER: u32 = 28;

/// What loading a program for this target takes.
fn load(target: &Target) -> LoadAs {
    match target {
        Target::Begin | Target::End | Target::SelfSignal(_) | Target::Block { .. } => {
            ProgramType::TestRun.into()
        }
        Target::Kprobe { .. } | Target::Uprobe { .. } | Target::Usdt { .. } => ProgramType::Kprobe.into(),
        Target::KernelFunction { module, id, ret, .. } => LoadAs {
            ty: ProgramType::Tracing,
            attach_type: if *ret { TRACE_FEXIT } else { TRACE_FENTRY },
            function: Some(BtfFunction { module: module.clone(), id: *id }),
        },
        Target::Iterator { function, .. } => {
            LoadAs { ty: ProgramType::Tracing, attach_type: TRACE_ITER, function: Some(function.clone()) }
        }
        Target::Tracepoint { .. } => ProgramType::Tracepoint.into(),
        Target::RawTracepoint { .. } => ProgramType::RawTracepoint.into(),
        Target::Interval(_) | Target::Profile(_) | Target::PerfEvent { .. } | Target::Watchpoint { .. } => {
            ProgramType::PerfEvent.into()
        }
    }
}

/// Programs of one type that must not be one: (user level, on return).
fn flavour(target: &Target) -> (bool, bool) {
    match target {
        Target::Kprobe { ret, .. } => (false, *ret),
        Target::Uprobe { ret, .. } => (true, *ret),
        Target::Usdt { .. } => (true, false),
        _ => (false, false),
    }
}

/// Can programs of this type ask for their attach cookie? Raw tracepoints learnt it late (6.10).
fn has_cookie(ty: ProgramType, kernel: &dyn Kernel) -> bool {
    let able = matches!(ty, ProgramType::Kprobe | ProgramType::Tracepoint | ProgramType::PerfEvent);
    able && kernel.can_call(ty, helpers::GET_ATTACH_COOKIE)
}

/// Makes one program.
pub(super) fn lower_program<'p>(shared: &mut Shared<'p>, probe: &'p Probe, plan: Plan<'p>) -> Lowered<Unit> {
    let name = plan.attach[0].name.clone();
    let own = |a: &&AttachPoint| Attachment { target: a.target.clone(), points: vec![a.id] };
    let attach = plan.attach.iter().map(own).collect();
    let load = plan.load.clone();
    let frame = OpenFunction::program(&function_name(&name), Ty::Ptr(Space::Ctx), probe);
    let mut lower = Lower::new(shared, probe, plan, frame);
    lower.body()?;
    let (wants_cookie, all_registers) = (lower.wants_cookie, lower.all_registers);
    let funcs = lower.finish();
    Ok(Unit {
        module: Module { funcs, scratch: None },
        name: kernel_name(short_name(&name)),
        load,
        attach,
        wants_cookie,
        all_registers,
        loops: visit::has_loop(probe),
    })
}

/// The telling part of an attach point's name: what follows the provider.
pub(super) fn short_name(name: &str) -> &str {
    let tail = name.rsplit([':', '/']).next().unwrap_or(name);
    if tail.is_empty() { name } else { tail }
}

/// A C identifier for BTF.
pub(super) fn function_name(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// May another task run while a program does?
pub(super) fn is_preemptible(unit: &Unit) -> bool {
    unit.load.ty == ProgramType::RawTracepoint || unit.attach.iter().any(|a| a.target.is_preemptible())
}

//! Which BPF programs a body becomes, and the frame of each.

use super::frame::{Frame, Lower};
use super::plan::Plan;
use super::shared::Shared;
use super::{Lowered, Unit, visit};
use crate::helpers;
use crate::ir::{Module, Space, Ty};
use crate::kernel::Kernel;
use crate::layout::kernel_name;
use crate::object::ProgramType;
use rbtrace_lang::hir::{self, Attach, AttachPoint, Builtin, Probe};

/// Groups the attach points of a body by the program that can serve them.
pub(super) fn split<'p>(
    probe: &'p Probe,
    points: Vec<&'p AttachPoint>,
    kernel: &dyn Kernel,
) -> Vec<Plan<'p>> {
    let asks_name = visit::uses_builtin(probe, Builtin::Probe);
    let asks_function = visit::uses_builtin(probe, Builtin::Func);
    // A return probe knows its function since 5.15; before, it is written into the program.
    let only_here = |kind: &Attach| {
        asks_function
            && matches!(kind, Attach::Kprobe { ret: true, .. })
            && !kernel.can_call(ProgramType::Kprobe, helpers::GET_FUNC_IP)
    };
    let mut plans: Vec<Plan<'p>> = vec![];
    for point in points {
        let ty = program_type(&point.kind);
        let own =
            asks_name && !has_cookie(ty, kernel) || ty == ProgramType::TestRun || only_here(&point.kind);
        let fits = |p: &&mut Plan| !own && p.ty == ty && flavour(&p.attach[0].kind) == flavour(&point.kind);
        match plans.iter_mut().find(fits) {
            Some(plan) => plan.attach.push(point),
            None => plans.push(Plan { ty, attach: vec![point] }),
        }
    }
    plans
}

/// The program type that serves an attach point.
fn program_type(kind: &Attach) -> ProgramType {
    match kind {
        Attach::Begin | Attach::End | Attach::SelfSignal(_) => ProgramType::TestRun,
        Attach::Kprobe { .. } | Attach::Uprobe { .. } => ProgramType::Kprobe,
        Attach::Tracepoint { .. } => ProgramType::Tracepoint,
        Attach::RawTracepoint { .. } => ProgramType::RawTracepoint,
        Attach::Interval(_) | Attach::Profile(_) | Attach::PerfEvent { .. } => ProgramType::PerfEvent,
    }
}

/// Programs of one type that must not be one: (user level, on return).
fn flavour(kind: &Attach) -> (bool, bool) {
    match kind {
        Attach::Kprobe { ret, .. } => (false, *ret),
        Attach::Uprobe { ret, .. } => (true, *ret),
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
    let ids = plan.attach.iter().map(|a| a.id).collect();
    let ty = plan.ty;
    let frame = Frame::program(&function_name(&name), Ty::Ptr(Space::Ctx), probe);
    let mut lower = Lower::new(shared, probe, plan, frame);
    lower.body()?;
    let (wants_cookie, all_registers) = (lower.wants_cookie, lower.all_registers);
    let funcs = lower.finish();
    Ok(Unit {
        module: Module { funcs, scratch: None },
        name: kernel_name(short_name(&name)),
        ty,
        attach: ids,
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

/// May another task run while a program does? Those on kprobes, tracepoints and perf events run without preemption, as do
/// test runs (`bpf_prog_test_run_raw_tp`, net/bpf/test_run.c).
pub(super) fn is_preemptible(program: &hir::Program, unit: &Unit) -> bool {
    let mut points = program.attach_points().filter(|p| unit.attach.contains(&p.id));
    match unit.ty {
        ProgramType::Kprobe => points.any(|p| matches!(p.kind, Attach::Uprobe { .. })),
        ProgramType::RawTracepoint => true,
        ProgramType::TestRun | ProgramType::Tracepoint | ProgramType::PerfEvent => false,
    }
}

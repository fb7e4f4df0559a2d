//! The passes, in the order in which they run.
//!
//! **Invariant**: what [`LEGALIZE`] leaves has no `Copy`, `Zero`, `Cmp` and no operation that the kernel lacks.

pub mod cfg;
pub mod dce;
pub mod dead_stores;
pub mod demote;
pub mod eval;
pub mod expand_compare;
pub mod expand_division;
pub mod expand_memory;
pub mod fold;
pub mod forward;
pub mod functions;
pub mod gvn;
pub mod merge_reads;
pub mod merge_stores;
pub mod pointers;
pub mod pressure;
pub mod scratch;
pub mod util;

use crate::error::BackendError;
use crate::ir::{Function, Module};
use crate::kernel::Kernel;

/// A pass over one function, which says whether it changed anything, and its name in tests and errors.
type Pass = (&'static str, fn(&mut Function, &dyn Kernel) -> bool);

const CFG: Pass = ("cfg", |f, _| cfg::run(f));
const DCE: Pass = ("dce", |f, _| dce::run(f));
const DEAD_STORES: Pass = ("dead_stores", |f, _| dead_stores::run(f));
const EXPAND_COMPARE: Pass = ("expand_compare", |f, _| expand_compare::run(f));
const EXPAND_DIVISION: Pass = ("expand_division", expand_division::run);
const EXPAND_MEMORY: Pass = ("expand_memory", |f, _| expand_memory::run(f));
const FORWARD: Pass = ("forward", |f, _| forward::run(f));
const FORWARD_PLACED: Pass = ("forward_placed", |f, _| forward::run_placed(f));
const GVN: Pass = ("gvn", |f, _| gvn::run(f));
const MERGE_READS: Pass = ("merge_reads", |f, _| merge_reads::run(f));
const MERGE_STORES: Pass = ("merge_stores", |f, _| merge_stores::run(f));
const REACHABLE: Pass = ("reachable", |f, _| cfg::remove_unreachable(f));

/// Equal computations become one, branches whose way is known jumps, loads what was stored; the rest dies.
const IMPROVE: &[Pass] = &[GVN, CFG, FORWARD, DEAD_STORES, DCE];

/// The same where slots have their places.
const IMPROVE_PLACED: &[Pass] = &[GVN, CFG, FORWARD_PLACED, DEAD_STORES, DCE];

/// From what lowering made to good code; each round makes work for the next.
const OPTIMIZE: &[&[Pass]] = &[&[REACHABLE], IMPROVE, IMPROVE, IMPROVE, &[MERGE_READS], IMPROVE];

/// From good code, whose slots are placed, to what instruction selection takes.
const LEGALIZE: &[&[Pass]] = &[
    &[EXPAND_MEMORY],
    IMPROVE_PLACED,
    &[MERGE_STORES, EXPAND_DIVISION],
    IMPROVE_PLACED,
    // No pass may follow that makes comparisons anew.
    &[EXPAND_COMPARE, CFG, DCE],
];

/// By function of a module: the passes that found nothing to do since it last changed.
#[derive(Clone, Debug)]
pub struct Idle(Vec<Vec<&'static str>>);

impl Idle {
    /// Nothing is known of the functions of this module.
    pub fn nowhere(module: &Module) -> Self {
        Idle(vec![vec![]; module.funcs.len()])
    }
}

/// Improves a module that lowering made.
pub fn optimize(module: &mut Module, kernel: &dyn Kernel) -> Result<Idle, BackendError> {
    check(module, "lowering")?;
    let mut idle = Idle::nowhere(module);
    run(module, kernel, OPTIMIZE, &mut idle)?;
    let kept = functions::remove_unused(module);
    Ok(Idle(kept.into_iter().map(|f| std::mem::take(&mut idle.0[f])).collect()))
}

/// Brings a module whose slots are placed into the form that instruction selection takes.
pub fn legalize(module: &mut Module, kernel: &dyn Kernel, mut idle: Idle) -> Result<(), BackendError> {
    // It finds nothing where the one that may do more found nothing.
    for names in idle.0.iter_mut().filter(|names| names.contains(&FORWARD.0)) {
        names.push(FORWARD_PLACED.0);
    }
    run(module, kernel, LEGALIZE, &mut idle)
}

fn run(
    module: &mut Module,
    kernel: &dyn Kernel,
    passes: &[&[Pass]],
    idle: &mut Idle,
) -> Result<(), BackendError> {
    for (i, idle) in idle.0.iter_mut().enumerate() {
        for (name, pass) in passes.iter().copied().flatten() {
            if idle.contains(name) {
                continue;
            }
            if pass(&mut module.funcs[i], kernel) {
                idle.clear();
            } else {
                idle.push(name);
            }
            check(module, name)?;
        }
    }
    Ok(())
}

/// A pass by its name, for tests.
pub fn by_name(name: &str) -> Option<fn(&mut Function, &dyn Kernel) -> bool> {
    let all = OPTIMIZE.iter().chain(LEGALIZE).copied().flatten();
    all.into_iter().find(|p| p.0 == name).map(|p| p.1)
}

/// Checks the IR after the pass `name`, in builds with debug assertions.
fn check(module: &Module, name: &str) -> Result<(), BackendError> {
    if cfg!(debug_assertions) {
        let wrong = |e| BackendError::new(module.funcs[0].span, format!("internal: after {name}: {e}"));
        crate::verify::verify(module).map_err(wrong)?;
    }
    Ok(())
}

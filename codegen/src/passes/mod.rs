//! The passes, in the order in which they run.

pub mod cfg;
pub mod dce;
pub mod dead_stores;
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
pub mod scratch;
pub mod util;

use crate::backend::BackendError;
use crate::ir::{Function, Module};
use crate::object::Features;

/// Rounds of improvement: each pass makes work for the others.
const ROUNDS: usize = 3;

/// Improves a module that lowering made.
pub fn optimize(module: &mut Module, _features: &Features) -> Result<(), BackendError> {
    check(module, "lowering")?;
    for i in 0..module.funcs.len() {
        cfg::remove_unreachable(&mut module.funcs[i]);
        for _ in 0..ROUNDS {
            improve(module, i)?;
        }
        merge_reads::run(&mut module.funcs[i]);
        check(module, "merge_reads")?;
        improve(module, i)?;
    }
    functions::remove_unused(module);
    Ok(())
}

/// Brings a module whose slots are placed into the form that instruction selection takes.
pub fn legalize(module: &mut Module, features: &Features) -> Result<(), BackendError> {
    for i in 0..module.funcs.len() {
        expand_memory::run(&mut module.funcs[i]);
        improve(module, i)?;
        merge_stores::run(&mut module.funcs[i]);
        check(module, "merge_stores")?;
        expand_division::run(&mut module.funcs[i], features);
        improve(module, i)?;
        expand_compare::run(&mut module.funcs[i]);
        check(module, "expand_compare")?;
        finish(&mut module.funcs[i]);
    }
    check(module, "legalization")
}

fn improve(module: &mut Module, i: usize) -> Result<(), BackendError> {
    gvn::run(&mut module.funcs[i]);
    check(module, "gvn")?;
    cfg::run(&mut module.funcs[i]);
    check(module, "cfg")?;
    forward::run(&mut module.funcs[i]);
    check(module, "forward")?;
    dead_stores::run(&mut module.funcs[i]);
    dce::run(&mut module.funcs[i]);
    check(module, "dce")
}

/// A pass over one function by its name, for tests.
pub fn by_name(name: &str) -> Option<fn(&mut Function)> {
    Some(match name {
        "gvn" => |f| _ = gvn::run(f),
        "cfg" => cfg::run,
        "forward" => forward::run,
        "dead_stores" => dead_stores::run,
        "dce" => dce::run,
        "merge_reads" => merge_reads::run,
        "merge_stores" => merge_stores::run,
        "expand_memory" => expand_memory::run,
        "expand_compare" => expand_compare::run,
        _ => return None,
    })
}

/// What may follow the expansion of comparisons: no pass that makes new ones.
fn finish(f: &mut Function) {
    cfg::run(f);
    dce::run(f);
}

/// Checks the IR after the pass `name`, in builds with debug assertions.
fn check(module: &Module, name: &str) -> Result<(), BackendError> {
    if cfg!(debug_assertions) {
        let wrong = |e| BackendError::new(module.funcs[0].span, format!("internal: after {name}: {e}"));
        crate::verify::verify(module).map_err(wrong)?;
    }
    Ok(())
}

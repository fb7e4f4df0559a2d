//! The passes, in the order in which they run.

pub mod cfg;
pub mod expand_compare;
pub mod expand_division;
pub mod expand_memory;
pub mod functions;
pub mod scratch;
pub mod util;

use crate::backend::BackendError;
use crate::ir::Module;
use crate::object::Features;

/// Improves a module that lowering made.
pub fn optimize(module: &mut Module, _features: &Features) -> Result<(), BackendError> {
    check(module, "lowering")?;
    for f in &mut module.funcs {
        cfg::remove_unreachable(f);
    }
    functions::remove_unused(module);
    Ok(())
}

/// Checks the IR after the pass `name`, in builds with debug assertions.
fn check(module: &Module, name: &str) -> Result<(), BackendError> {
    if cfg!(debug_assertions) {
        let wrong = |e| BackendError::new(module.funcs[0].span, format!("internal: after {name}: {e}"));
        crate::verify::verify(module).map_err(wrong)?;
    }
    Ok(())
}

/// Brings a module whose slots are placed into the form that instruction selection takes.
pub fn legalize(module: &mut Module, features: &Features) -> Result<(), BackendError> {
    for f in &mut module.funcs {
        expand_memory::run(f);
        expand_division::run(f, features);
        expand_compare::run(f);
        cfg::remove_unreachable(f);
    }
    check(module, "legalization")
}

//! The one way from a script's text to what the runtime loads: for the command line, the prompt, tests and editors.

use crate::kernel::Kernel;
use crate::object::Object;
use rbtrace_lang::{Options, Source, System, Typed};

/// What became of a script's text.
#[derive(Debug)]
pub struct Compilation {
    /// What could be read and typed, and all messages, those of code generation included.
    pub typed: Typed,
    /// What to load; `None` where a message is an error.
    pub object: Option<Object>,
}

/// Compiles a script for this system and kernel.
pub fn compile(script: Source, options: &Options, system: &dyn System, kernel: &dyn Kernel) -> Compilation {
    let mut typed = rbtrace_lang::compile(script, options, system);
    if typed.failed() {
        return Compilation { typed, object: None };
    }
    let object = typed.program.as_ref().map(|program| crate::compile(program, kernel));
    let object = object.and_then(|result| result.map_err(|errors| typed.diagnostics.extend(errors)).ok());
    Compilation { typed, object }
}

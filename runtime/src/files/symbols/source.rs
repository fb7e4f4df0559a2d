//! Source-line probes: from `FILE:LINE` to functions and offsets of the running kernel.

use crate::files::Error;
use crate::files::debuginfo;
use crate::files::dwarf::{DebugInfo, LinePlace, LineQuery};
use crate::files::symbols::kallsyms;

/// Where the code of a source line begins in the kernel or a module, inlined copies included; within
/// `function` where it is given. Places are relative to symbols: where the kernel was loaded does not
/// matter.
pub fn source_line(
    module: Option<&str>,
    function: Option<&str>,
    query: LineQuery,
) -> Result<Vec<LinePlace>, Error> {
    open(module, function)?.source_line(function, query).map_err(|e| name_module(e, module))
}

/// The debug information of `module` or, without one, of what holds `function`.
fn open(module: Option<&str>, function: Option<&str>) -> Result<DebugInfo, Error> {
    if let Some(module) = module {
        return debuginfo::module(module);
    }
    let kernel = debuginfo::kernel();
    let (Some(function), Ok(info)) = (function, &kernel) else { return kernel };
    if !info.elf().symbols_named(function).is_empty() {
        return kernel;
    }
    match owner(function) {
        Some(module) => debuginfo::module(&module),
        None => kernel,
    }
}

/// The module that has a function of this name.
fn owner(function: &str) -> Option<String> {
    let mut module = None;
    let looked = kallsyms::read(|line| {
        if line.name == function {
            module = line.module.map(str::to_string);
        }
        module.is_none()
    });
    looked.ok().and(module)
}

/// A file that the kernel itself does not have may be a module's.
fn name_module(error: Error, module: Option<&str>) -> Error {
    match error {
        Error::NoSourceFile { message, hint: None } if module.is_none() => {
            Error::missing_with_hint(message, "for a file of a module write MODULE:FILE:LINE")
        }
        other => other,
    }
}

//! `-d`: the stages of a compilation as text.

use crate::args::Stage;
use crate::say;
use rbtrace_codegen::disasm;
use rbtrace_codegen::kernel::Kernel;
use rbtrace_codegen::object::{ObjMapId, Object};
use rbtrace_lang::ast::Script;
use rbtrace_lang::hir::Program;

/// The heading of a stage.
fn heading(name: &str) {
    say(&format!("--- {name}\n"));
}

/// The syntax tree, macros expanded.
pub(crate) fn ast(stages: &[Stage], script: &Script) {
    if stages.contains(&Stage::Ast) {
        heading("ast");
        say(&format!("{script}\n"));
    }
}

/// The typed program, and its IR.
pub(crate) fn typed(stages: &[Stage], program: &Program, kernel: &dyn Kernel) {
    if stages.contains(&Stage::Hir) {
        heading("hir");
        say(&format!("{program}\n"));
    }
    if stages.contains(&Stage::Ir)
        && let Ok(units) = rbtrace_codegen::lower::lower(program, kernel)
    {
        for unit in &units.units {
            heading(&format!("ir of {}", unit.name));
            say(&format!("{}\n", unit.module));
        }
    }
}

/// The instructions.
pub(crate) fn bpf(stages: &[Stage], object: &Object) {
    if stages.contains(&Stage::Bpf) {
        for program in &object.programs {
            heading(&format!("bpf of {} ({:?})", program.name, program.ty));
            let name = |map: ObjMapId| object.maps[map.0 as usize].name.clone();
            say(&disasm::disassemble_named(&program.insns, &program.relocs, name));
        }
    }
}

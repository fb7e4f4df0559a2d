//! `-d`: the stages of a compilation as text.

use crate::args::Stage;
use crate::say;
use rbtrace_codegen::disasm;
use rbtrace_codegen::kernel::Kernel;
use rbtrace_codegen::object::{ObjMapId, Object};
use rbtrace_lang::Typed;
use rbtrace_lang::hir::Program;

/// The heading of a stage.
fn heading(name: &str) {
    say(&format!("--- {name}\n"));
}

/// The stages that were asked for, as far as the script got.
pub(crate) fn show(stages: &[Stage], typed: &Typed, object: Option<&Object>, kernel: &dyn Kernel) {
    let Some(program) = typed.program.as_ref().filter(|_| !stages.is_empty()) else { return };
    if stages.contains(&Stage::Ast) {
        heading("ast");
        say(&format!("{}\n", typed.script));
    }
    let Some(object) = object else { return };
    if stages.contains(&Stage::Hir) {
        heading("hir");
        say(&format!("{program}\n"));
    }
    if stages.contains(&Stage::Ir) {
        ir(program, kernel);
    }
    if stages.contains(&Stage::Bpf) {
        bpf(object);
    }
}

fn ir(program: &Program, kernel: &dyn Kernel) {
    for unit in rbtrace_codegen::lower::lower(program, kernel).iter().flat_map(|units| &units.units) {
        heading(&format!("ir of {}", unit.name));
        say(&format!("{}\n", unit.module));
    }
}

fn bpf(object: &Object) {
    for program in &object.programs {
        heading(&format!("bpf of {} ({:?})", program.name, program.load.ty));
        let name = |map: ObjMapId| object.maps[map.0 as usize].name.clone();
        say(&disasm::disassemble_named(&program.insns, &program.relocs, name));
    }
}

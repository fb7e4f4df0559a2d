//! The whole way from the typed program to the object that the runtime loads.

use crate::backend::{self, Code};
use crate::btf::{self, Infos};
use crate::emit::task_stack;
use crate::kernel::{Feature, Kernel};
use crate::layout;
use crate::lower::{self, Unit, Units};
use crate::object::{Form, Object, Program};
use crate::verify::verify;
use rbtrace_lang::{Diagnostic, hir};
use std::collections::BTreeSet;

/// Largest value of a per-CPU map, in bytes (`include/linux/percpu.h`).
const PCPU_MIN_UNIT_SIZE: u32 = 32 * 1024;

/// `MAX_USED_MAPS` (`include/linux/bpf_verifier.h`)
const MAX_USED_MAPS: usize = 64;

/// Compiles a program for this kernel.
pub fn compile(program: &hir::Program, kernel: &dyn Kernel) -> Result<Object, Vec<Diagnostic>> {
    compile_as(program, kernel, Form::Fast)
}

/// Compiles a program for this kernel in one of its forms.
pub fn compile_as(
    program: &hir::Program,
    kernel: &dyn Kernel,
    form: Form,
) -> Result<Object, Vec<Diagnostic>> {
    let mut units = lower::lower_as(program, kernel, form)?;
    let scratch = units.scratch_id();
    let mut codes = vec![];
    let mut errors = vec![];
    for unit in &mut units.units {
        debug_assert_eq!(verify(&unit.module), Ok(()), "{}", unit.module);
        match backend::finish(&mut unit.module, kernel) {
            Ok(mut code) => {
                if unit.is_interleaved() && kernel.has(Feature::PrivateStacks) {
                    task_stack::keep(&mut code);
                }
                codes.push(code);
            }
            Err(error) => errors.push(Diagnostic::error(error.span, sentence(&error.message))),
        }
    }
    if errors.is_empty() {
        errors = too_large(&units, &codes);
        errors.extend(too_many_maps(&units, &codes));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let scratch_bytes = codes.iter().map(|c| c.scratch_bytes).max().unwrap_or(0);
    let mut maps = units.maps;
    if scratch_bytes > 0 {
        debug_assert_eq!(scratch.0 as usize, maps.len());
        maps.push(layout::scratch_map(scratch_bytes));
    }
    let named: Vec<(&str, &Code)> = units.units.iter().map(|u| u.name.as_str()).zip(&codes).collect();
    let (btf, infos) = btf::build(&named, &program.sources);
    let programs = units
        .units
        .into_iter()
        .zip(codes)
        .zip(infos)
        .map(|((unit, code), i)| assemble(unit, code, i))
        .collect();
    Ok(Object {
        form,
        programs,
        maps,
        records: units.records,
        counters: units.counters,
        points: units.points,
        tables: program.maps.clone(),
        sources: program.sources.clone(),
        config: program.config.clone(),
        btf,
    })
}

/// Programs whose large values fit neither the stack nor one CPU's piece of a map.
fn too_large(units: &Units, codes: &[Code]) -> Vec<Diagnostic> {
    let large = units.units.iter().zip(codes).filter(|(_, code)| code.scratch_bytes > PCPU_MIN_UNIT_SIZE);
    large
        .map(|(unit, code)| {
            let bytes = code.scratch_bytes;
            let message =
                format!("The values of this probe need {bytes} bytes, more than {PCPU_MIN_UNIT_SIZE}");
            Diagnostic::error(unit.module.funcs[0].span, message)
                .hint("texts are shorter with a smaller max_strlen, or with str(pointer, length)")
        })
        .collect()
}

/// Programs that use more maps than the kernel lets one program use.
fn too_many_maps(units: &Units, codes: &[Code]) -> Vec<Diagnostic> {
    let used = |code: &Code| code.relocs.iter().map(|r| r.target.map()).collect::<BTreeSet<_>>().len();
    let many = units.units.iter().zip(codes).map(|(u, code)| (u, used(code))).filter(|u| u.1 > MAX_USED_MAPS);
    many.map(|(unit, used)| {
        let message = format!("{used} BPF maps are used by {}, and the kernel allows {MAX_USED_MAPS}", unit.name);
        Diagnostic::error(unit.module.funcs[0].span, message).hint(
            "each map with keys is one, those without keys share a few: make one map of several by a further part of \
             the key, as in @count[\"read\", pid]",
        )
    })
    .collect()
}

fn assemble(unit: Unit, code: Code, (func_info, line_info): Infos) -> Program {
    Program {
        name: unit.name,
        load: unit.load,
        insns: code.insns,
        relocs: code.relocs,
        func_info,
        line_info,
        spans: code.spans,
        attach: unit.attach,
        wants_cookie: unit.wants_cookie,
        all_registers: unit.all_registers,
        loops: unit.loops,
    }
}

/// The message with a capital letter, as diagnostics have it.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

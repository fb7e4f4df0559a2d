//! From the typed program to the IR.
//!
//! Scalars become SSA variables, always extended to 64 bits by the sign of their type. Aggregates lie in
//! slots, map values or records and are handled as [`memory::Place`]s: addresses that are read only where
//! their bytes are needed.
//!
//! **Invariant**: a text in memory has a spare byte behind it wherever a helper writes it, and its
//! bytes after the NUL are zero only where [`memory::Fill::Padded`] says so (keys and comparisons).

mod agg;
mod announce;
mod area;
mod arith;
mod builtin;
mod callback;
mod collect;
mod compare;
mod cond;
mod context;
mod debug;
mod emit;
mod expr;
mod frame;
mod functions;
mod hide;
mod hist;
mod iterator;
mod locker_maps;
mod lockers;
mod loops;
mod map;
mod memory;
mod nest;
mod net;
mod percpu;
mod place;
mod plan;
mod programs;
mod read;
mod search;
mod series;
mod shared;
mod stack;
mod stmt;
mod store;
mod syscalls;
mod tallied_maps;
mod tallies;
mod text;
mod unwind;
pub mod visit;

use crate::ir::{Module, Scratch};
use crate::kernel::Kernel;
use crate::layout;
use crate::object::{Attachment, Counter, Form, LoadAs, MapDef, ObjMapId, Point, Record};
use rbtrace_lang::Diagnostic;
use rbtrace_lang::hir;
use rbtrace_lang::target::Edge;
use shared::Shared;

/// The result of one step, or why the script cannot be compiled.
type Lowered<T> = Result<T, Diagnostic>;

/// One BPF program in IR.
#[derive(Debug)]
pub struct Unit {
    /// Its functions; the first is the program.
    pub module: Module,
    /// Name for the kernel.
    pub name: String,
    /// What loading it takes.
    pub load: LoadAs,
    /// What it is attached to.
    pub attach: Vec<Attachment>,
    /// It asks for the attach cookie.
    pub wants_cookie: bool,
    /// It reads registers that not every way of attaching hands on.
    pub all_registers: bool,
    /// The script has a loop in it.
    pub loops: bool,
}

impl Unit {
    /// May a run of it begin on a CPU where another has been put aside? Only uprobes allow that: where programs of
    /// other kinds can be preempted, the kernel skips the second run (`prog->active`).
    pub fn is_interleaved(&self) -> bool {
        self.attach.iter().any(|a| a.target.is_of_user())
    }
}

/// A whole program in IR with all that belongs to it.
#[derive(Debug)]
pub struct Units {
    /// The programs.
    pub units: Vec<Unit>,
    /// The maps, without the scratch map.
    pub maps: Vec<MapDef>,
    /// Kinds of records.
    pub records: Vec<Record>,
    /// Counters.
    pub counters: Vec<Counter>,
    /// The attach points by number.
    pub points: Vec<Point>,
}

impl Units {
    /// The number that the scratch map has where it is needed: it follows all others.
    pub fn scratch_id(&self) -> ObjMapId {
        ObjMapId(self.maps.len() as u32)
    }
}

/// Lowers every probe for speed.
pub fn lower(program: &hir::Program, kernel: &dyn Kernel) -> Result<Units, Vec<Diagnostic>> {
    lower_as(program, kernel, Form::Fast)
}

/// Lowers every probe.
pub fn lower_as(program: &hir::Program, kernel: &dyn Kernel, form: Form) -> Result<Units, Vec<Diagnostic>> {
    let mut shared = Shared::new(program, kernel, form);
    let mut results = vec![];
    let mut calls = vec![];
    for probe in &program.probes {
        let (members, rest) = syscalls::take(probe, kernel);
        calls.extend(members);
        for plan in programs::split(probe, rest, kernel) {
            results.push(programs::lower_program(&mut shared, probe, plan).map(Some));
        }
    }
    for edge in [Edge::Enter, Edge::Exit] {
        let members;
        (members, calls) = calls.into_iter().partition(|m| m.edge == edge);
        for members in syscalls::shares(members, form) {
            results.push(syscalls::lower_program(&mut shared, edge, members));
        }
    }
    let mut units = vec![];
    let mut errors = vec![];
    for result in results {
        match result {
            Ok(unit) => units.extend(unit),
            Err(error) if errors.contains(&error) => {}
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let crowded: Vec<(ObjMapId, u32)> = units.iter().map(|u| shared.crowded(u)).collect();
    let mut lowered = shared.finish(units);
    let map = lowered.scratch_id();
    for (unit, crowded) in lowered.units.iter_mut().zip(crowded) {
        let preemptible = programs::is_preemptible(unit);
        unit.module.scratch = Some(Scratch { map, places: layout::SCRATCH_PLACES, preemptible, crowded });
    }
    Ok(lowered)
}

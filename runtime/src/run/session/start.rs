//! The start: maps, programs, what is needed to read them.

use super::polling::QUIET_ROUNDS;
use super::stacks::StackMaps;
use super::steps::Steps;
use super::unwind::Unwinder;
use super::watching::Watch;
use super::{Behaviour, REFUSED, RunError, RunOptions, Session, child, placeless, system_error};
use crate::files::symbols::{self, Symbolizer};
use crate::kernel::system::possible_cpus;
use crate::run::attach::{Multi, Namesakes};
use crate::run::events::Printer;
use crate::run::load::{self, KernelMaps, Loader, NotLoaded};
use crate::run::tables::lockers::Lockers;
use crate::run::tables::tallies::Tallies;
use crate::run::tables::{Storage, Table};
use crate::show::print::Env;
use crate::show::sink::{Said, Sink};
use crate::sys::mapped::Words;
use crate::sys::ring::Ring;
use crate::sys::{self, process, time};
use rbtrace_codegen::helpers;
use rbtrace_codegen::kernel::Kernel;
use rbtrace_codegen::layout;
use rbtrace_codegen::object::{self, Control, Form, MapDef, MapForm, MapKind, MapRole, Object};
use rbtrace_lang::hir::MapId;
use rbtrace_lang::{Diagnostic, Severity};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

/// What to do where the verifier follows loops round by round.
const NO_BPF_LOOP: &str =
    "this kernel has no bpf_loop (Linux 5.17) and follows each loop round by round: fewer rounds may pass";

impl<'a> Session<'a> {
    /// Forks the child, creates the maps, loads the programs. Nothing runs yet.
    pub(super) fn load(
        object: &'a Object,
        sink: Box<dyn Sink + 'a>,
        options: RunOptions<'a>,
    ) -> Result<Self, RunError> {
        let child = options.command.as_deref().map(child::Running::fork).transpose()?;
        let watched = options
            .pid
            .map(process::watch)
            .transpose()
            .map_err(|e| system_error("Failed to attach to pid", &e))?;
        let maps = load::create_maps(object)?;
        let control = map_control(object, &maps)?;
        control.set(Control::CPID, child.as_ref().map_or(0, |c| c.pid() as u64));
        let ring = map_ring(object, &maps)?;
        let RunOptions { pid, kernel, warn_reads, wake, blocks, costs, max_overhead, .. } = options;
        let unwound: Vec<i32> = options.unwound.iter().copied().chain(pid).collect();
        let printer = printer(object, &maps, sink, options)?;
        let mut session = Session {
            object,
            links: Vec::new(),
            programs: Vec::new(),
            control,
            ring,
            child,
            watched,
            exited: false,
            over: false,
            exit_end: None,
            slow_record: false,
            broken_ring: None,
            quiet_rounds: QUIET_ROUNDS,
            reported: vec![0; object.counters.len()],
            lost_reported: Instant::now(),
            attached: BTreeSet::new(),
            namesakes: Namesakes::default(),
            meter: None,
            slow_to_close: vec![],
            unwinder: Unwinder::new(object, &maps.fds),
            lists: Vec::new(),
            options: Behaviour { pid, kernel, warn_reads, wake, blocks },
            watch: Watch::new(&printer),
            printer,
            maps,
        };
        session.load_programs()?;
        if costs || max_overhead.is_some() {
            session.measure_costs(max_overhead)?;
        }
        session.prepare_unwinding(&unwound)?;
        session.control.set(Control::START, time::clock(libc::CLOCK_BOOTTIME));
        session.control.set(Control::TAI, time::distance(libc::CLOCK_BOOTTIME, libc::CLOCK_TAI));
        Ok(session)
    }

    fn load_programs(&mut self) -> Result<(), RunError> {
        let loader = Loader::new(self.object, &self.maps);
        let mut without = Vec::new();
        let mut steps = Steps::new("Loading", self.object.programs.len());
        for program in &self.object.programs {
            let attach_type = self.multi(program).map_or(0, Multi::attach_type);
            let loaded =
                loader.load(program, attach_type).map_err(|refusal| self.not_loaded(program, refusal))?;
            without.extend(loaded.without_btf);
            self.programs.push(loaded.fd);
            steps.advance(&mut self.printer);
        }
        steps.end(&mut self.printer);
        if let Some(warning) = warning_on_btf(&without, self.programs.len()) {
            self.printer.say(Said::Warning(&warning));
        }
        Ok(())
    }

    fn not_loaded(&self, program: &object::Program, refusal: NotLoaded) -> RunError {
        let NotLoaded { why, too_complex } = refusal;
        let calls_back = |kernel: &dyn Kernel| kernel.can_call(program.load.ty, helpers::LOOP);
        let follows_rounds = program.loops && !self.options.kernel.is_some_and(calls_back);
        let why = if too_complex && follows_rounds { why.hint(NO_BPF_LOOP) } else { why };
        let too_complex = too_complex && self.object.form == Form::Fast;
        RunError { diagnostics: vec![why], status: REFUSED, too_complex }
    }

    /// Loads a program again, for another way of attaching.
    pub(super) fn load_plain(&self, index: usize) -> Result<OwnedFd, RunError> {
        let loader = Loader::new(self.object, &self.maps);
        let program = &self.object.programs[index];
        let loaded = loader.load(program, 0).map_err(|refusal| self.not_loaded(program, refusal))?;
        Ok(loaded.fd)
    }
}

/// A kernel that does not take our BTF runs the script as well. `refusals`: what it said to each program that it took without.
fn warning_on_btf(refusals: &[io::Error], programs: usize) -> Option<Diagnostic> {
    let why = sys::describe(refusals.first()?);
    let which = if refusals.len() == programs {
        "the script".into()
    } else {
        format!("a part ({} of {programs} programs)", refusals.len())
    };
    let text = format!("the kernel refused the script's line information and runs {which} without it: {why}");
    let warning = Diagnostic { severity: Severity::Warning, ..placeless(text) };
    Some(
        warning
            .hint("what it counts and prints is the same; but the kernel and bpftool cannot name its lines"),
    )
}

fn printer<'a>(
    object: &'a Object,
    maps: &KernelMaps,
    sink: Box<dyn Sink + 'a>,
    options: RunOptions<'a>,
) -> Result<Printer<'a>, RunError> {
    let cpus = options.kernel.map_or_else(possible_cpus, Kernel::ncpus);
    let (demangle, debug_info) = (object.config.cpp_demangle, object.config.show_debug_info);
    let shown = symbols::Options { demangle, debug_info };
    let names = options.names.unwrap_or_else(|| Box::new(Symbolizer::new(shown)));
    let mut env = Env::new(names, Box::new(StackMaps::new(object, maps)));
    env.probes = object.points.iter().map(|p| p.name.clone()).collect();
    env.max_strlen = object.config.max_strlen as usize;
    env.trailer = object.config.str_trunc_trailer.clone();
    env.system = options.system;
    let mut printer = Printer::new(object, env, sink);
    printer.tables = tables(object, maps, cpus)?;
    printer.max_cat_bytes = object.config.max_cat_bytes;
    Ok(printer)
}

fn find(object: &Object, role: &MapRole) -> Option<usize> {
    object.maps.iter().position(|m| m.role == *role)
}

fn map_control(object: &Object, maps: &KernelMaps) -> Result<Words, RunError> {
    let Some(index) = find(object, &MapRole::Control) else {
        return Err(RunError::plain("the compiled program has no control map"));
    };
    let words = object.maps[index].value_size / 8;
    Words::new(maps.fds[index].as_fd(), words).map_err(|e| system_error("Failed to map the control map", &e))
}

fn map_ring(object: &Object, maps: &KernelMaps) -> Result<Option<(Ring, usize)>, RunError> {
    let Some(index) = find(object, &MapRole::Events) else { return Ok(None) };
    let ring = Ring::new(maps.fds[index].as_fd(), maps.ring_bytes)
        .map_err(|e| system_error("Failed to map the ring buffer", &e))?;
    Ok(Some((ring, index)))
}

/// The script's maps by their number; `None` for those that no program uses.
fn tables(object: &Object, maps: &KernelMaps, cpus: u32) -> Result<Vec<Option<Table>>, RunError> {
    let mut tables: Vec<Option<Table>> = (0..object.tables.len()).map(|_| None).collect();
    let (mut tallies, mut lockers) = (tallies(object, maps)?, lockers(object, maps)?);
    for (def, fd) in object.maps.iter().zip(&maps.fds) {
        let MapRole::Script(members) = &def.role else { continue };
        let words = if def.kind == MapKind::Array { Some(map_words(def, fd)?) } else { None };
        for member in members {
            let map = &object.tables[member.id.0 as usize];
            let storage = match (member.form, &words) {
                (MapForm::Hash, _) => Storage::Hash {
                    fd: fd.clone(),
                    def: def.clone(),
                    cpus,
                    tallies: tallies.remove(&member.id),
                    lockers: lockers.remove(&member.id),
                },
                (MapForm::Element(element), _) => {
                    Storage::Element { fd: fd.clone(), size: def.value_size, cpus, element }
                }
                (MapForm::Bytes(at), Some(words)) => {
                    let len = layout::set_word(&map.value) + 8;
                    Storage::Bytes { words: words.clone(), at, len }
                }
                (MapForm::Bytes(_), None) => continue,
            };
            let (name, key, value) = (map.name.clone(), map.key.clone(), map.value.clone());
            tables[member.id.0 as usize] = Some(Table::new(storage, name, key, value, member.grows));
        }
    }
    Ok(tables)
}

fn map_words(def: &MapDef, fd: &OwnedFd) -> Result<Rc<Words>, RunError> {
    let words = Words::new(fd.as_fd(), def.value_size.div_ceil(8));
    Ok(Rc::new(words.map_err(|e| system_error("Failed to map a map's memory", &e))?))
}

/// What threads keep in front of the script's maps.
fn lockers(object: &Object, maps: &KernelMaps) -> Result<HashMap<MapId, Lockers>, RunError> {
    let mut found = HashMap::new();
    for (def, fd) in object.maps.iter().zip(&maps.fds) {
        let MapRole::Lockers(members) = &def.role else { continue };
        let words = map_words(def, fd)?;
        for (n, id) in members.iter().enumerate() {
            found.insert(*id, Lockers::new(words.clone(), n as u32, key_size(object, *id)));
        }
    }
    Ok(found)
}

/// Bytes of a script's map's key.
fn key_size(object: &Object, id: MapId) -> u32 {
    let keyed = object.maps.iter().find(|m| matches!(&m.role, MapRole::Script(s) if s[0].id == id));
    keyed.map_or(0, |m| m.key_size)
}

/// What is counted in front of the script's maps.
fn tallies(object: &Object, maps: &KernelMaps) -> Result<HashMap<MapId, Tallies>, RunError> {
    let mut found = HashMap::new();
    for (def, fd) in object.maps.iter().zip(&maps.fds) {
        let MapRole::Tallies(members) = &def.role else { continue };
        let (words, bytes) = (map_words(def, fd)?, def.value_size / members.len().max(1) as u32);
        for (n, id) in members.iter().enumerate() {
            found.insert(*id, Tallies::new(words.clone(), n as u32, bytes, key_size(object, *id)));
        }
    }
    Ok(found)
}

//! The start: maps, programs, what is needed to read them.

use super::polling::QUIET_ROUNDS;
use super::stacks::StackMaps;
use super::steps::Steps;
use super::traced_files::TracedFiles;
use super::unwind::Unwinder;
use super::watching::Watch;
use super::{Behaviour, REFUSED, RunError, RunOptions, Session, child, placeless, system_error};
use crate::files::btf::{KernelTypes, KindTag};
use crate::files::symbols::{self, Symbolizer};
use crate::kernel::system::possible_cpus;
use crate::run::attach::{self, Multi, Namesakes, Pair};
use crate::run::events::Printer;
use crate::run::load::{self, KernelMaps, Loader, NotLoaded};
use crate::run::tables::lockers::Lockers;
use crate::run::tables::tallies::Tallies;
use crate::run::tables::{Storage, Table};
use crate::show::print::Env;
use crate::show::sink::{Said, Sink};
use crate::sys::mapped::Words;
use crate::sys::ring::Ring;
use crate::sys::{self, limits, process, time};
use rbtrace_codegen::helpers;
use rbtrace_codegen::kernel::Kernel;
use rbtrace_codegen::layout;
use rbtrace_codegen::object::{self, Control, Form, MapDef, MapForm, MapKind, MapRole, Object};
use rbtrace_lang::hir::MapId;
use rbtrace_lang::target::Target;
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
        // Where it cannot be raised, what finds no room says so.
        let _ = limits::allow_open_files(files_needed(object));
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
            left_out: 0,
            namesakes: Namesakes::default(),
            pairs: vec![],
            meter: None,
            slow_to_close: vec![],
            unwinder: Unwinder::new(object, &maps.fds),
            lists: Vec::new(),
            traced_files: TracedFiles::default(),
            options: Behaviour { pid, kernel, warn_reads, wake, blocks },
            watch: Watch::new(&printer),
            printer,
            maps,
        };
        // What each of two programs costs can only be said of two.
        if !costs && max_overhead.is_none() {
            session.pairs = session.find_pairs();
        }
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
        let merged = self.load_pairs(&loader);
        self.pairs.retain(|pair| merged.contains_key(&pair.entry));
        for (index, program) in self.object.programs.iter().enumerate() {
            if let Some(fd) = merged.get(&index) {
                self.programs.push(fd.try_clone().map_err(|e| system_error("A descriptor", &e))?);
                continue;
            }
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

    /// The programs that one link can serve at both ends of the same functions, where the kernel has such links. Those go by
    /// name, so a name that stands for several functions has none.
    fn find_pairs(&self) -> Vec<Pair> {
        let mut pairs = attach::pairs(self.object);
        pairs.retain(|pair| {
            let several = |a: &object::Attachment| match &a.target {
                Target::Kprobe { func, module, .. } => {
                    self.namesakes.of(self.object, module.as_deref(), func).is_some()
                }
                _ => false,
            };
            let places = &self.object.programs[pair.entry].attach;
            self.has(pair.link(self.object)) && !(places.len() == 1 && places.iter().any(several))
        });
        pairs
    }

    /// Loads a program for each pair, for both of its numbers. A pair that the kernel refuses stays two programs.
    fn load_pairs(&self, loader: &Loader) -> HashMap<usize, Rc<OwnedFd>> {
        let mut loaded = HashMap::new();
        if self.pairs.is_empty() {
            return loaded;
        }
        let function = KernelTypes::default().find(Some("vmlinux"), KindTag::Func, attach::IS_RETURN);
        let function = function.ok().flatten();
        for pair in &self.pairs {
            let merged = function.and_then(|f| pair.merged(self.object, f.id));
            let link = pair.link(self.object).attach_type();
            if let Some(Ok(program)) = merged.map(|program| loader.load(&program, link)) {
                let fd = Rc::new(program.fd);
                loaded.extend([(pair.entry, fd.clone()), (pair.ret, fd)]);
            }
        }
        loaded
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

/// Descriptors for programs, maps, and for each place an event and a link, on each CPU where it is sampled; and some to
/// spare.
fn files_needed(object: &Object) -> u64 {
    const SPARE: u64 = 64;
    let cpus = u64::from(possible_cpus());
    let sampled = |t: &Target| matches!(t, Target::Profile(_) | Target::PerfEvent { .. });
    let places: u64 = object.targets().map(|t| if sampled(t) { 2 * cpus } else { 2 }).sum();
    places + object.programs.len() as u64 + object.maps.len() as u64 + SPARE
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

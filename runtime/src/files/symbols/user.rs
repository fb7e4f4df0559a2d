//! Names of addresses of processes.

use super::binary::Binary;
use super::mappings::{self, FileId, Mapping};
use super::perf_map::PerfMap;
use super::{Options, SourceFrame, Sym, demangle};
use crate::files::dwarf::normal_path;
use crate::files::instructions::{self, Flow};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a process is taken for the same without looking.
const TRUSTED: Duration = Duration::from_millis(200);

/// As many processes are remembered as a map of stacks holds stacks.
const MOST_PROCESSES: usize = 16384;

/// Processes and binaries that were seen. What is known of a process stays when it is gone.
#[derive(Default)]
pub(super) struct UserNames {
    processes: HashMap<u32, Process>,
    /// By device and inode, so that processes share them.
    binaries: HashMap<FileId, Option<Binary>>,
    /// Source lines by file and address.
    sources: HashMap<(FileId, u64), Rc<[SourceFrame]>>,
}

struct Process {
    start_time: Option<u64>,
    mappings: Vec<Mapping>,
    checked: Instant,
    jit: PerfMap,
}

/// Where in which file an address lies.
struct Place {
    mapping: Mapping,
    address: u64,
}

impl UserNames {
    /// Remembers a process's mappings and opens what is mapped, for when it will be gone.
    pub(super) fn preload(&mut self, pid: u32) {
        self.refresh(pid);
        let mappings = self.processes.get(&pid).map(|p| p.mappings.clone()).unwrap_or_default();
        for mapping in mappings.iter().filter(|m| m.is_file() || m.is_vdso()) {
            self.binary(pid, mapping);
        }
    }

    /// What is worth knowing of files whose names are missing, each once.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        self.processes.values_mut().filter_map(|p| p.jit.take_note()).collect()
    }

    /// Names an address.
    pub(super) fn name(&mut self, pid: u32, address: u64, options: Options) -> Option<Sym> {
        let Some(place) = self.place(pid, address) else { return self.jit(pid, address) };
        let module: Rc<str> = place.mapping.path.as_ref().into();
        let binary = self.binary(pid, &place.mapping)?;
        let (name, offset) = binary.name(place.address)?;
        let name = if options.demangle { demangle::demangle(name).into() } else { name.into() };
        Some(Sym { name, offset, module: Some(module) })
    }

    /// Source lines of an address, innermost first.
    pub(super) fn frames(&mut self, pid: u32, address: u64, options: Options) -> Rc<[SourceFrame]> {
        if !options.debug_info {
            return Rc::default();
        }
        let Some(place) = self.place(pid, address) else { return Rc::default() };
        let key = (place.mapping.file.clone(), place.address);
        if let Some(known) = self.sources.get(&key) {
            return known.clone();
        }
        let frames: Rc<[SourceFrame]> = self.read_frames(pid, &place, options).unwrap_or_default().into();
        self.sources.insert(key, frames.clone());
        frames
    }

    fn read_frames(&mut self, pid: u32, place: &Place, options: Options) -> Option<Vec<SourceFrame>> {
        let binary = self.binary(pid, &place.mapping)?;
        let wanted = place.address - u64::from(is_return_address(binary, place.address));
        let readable = |name: Rc<str>| if options.demangle { demangle::demangle(&name).into() } else { name };
        let frame = |f: crate::files::dwarf::InlineStep| SourceFrame {
            function: f.function.map(readable),
            file: f.file.map(|path| normal_path(&path).into()),
            line: f.line,
        };
        Some(binary.frames(wanted).into_iter().map(frame).collect())
    }

    /// Code that belongs to no file.
    fn jit(&mut self, pid: u32, address: u64) -> Option<Sym> {
        let process = self.processes.get_mut(&pid)?;
        let inside = process.mappings.iter().any(|m| (m.start..m.end).contains(&address));
        let (name, offset) = inside.then(|| process.jit.name(pid, address)).flatten()?;
        Some(Sym { name: name.into(), offset, module: Some(format!("/tmp/perf-{pid}.map").into()) })
    }

    fn place(&mut self, pid: u32, address: u64) -> Option<Place> {
        let mapping = self.mapping(pid, address)?;
        if mapping.is_vdso() {
            // Mapped whole, and linked to address 0.
            let address = address - mapping.start;
            return Some(Place { mapping, address });
        }
        if !mapping.is_file() {
            return None;
        }
        let offset = address - mapping.start + mapping.offset;
        let address = self.binary(pid, &mapping)?.address_of_offset(offset)?;
        Some(Place { mapping, address })
    }

    /// The mapping that holds an address. A process that may have changed is read anew.
    fn mapping(&mut self, pid: u32, address: u64) -> Option<Mapping> {
        let find = |process: &Process| {
            process.mappings.iter().find(|m| (m.start..m.end).contains(&address)).cloned()
        };
        let known = self.processes.get(&pid);
        let fresh = known.is_some_and(|p| p.checked.elapsed() < TRUSTED);
        if fresh && let Some(found) = known.and_then(find) {
            return Some(found);
        }
        if !fresh {
            self.refresh(pid);
        }
        self.processes.get(&pid).and_then(find)
    }

    /// Reads a process's mappings; one that is gone keeps what is known.
    fn refresh(&mut self, pid: u32) {
        let start_time = mappings::start_time(pid);
        match (mappings::read(pid), self.processes.get_mut(&pid)) {
            (Some(mappings), known) => {
                let same = known.filter(|p| p.start_time == start_time).map(|p| std::mem::take(&mut p.jit));
                let (checked, jit) = (Instant::now(), same.unwrap_or_default());
                self.make_room();
                self.processes.insert(pid, Process { start_time, mappings, checked, jit });
            }
            (None, Some(known)) => known.checked = Instant::now(),
            (None, None) => {}
        }
    }

    /// Forgets the process that was looked at longest ago, where there are too many.
    fn make_room(&mut self) {
        if self.processes.len() < MOST_PROCESSES {
            return;
        }
        let oldest = self.processes.iter().min_by_key(|(_, p)| p.checked).map(|(pid, _)| *pid);
        oldest.map(|pid| self.processes.remove(&pid));
    }

    /// The binary of a mapping, opened on first use.
    fn binary(&mut self, pid: u32, mapping: &Mapping) -> Option<&mut Binary> {
        let open = || mapping.open(pid).map(Binary::of);
        self.binaries.entry(mapping.file.clone()).or_insert_with(open).as_mut()
    }
}

/// Does a call end here? Then the line is the call's, not that of what comes after it.
fn is_return_address(binary: &Binary, address: u64) -> bool {
    let Some((_, offset)) = binary.name(address) else { return false };
    let start = address - offset;
    let Some(code) = binary.code(start, offset) else { return false };
    let last = instructions::decode(code, start).pop();
    last.is_some_and(|i| matches!(i.flow, Flow::Call(_)) && i.end() == address)
}

//! Names of kernel addresses.

use super::kernel_format::KernelFormat;
use super::{Options, SourceFrame, Sym};
use crate::files::debuginfo;
use crate::files::dwarf::DebugInfo;
use crate::files::instructions::{self, Flow};
use crate::files::symbols::kallsyms::Kallsyms;
use std::collections::HashMap;
use std::rc::Rc;

/// How many source files are kept in memory; stacks of one kind pass through a few dozen.
const MAX_UNITS: usize = 32;

/// Kernel addresses and what they are called; each is asked for once.
#[derive(Default)]
pub(super) struct KernelNames {
    source: Source,
    known: HashMap<u64, Option<Sym>>,
    files: HashMap<Option<Rc<str>>, Option<File>>,
    sources: HashMap<u64, Rc<[SourceFrame]>>,
}

/// Who is asked.
#[derive(Default)]
enum Source {
    #[default]
    Unopened,
    /// The kernel, by a small program.
    Format(KernelFormat),
    /// `/proc/kallsyms`.
    Table(Kallsyms),
    /// No one answers.
    Nobody,
}

impl Source {
    fn open() -> Source {
        match KernelFormat::load() {
            Ok(format) => Source::Format(format),
            Err(_) => Source::table(),
        }
    }

    fn table() -> Source {
        Kallsyms::load().map_or(Source::Nobody, Source::Table)
    }

    fn name(&self, address: u64) -> Option<Sym> {
        match self {
            Source::Format(format) => {
                let named = format.name(address).ok()??;
                let module = named.module.map(Rc::from);
                Some(Sym { name: named.name.into(), offset: named.offset, module })
            }
            Source::Table(table) => {
                let symbol = table.symbol(address)?;
                let module = symbol.module.map(Rc::from);
                Some(Sym { name: symbol.name.into(), offset: address - symbol.addr, module })
            }
            Source::Unopened | Source::Nobody => None,
        }
    }
}

impl KernelNames {
    /// Names an address.
    pub(super) fn name(&mut self, address: u64) -> Option<Sym> {
        if let Some(known) = self.known.get(&address) {
            return known.clone();
        }
        if matches!(self.source, Source::Unopened) {
            self.source = Source::open();
        }
        let name = self.source.name(address);
        self.known.insert(address, name.clone());
        name
    }

    /// The source lines of an address: inlined calls, innermost first. Empty without debug information.
    pub(super) fn frames(&mut self, address: u64, options: Options) -> Rc<[SourceFrame]> {
        if !options.debug_info {
            return Rc::default();
        }
        if let Some(known) = self.sources.get(&address) {
            return known.clone();
        }
        let frames: Rc<[SourceFrame]> = self.read_frames(address).unwrap_or_default().into();
        self.sources.insert(address, frames.clone());
        frames
    }

    fn read_frames(&mut self, address: u64) -> Option<Vec<SourceFrame>> {
        let sym = self.name(address)?;
        let file = self.files.entry(sym.module.clone()).or_insert_with(|| File::open(sym.module.as_deref()));
        let file = file.as_mut()?;
        let frames = file.frames(address, &sym);
        file.info.keep_units(MAX_UNITS);
        frames
    }
}

/// Debug information of the kernel or of a module.
struct File {
    info: DebugInfo,
    /// What is added to an address of the file to make the running kernel's; known after the first symbol.
    shift: Option<u64>,
}

impl File {
    fn open(module: Option<&str>) -> Option<File> {
        let info = match module {
            None => debuginfo::running_kernel(),
            Some(module) => debuginfo::module(module),
        };
        Some(File { info: info.ok()?, shift: None })
    }

    fn frames(&mut self, address: u64, sym: &Sym) -> Option<Vec<SourceFrame>> {
        let place = self.place(address, sym)?;
        let info = &self.info;
        let wanted = place - u64::from(is_return_address(info, place, sym.offset));
        let frames = info.frames(wanted).ok()?;
        let unit = info.unit_at(wanted).ok()?;
        let short = |path: &str| unit.as_ref().map_or(path, |u| u.short_path(path)).into();
        let frame = |f: crate::files::dwarf::InlineStep| SourceFrame {
            function: f.function,
            file: f.file.as_deref().map(short),
            line: f.line,
        };
        Some(frames.into_iter().map(frame).collect())
    }

    /// The file's address for an address of the running kernel. The sections of a module are placed one
    /// by one, so there each symbol is looked up; the kernel itself is moved as a whole.
    fn place(&mut self, address: u64, sym: &Sym) -> Option<u64> {
        if let Some(shift) = self.shift {
            return Some(address.wrapping_sub(shift));
        }
        let symbols = self.info.elf().symbols_named(&sym.name);
        let [symbol] = symbols.as_slice() else { return None };
        if !self.info.elf().is_relocatable() {
            self.shift = Some((address - sym.offset).wrapping_sub(symbol.address));
        }
        Some(symbol.address + sym.offset)
    }
}

/// Does a call end here? Then the address is where that call returns to, and the line is the call's.
fn is_return_address(info: &DebugInfo, address: u64, offset: u64) -> bool {
    let Some(code) = info.elf().code(address.wrapping_sub(offset), offset) else { return false };
    let insns = instructions::decode(code, address.wrapping_sub(offset));
    insns.last().is_some_and(|i| matches!(i.flow, Flow::Call(_)) && i.end() == address)
}

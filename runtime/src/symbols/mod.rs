//! Names of addresses: of the kernel and of programs.
//!
//! Everything is opened on first use, and what was found is kept: a process may be gone when its
//! addresses are printed again.

mod binary;
pub mod code;
pub mod demangle;
pub mod kcore;
mod kernel;
mod kernel_format;
mod maps;
mod perf_map;
mod source;
mod user;

#[cfg(test)]
mod tests;

pub use source::source_line;

use crate::print::Names;
use kernel::KernelNames;
use rbtrace_lang::types::StackMode;
use std::rc::Rc;
use user::UserNames;

/// What a symbol table says of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sym {
    /// The symbol's name.
    pub name: Rc<str>,
    /// Offset from its address.
    pub offset: u64,
    /// The kernel's module, or the path of the program or library; `None`: the kernel itself.
    pub module: Option<Rc<str>>,
}

/// What debug information says of an address, one for each inlined call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFrame {
    /// The function.
    pub function: Option<Rc<str>>,
    /// The source file: relative to the source tree for the kernel.
    pub file: Option<Rc<str>>,
    /// The line, from 1; 0: not known.
    pub line: u32,
}

/// How names are shown.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Names of C++ and Rust as in the source (config `cpp_demangle`).
    pub demangle: bool,
    /// Source lines and inlined calls where debug information is at hand (config `show_debug_info`).
    pub debug_info: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { demangle: true, debug_info: true }
    }
}

/// Names addresses.
#[derive(Default)]
pub struct Symbolizer {
    options: Options,
    kernel: KernelNames,
    users: UserNames,
}

impl Symbolizer {
    /// A symbolizer; opens nothing yet.
    pub fn new(options: Options) -> Symbolizer {
        Symbolizer { options, ..Symbolizer::default() }
    }

    /// The symbol of a kernel address.
    pub fn kernel_symbol(&mut self, address: u64) -> Option<Sym> {
        self.kernel.name(address)
    }

    /// The symbol of an address of a process (its thread group's number).
    pub fn user_symbol(&mut self, pid: u32, address: u64) -> Option<Sym> {
        self.users.name(pid, address, self.options)
    }

    /// Source lines of a kernel address, innermost inlined call first. Empty without debug information.
    pub fn kernel_source(&mut self, address: u64) -> Rc<[SourceFrame]> {
        self.kernel.frames(address, self.options)
    }

    /// Source lines of an address of a process.
    pub fn user_source(&mut self, pid: u32, address: u64) -> Rc<[SourceFrame]> {
        self.users.frames(pid, address, self.options)
    }

    /// Remembers a process's mappings and symbols now, for when it will be gone.
    pub fn preload(&mut self, pid: u32) {
        self.users.preload(pid);
    }
}

/// An address without a name.
fn hex(address: u64) -> String {
    if address == 0 { "0".into() } else { format!("{address:#x}") }
}

/// `symbol` or `symbol+offset`.
fn text(sym: &Option<Sym>, address: u64, offset: bool) -> String {
    match sym {
        Some(sym) if offset => format!("{}+{}", sym.name, sym.offset),
        Some(sym) => sym.name.to_string(),
        None => hex(address),
    }
}

/// The lines of one frame: inlined calls first, then the symbol that holds them.
fn frame_lines(
    symbol: &str,
    module: Option<&str>,
    sources: &[SourceFrame],
    address: u64,
    mode: StackMode,
) -> Vec<String> {
    let (inlined, outer) = sources.split_at(sources.len().saturating_sub(1));
    let mut lines = Vec::with_capacity(inlined.len() + 1);
    for frame in inlined {
        let name = frame.function.as_deref().unwrap_or("??");
        lines.push(match mode {
            StackMode::Perf => format!("{address:x} {name} (inlined)"),
            _ => format!("[inlined] {name}{}", place(frame)),
        });
    }
    lines.push(match (mode, module) {
        (StackMode::Perf, Some(module)) => format!("{address:x} {symbol} ({module})"),
        (StackMode::Perf, None) => format!("{address:x} {symbol}"),
        _ => format!("{symbol}{}", outer.first().map_or_else(String::new, place)),
    });
    lines
}

/// `@file:line`
fn place(frame: &SourceFrame) -> String {
    match &frame.file {
        Some(file) if frame.line != 0 => format!("@{file}:{}", frame.line),
        _ => String::new(),
    }
}

impl Names for Symbolizer {
    fn preload(&mut self, pid: u32) {
        self.users.preload(pid);
    }

    fn kernel(&mut self, address: u64, offset: bool) -> String {
        text(&self.kernel.name(address), address, offset)
    }

    fn user(&mut self, pid: u32, address: u64, offset: bool) -> String {
        text(&self.user_symbol(pid, address), address, offset)
    }

    fn kernel_frame(&mut self, address: u64, mode: StackMode) -> Vec<String> {
        if matches!(mode, StackMode::Raw | StackMode::BuildId) {
            return vec![format!("{address:x}")];
        }
        let sym = self.kernel.name(address);
        let sources = self.kernel_source(address);
        frame_lines(&text(&sym, address, true), None, &sources, address, mode)
    }

    fn user_frame(&mut self, pid: u32, address: u64, mode: StackMode) -> Vec<String> {
        if matches!(mode, StackMode::Raw | StackMode::BuildId) {
            return vec![format!("{address:x}")];
        }
        let sym = self.user_symbol(pid, address);
        let sources = self.user_source(pid, address);
        let module = sym.as_ref().and_then(|s| s.module.clone());
        let module = module.as_deref().unwrap_or("[unknown]");
        frame_lines(&text(&sym, address, true), Some(module), &sources, address, mode)
    }
}

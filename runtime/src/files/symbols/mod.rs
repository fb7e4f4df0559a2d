//! Names of addresses: of the kernel and of programs.
//!
//! Everything is opened on first use, and what was found is kept: a process may be gone when its
//! addresses are printed again.

mod binary;
pub mod code;
pub mod demangle;
pub mod kallsyms;
pub mod kcore;
mod kernel;
mod kernel_format;
pub(in crate::files) mod mappings;
mod names;
mod perf_map;
mod source;
mod user;

#[cfg(test)]
pub(crate) mod tests;

pub use names::{HexNames, Names};
pub use source::source_line;

use kernel::KernelNames;
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
}

impl Names for Symbolizer {
    fn kernel(&mut self, address: u64) -> Option<Sym> {
        self.kernel.name(address)
    }

    fn user(&mut self, pid: u32, address: u64) -> Option<Sym> {
        self.users.name(pid, address, self.options)
    }

    fn kernel_source(&mut self, address: u64) -> Rc<[SourceFrame]> {
        self.kernel.frames(address, self.options)
    }

    fn user_source(&mut self, pid: u32, address: u64) -> Rc<[SourceFrame]> {
        self.users.frames(pid, address, self.options)
    }

    fn preload(&mut self, pid: u32) {
        self.users.preload(pid);
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.users.take_notes()
    }
}

//! The rbtrace language: from source text to a typed program.
//!
//! `text ─parse─▶ ast::Script ─expand─▶ ast::Script ─check─▶ hir::Program`
//!
//! Nothing in this crate does IO or asks the kernel: what must be known of the traced system is
//! asked through [`system::System`].

pub mod ast;
pub mod attach;
pub mod check;
pub mod compile;
pub mod context;
pub mod diag;
mod excerpt;
pub mod expand;
pub mod fixture;
pub mod format;
pub mod headers;
pub mod hir;
mod hir_dump;
pub mod parse;
pub mod select;
pub mod span;
pub mod system;
pub mod target;
pub mod types;

pub use check::check;
pub use compile::{Typed, compile, read};
pub use diag::{Diagnostic, Severity};
pub use expand::expand;
pub use parse::{parse, parse_with_headers, pretty};
pub use span::{Source, Span};
pub use system::System;

use std::rc::Rc;

/// What the command line says of how to compile.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Positional parameters `$1`, `$2`, ….
    pub params: Vec<String>,
    /// Named parameters given after `--` as `--name=value`; `None` for a bare `--name`.
    pub named_params: Vec<(String, Option<String>)>,
    /// `--unsafe` was given: `system()` and friends may be used.
    pub allow_unsafe: bool,
    /// `-p PID`: restricts uprobes and resolves their wildcards.
    pub pid: Option<i32>,
    /// `--dwarf-pid PID`: more processes in which `dw_ustack` works.
    pub unwound: Vec<i32>,
    /// `-c CMD`: the program that it runs. `cpid` has a value, and static probes are looked for in the program.
    pub command: Option<String>,
    /// Defaults and overrides of the config variables, in the order they apply: `(name, value)`.
    /// Those from the environment win over the script's own `config` block.
    pub env_config: Vec<(String, String)>,
    /// Where headers of one's own come from; `None`: nothing looks for them.
    pub headers: Option<Rc<dyn headers::Headers>>,
    /// Headers that the command line includes before all else.
    pub includes: Vec<String>,
    /// Types what is left of a text that could not be read whole: for completion.
    pub keep_going: bool,
    /// A map without keys that time series take for their clock, so that a test can set it.
    pub series_clock: Option<String>,
    /// `--probe-filter`: only the attach points that it wants are compiled.
    pub probe_filter: Option<Rc<dyn select::NameFilter>>,
    /// `-k`: report failed reads with their place as they happen, not only their number at the end.
    pub warn_reads: bool,
}

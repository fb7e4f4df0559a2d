//! One run of a script: everything that is loaded and attached, from start to end.
//!
//! **Invariant**: what a [`Session`] holds is gone when it is dropped, on whatever path.

mod attaching;
mod child;
mod ending;
mod main_loop;
mod report;
mod special;
mod stacks;
mod start;
#[cfg(test)]
mod tests;
mod watching;

use crate::files::symbols::Names;
use crate::run::attach::Link;
use crate::run::events::Printer;
use crate::run::load::Maps;
use crate::show::sink::Sink;
use crate::sys::mapped::Words;
use crate::sys::poll::Signals;
use crate::sys::ring::Ring;
use rbtrace_codegen::kernel::Kernel;
use rbtrace_codegen::object::{Control, Object};
use rbtrace_lang::target::Target;
use rbtrace_lang::{Diagnostic, Span, System};
use std::fmt;
use std::os::fd::OwnedFd;

/// Exit status when the kernel refuses a program.
const REFUSED: i32 = 255;

/// How to run.
#[derive(Default)]
pub struct RunOptions<'a> {
    /// Failed reads are told of as they happen, not only their number at the end.
    pub warn_reads: bool,
    /// Attaches all but begin and end, and leaves.
    pub dry_run: bool,
    /// Run this command and end with it.
    pub command: Option<String>,
    /// Only this process, and end with it.
    pub pid: Option<i32>,
    /// What the kernel can do; nothing that only newer ones can without it.
    pub kernel: Option<&'a dyn Kernel>,
    /// For members of structs that only printing asks for.
    pub system: Option<&'a dyn System>,
    /// Names of addresses; hex without.
    pub names: Option<Box<dyn Names + 'a>>,
}

impl fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions").field("command", &self.command).finish_non_exhaustive()
    }
}

/// Why a script did not run, or not to its end.
#[derive(Debug)]
pub struct RunError {
    /// What to tell.
    pub diagnostics: Vec<Diagnostic>,
    /// Exit status.
    pub status: i32,
    /// The kernel gave up verifying it: in its frugal form ([`rbtrace_codegen::object::Form`]) it may run.
    pub too_complex: bool,
}

impl From<Diagnostic> for RunError {
    fn from(d: Diagnostic) -> Self {
        RunError { diagnostics: vec![d], status: 1, too_complex: false }
    }
}

impl From<Vec<Diagnostic>> for RunError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        RunError { diagnostics, status: 1, too_complex: false }
    }
}

impl RunError {
    fn plain(message: impl Into<String>) -> Self {
        placeless(message).into()
    }
}

/// An error that no place of the script is to blame for.
fn placeless(message: impl Into<String>) -> Diagnostic {
    Diagnostic { span: None, ..Diagnostic::error(Span::default(), message) }
}

/// A running script.
struct Session<'a> {
    object: &'a Object,
    // Fields are dropped in this order: links first.
    links: Vec<Link>,
    programs: Vec<OwnedFd>,
    maps: Maps,
    control: Words,
    /// The ring buffer and the index of its map, where the script sends anything.
    ring: Option<(Ring, usize)>,
    printer: Printer<'a>,
    child: Option<child::Running>,
    watched: Option<OwnedFd>,
    signals: Signals,
    watch: Option<watching::Watch>,
    /// The mark of `exit()` has been read: records are dropped until the end's own.
    exited: bool,
    /// The last record ran a command.
    slow_record: bool,
    /// Why records cannot be read any more.
    broken_ring: Option<std::io::Error>,
    /// What has been told of each counter.
    told: Vec<u64>,
    attached: usize,
    options: Behaviour<'a>,
}

/// The options that matter after the start.
struct Behaviour<'a> {
    pid: Option<i32>,
    kernel: Option<&'a dyn Kernel>,
    warn_reads: bool,
}

/// Runs a compiled script to its end; returns its exit status. What it has to say goes to `sink`.
pub fn run<'a>(
    object: &'a Object,
    sink: Box<dyn Sink + 'a>,
    options: RunOptions<'a>,
) -> Result<i32, RunError> {
    let dry_run = options.dry_run;
    let mut session = Session::start(object, sink, options)?;
    if dry_run {
        session.attach_all()?;
        return Ok(session.leave());
    }
    session.run_special(&Target::Begin)?;
    if !session.exit_asked() {
        session.attach_all()?;
    }
    session.announce();
    if !session.exit_asked() {
        session.start_child()?;
        session.main_loop()?;
    }
    session.finish()
}

impl Session<'_> {
    fn exit_asked(&self) -> bool {
        self.control.get(Control::EXIT) != 0
    }
}

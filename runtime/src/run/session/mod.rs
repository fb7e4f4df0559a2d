//! One run of a script: everything that is loaded and attached, from start to end.
//!
//! **Invariant**: what a [`Session`] holds is gone when it is dropped, on whatever path.
//! **Invariant**: a session takes no signals, and what it has to say leaves it through its sink only.

mod attaching;
mod blocks;
mod child;
mod cost;
mod ending;
mod lists;
mod live_table;
mod misses;
mod polling;
mod report;
mod special;
mod stacks;
mod start;
mod steps;
#[cfg(test)]
mod tests;
mod traced_files;
mod unwind;
mod watching;

pub use child::program_of;
pub use ending::{Closing, Outcome};
pub use live_table::LiveTable;
pub use polling::Progress;

use crate::files::symbols::Names;
use crate::run::attach::{self, Link, List, Namesakes};
use crate::run::events::Printer;
use crate::run::load::KernelMaps;
use crate::show::sink::Sink;
use crate::sys;
use crate::sys::mapped::Words;
use crate::sys::ring::Ring;
use rbtrace_codegen::kernel::Kernel;
use rbtrace_codegen::object::{Control, Object, Point};
use rbtrace_lang::hir::ProbeId;
use rbtrace_lang::target::{Purpose, Target};
use rbtrace_lang::{Diagnostic, Severity, Span, System};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

/// Exit status when the kernel refuses a program.
const REFUSED: i32 = 255;

/// How to run.
#[derive(Default)]
pub struct RunOptions<'a> {
    /// Failed reads are reported as they happen, not only their number at the end.
    pub warn_reads: bool,
    /// Run this command and end with it. It dies with the thread that starts the session.
    pub command: Option<String>,
    /// Only this process, and end with it.
    pub pid: Option<i32>,
    /// More processes in which `dw_ustack` works.
    pub unwound: Vec<i32>,
    /// Attach nothing: run the script's blocks for this purpose.
    pub blocks: Option<Purpose>,
    /// Say at the end what each probe has cost.
    pub costs: bool,
    /// Detach the dearest probe where all of them together take more than this many percent of a CPU.
    pub max_overhead: Option<f64>,
    /// What the kernel can do; nothing that only newer ones can without it.
    pub kernel: Option<&'a dyn Kernel>,
    /// When this can be read, [`Session::poll`] returns: for signals, or whatever else its caller waits for.
    pub wake: Option<BorrowedFd<'a>>,
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
    /// What is wrong.
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

/// A warning that no place of the script is to blame for.
fn placeless_warning(text: String) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..placeless(text) }
}

/// What the system refused.
fn system_error(what: &str, err: &io::Error) -> RunError {
    let error = placeless(format!("{what}: {}", sys::describe(err)));
    match sys::limits::hint(err) {
        Some(hint) => error.hint(hint),
        None => error,
    }
    .into()
}

/// A running script: loaded and attached from [`Session::start`] until it is stopped or dropped.
///
/// ```no_run
/// use rbtrace_codegen::driver;
/// use rbtrace_lang::{Options, Source};
/// use rbtrace_runtime::kernel::{LiveKernel, LiveSystem};
/// use rbtrace_runtime::run::{RunOptions, Session, Progress};
/// use rbtrace_runtime::show::sink::{Said, Sink};
/// use std::time::Duration;
///
/// /// Keeps what `printf` prints.
/// #[derive(Default)]
/// struct Lines(Vec<String>);
///
/// impl Sink for &mut Lines {
///     fn say(&mut self, said: Said) {
///         if let Said::Printf(text) = said {
///             self.0.push(text.text());
///         }
///     }
/// }
///
/// let (system, kernel) = (LiveSystem::new(), LiveKernel::default());
/// let script = Source::new("reads", "tracepoint:syscalls:sys_enter_read { @[comm] = count(); }");
/// let compiled = driver::compile(script, &Options::default(), &system, &kernel);
/// let object = compiled.object.expect("the script is right");
///
/// let mut lines = Lines::default();
/// let options = RunOptions { kernel: Some(&kernel), system: Some(&system), ..RunOptions::default() };
/// let mut session = Session::start(&object, Box::new(&mut lines), options).expect("the kernel takes it");
/// for _ in 0..10 {
///     if session.poll(Duration::from_secs(1)).expect("the ring buffer can be read") == Progress::Ended {
///         break;
///     }
///     for table in session.tables() {
///         for row in table.rows().expect("the map can be read") {
///             println!("{} {:?} {:?}", table.name(), row.key, row.value);
///         }
///     }
/// }
/// let outcome = session.stop().expect("the script's end runs");
/// assert_eq!(outcome.lost(), 0);
/// ```
pub struct Session<'a> {
    object: &'a Object,
    // Fields are dropped in this order: links first.
    links: Vec<Link>,
    programs: Vec<OwnedFd>,
    maps: KernelMaps,
    control: Words,
    /// The ring buffer and the index of its map, where the script sends anything.
    ring: Option<(Ring, usize)>,
    printer: Printer<'a>,
    child: Option<child::Running>,
    watched: Option<OwnedFd>,
    watch: Option<watching::Watch>,
    /// The mark of `exit()` has been read: records are dropped until the end's own.
    exited: bool,
    /// The end of what the ring buffer held when `exit()` was noticed.
    exit_end: Option<u64>,
    /// There is nothing to wait for any more.
    over: bool,
    /// The last record ran a command.
    slow_record: bool,
    /// Why records cannot be read any more.
    broken_ring: Option<io::Error>,
    /// Rounds without an event.
    quiet_rounds: u32,
    /// What has been reported of each counter.
    reported: Vec<u64>,
    /// When lost events were reported last.
    lost_reported: Instant,
    /// The attach points that programs are attached to.
    attached: BTreeSet<ProbeId>,
    /// How many targets the kernel refused where the script goes on without.
    left_out: usize,
    /// Programs that are one in the kernel.
    pairs: Vec<attach::Pair>,
    namesakes: Namesakes,
    /// Measures what the probes cost, where that is asked for.
    meter: Option<cost::Meter>,
    traced_files: traced_files::TracedFiles,
    /// What the kernel is slow to close of probes that were detached on the way.
    slow_to_close: Vec<OwnedFd>,
    unwinder: Option<unwind::Unwinder>,
    /// The lists of iterators that are attached.
    lists: Vec<(List, &'a Point)>,
    options: Behaviour<'a>,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("attached", &self.attached).finish_non_exhaustive()
    }
}

/// The options that matter after the start.
struct Behaviour<'a> {
    pid: Option<i32>,
    kernel: Option<&'a dyn Kernel>,
    warn_reads: bool,
    wake: Option<BorrowedFd<'a>>,
    blocks: Option<Purpose>,
}

impl<'a> Session<'a> {
    /// Loads a compiled script, runs its `begin`, attaches the rest and lets the command run. What it has to say goes
    /// to `sink`.
    pub fn start(
        object: &'a Object,
        sink: Box<dyn Sink + 'a>,
        options: RunOptions<'a>,
    ) -> Result<Self, RunError> {
        let mut session = Session::load(object, sink, options)?;
        session.run_special(&Target::Begin)?;
        let blocks = session.options.blocks;
        if !session.exit_asked() && blocks.is_none() {
            session.attach_all()?;
        }
        session.pin_lists()?;
        session.announce();
        session.walk_lists()?;
        if let Some(purpose) = blocks
            && !session.exit_asked()
        {
            session.run_blocks(purpose)?;
        }
        session.over = blocks.is_some() || !session.has_more_to_do();
        if !session.exit_asked() {
            session.start_child()?;
        }
        Ok(session)
    }

    /// Loads and attaches a script, without running its `begin`, and detaches it again: only to see whether that works.
    pub fn try_out(
        object: &'a Object,
        sink: Box<dyn Sink + 'a>,
        options: RunOptions<'a>,
    ) -> Result<Closing, RunError> {
        let mut session = Session::load(object, sink, options)?;
        session.attach_all()?;
        Ok(session.detach())
    }

    /// The signals that a script has probes for (`self:signal:…`): who drives its session takes them, and hands them
    /// to [`Session::signal`].
    pub fn signals(object: &Object) -> Vec<i32> {
        let signal = |target: &Target| if let Target::SelfSignal(n) = target { Some(*n) } else { None };
        object.targets().filter_map(signal).collect()
    }

    /// Runs the script's probes for a signal that has arrived; false where it has none.
    pub fn signal(&mut self, signal: i32) -> Result<bool, RunError> {
        let probe = Target::SelfSignal(signal);
        let has = self.object.targets().any(|t| *t == probe);
        if has {
            self.run_special(&probe)?;
        }
        Ok(has)
    }

    /// Somebody wants the end soon: commands that events have asked for and that are still to be run are only counted
    /// from now on, and [`Session::poll`] says that all is over.
    pub fn interrupt(&mut self) {
        self.printer.skip_commands(true);
        self.over = true;
    }

    /// The script's maps as they are now, by name.
    pub fn tables(&self) -> Vec<LiveTable<'_, 'a>> {
        let tables = self.printer.tables_by_name();
        tables.into_iter().map(|(_, table)| LiveTable::new(table, &self.printer.env)).collect()
    }

    fn exit_asked(&self) -> bool {
        self.control.get(Control::EXIT) != 0
    }

    /// Was `exit()` called, and is everything that was sent before it dealt with? The commands among it find the script's
    /// programs attached. The mark of `exit()` may have found no room.
    fn exit_reached(&mut self) -> bool {
        if !self.exit_asked() {
            return false;
        }
        let Some((ring, _)) = &self.ring else { return true };
        let end = *self.exit_end.get_or_insert_with(|| ring.end());
        self.exited || ring.has_read(end)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // All programs stop at once, however long the kernel takes to close what held them.
        drop(self.detach());
    }
}

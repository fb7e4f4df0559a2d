//! What a session has to say, and where it goes: the one way out.
//!
//! **Invariant**: a session says everything through its sink; nothing else in it prints.

mod blocks;
mod json;
mod output;
mod text;

pub use json::JsonSink;
pub use output::{Buffering, Output};
pub use text::TextSink;

use crate::show::print::{Datum, Row};
use rbtrace_lang::types::Type;
use rbtrace_lang::{Diagnostic, Severity, Span};
use std::fmt;
use std::io;
use std::rc::Rc;

/// One thing that is said.
#[derive(Debug)]
pub enum Said<'a> {
    /// The probes are attached, this many.
    Attached(usize),
    /// An iterator has this name now, and whoever reads the file runs it.
    Pinned(&'a str),
    /// `printf`: the format, and its arguments in the record.
    Printf(Formatted<'a>),
    /// `errorf`, `warnf`: where they stand, and the calls of the macros around them, innermost first.
    Complaint(Severity, Formatted<'a>, Span, &'a [Span]),
    /// `print` of a value, or of one entry of a map.
    Value(&'a Datum),
    /// `print` of a map, and at the end each map that has entries.
    Map {
        /// Its name with `@`.
        name: &'a str,
        /// The type of its values.
        ty: &'a Type,
        /// Its entries: what is to be shown of them, in that order.
        rows: &'a [Row],
    },
    /// What another function of the language prints.
    Output(OutputKind, &'a [u8]),
    /// `cat` of a file that cannot be read: its path and why.
    Unreadable(&'a str, &'a io::Error),
    /// How far a long task has come: its name, steps done and all steps; `None` where it is over.
    Progress(Option<(&'a str, usize, usize)>),
    /// What the probes have cost, dearest first.
    Costs(&'a [Cost]),
    /// How many events were lost since this was last said.
    Lost(u64),
    /// A helper failed to read an address (`-k`), at this place.
    ReadFailed(&'static str, Span),
    /// A test has been run.
    Tested {
        /// The names of all tests.
        names: &'a [Rc<str>],
        /// Which of those that were run passed; the last is that of this test.
        passed: &'a [bool],
        /// How long it took.
        nanos: u64,
        /// What it printed.
        output: &'a [u8],
    },
    /// A block has been measured.
    Measured {
        /// The names of all blocks.
        names: &'a [Rc<str>],
        /// Which of them.
        index: usize,
        /// Is it the first that is shown?
        first: bool,
        /// Nanoseconds that it takes.
        average: u64,
        /// How often it was run.
        runs: u64,
    },
    /// A warning about the run.
    Warning(&'a Diagnostic),
    /// How things are done, for those who want to know.
    Detail(&'a str),
    /// All is detached; the maps follow.
    Ended,
}

/// What a probe has cost; several that share a program share its cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Its name.
    pub probe: String,
    /// How often its program ran.
    pub hits: u64,
    /// For how long in all.
    pub nanos: u64,
    /// Share of one CPU.
    pub percent: f64,
}

impl Cost {
    /// How long one run took.
    pub fn nanos_per_hit(&self) -> u64 {
        self.nanos.checked_div(self.hits).unwrap_or(0)
    }
}

/// What a format makes of its arguments, on demand: not everybody wants the text.
#[derive(Clone, Copy)]
pub struct Formatted<'a>(&'a dyn Fn(bool, &mut Vec<u8>));

impl<'a> Formatted<'a> {
    /// `render` appends the text; where its first argument is true, what the arguments bring is escaped so that it
    /// cannot steer a terminal.
    pub fn new(render: &'a dyn Fn(bool, &mut Vec<u8>)) -> Self {
        Formatted(render)
    }

    /// Appends the text, for a terminal or as it is.
    pub fn render(&self, terminal: bool, out: &mut Vec<u8>) {
        (self.0)(terminal, out);
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        self.render(false, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl fmt::Debug for Formatted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Formatted").field(&self.text()).finish()
    }
}

/// Functions whose output is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// `time`
    Time,
    /// `join`
    Join,
    /// `cat`
    Cat,
    /// `system`
    System,
}

/// Takes what a session says.
pub trait Sink {
    /// Takes one thing.
    fn say(&mut self, said: Said);
    /// The record of an event has been dealt with.
    fn event_done(&mut self) {}
    /// No event is waiting.
    fn idle(&mut self) {}
    /// Nothing may be held back any more.
    fn flush(&mut self) {}
    /// Why nothing can be taken any more: the session then ends.
    fn failure(&self) -> Option<&io::Error> {
        None
    }
}

/// What the user wants to hear besides what the script prints.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Nothing of attaching (`-q`).
    pub quiet: bool,
    /// How things were attached (`-v`).
    pub verbose: bool,
    /// No warnings (`--no-warnings`).
    pub no_warnings: bool,
}

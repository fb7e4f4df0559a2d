//! What a session has to say, and where it goes: the one way out.
//!
//! **Invariant**: a session says everything through its sink; nothing else in it prints.

mod json;
mod output;
mod text;

pub use json::JsonSink;
pub use output::{Buffering, Output};
pub use text::TextSink;

use crate::run::tables::{Entry, Table, Value};
use crate::show::print::Env;
use rbtrace_codegen::object::RecordField;
use rbtrace_lang::format::Piece;
use rbtrace_lang::types::Type;
use rbtrace_lang::{Diagnostic, Severity, Span};
use std::io;

/// One thing that is said.
#[derive(Debug)]
pub enum Said<'a> {
    /// The probes are attached: so many.
    Attached(usize),
    /// `printf`: the format, and its arguments in the record.
    Printf(Formatted<'a>),
    /// `errorf`, `warnf`.
    Complaint(Severity, Formatted<'a>, Span),
    /// `print` of a value: its type and bytes.
    Value(&'a Type, &'a [u8]),
    /// `print` of one entry of a map.
    Entry(&'a Table, &'a Value),
    /// A whole map.
    Map {
        /// The map.
        table: &'a Table,
        /// What was in it.
        entries: Vec<Entry>,
        /// Only the largest so many; 0: all.
        top: u32,
        /// Values are divided by this (of count, average and total the average); 0 means 1.
        div: u64,
    },
    /// What another function of the language prints.
    Output(Function, &'a [u8]),
    /// `cat` of a file that cannot be read: its path and why.
    Unreadable(&'a str, &'a io::Error),
    /// So many events were lost since this was said last.
    Lost(u64),
    /// A helper failed to read an address (`-k`), at this place.
    ReadFailed(&'static str, Span),
    /// A warning about the run.
    Warning(&'a Diagnostic),
    /// How things are done, for those who want to know.
    Detail(&'a str),
    /// All is detached; the maps follow.
    Ended,
}

/// A format and its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Formatted<'a> {
    /// The format.
    pub pieces: &'a [Piece],
    /// Where the arguments lie in the record.
    pub fields: &'a [RecordField],
    /// The record.
    pub record: &'a [u8],
}

/// Functions whose output is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
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
    /// Takes one thing; `env` names what is in it.
    fn say(&mut self, env: &Env, said: Said);
    /// The record of an event has been dealt with.
    fn event_done(&mut self);
    /// No event is waiting.
    fn idle(&mut self);
    /// Nothing may be held back any more.
    fn flush(&mut self);
    /// Why nothing can be taken any more.
    fn failure(&self) -> Option<&io::Error>;
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

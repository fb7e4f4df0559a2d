//! The end: detach, print what is left, report what went wrong.

use super::{RunError, Session, placeless};
use crate::run::attach;
use crate::show::sink::Said;
use crate::sys::{self, process};
use rbtrace_codegen::object::{Control, Counter, Fault};
use rbtrace_lang::Diagnostic;
use rbtrace_lang::target::Target;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

/// How a run has ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The script's exit status.
    pub status: i32,
    /// What went wrong on the way, and how often.
    pub faults: Vec<(&'a Counter, u64)>,
    /// Why the sink took no more, unless its reader has seen enough.
    pub sink_failed: Option<Diagnostic>,
    /// What the kernel is slow to close.
    pub closing: Closing,
}

impl Outcome<'_> {
    /// How many events found no room on their way to us.
    pub fn lost(&self) -> u64 {
        self.faults.iter().filter(|(c, _)| c.what == Fault::EventLost).map(|(_, count)| count).sum()
    }
}

/// Perf events that are disabled: nothing is attached any more, but the kernel is slow to close them (75 ms for a
/// tracepoint). Dropping this waits for it.
#[derive(Debug)]
pub struct Closing(Vec<OwnedFd>);

impl Closing {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Leaves them to a process of their own, which is forked for that and ends when they are closed.
    pub fn in_background(self) {
        if !self.0.is_empty() {
            process::close_behind(self.0);
        }
    }
}

impl<'a> Session<'a> {
    /// Ends the run: detaches, prints what has arrived, runs the script's `end` and prints its maps.
    pub fn stop(mut self) -> Result<Outcome<'a>, RunError> {
        let misses = self.misses();
        let closing = self.detach();
        self.drain_all();
        self.exited = false;
        // What a signal cut short is over; the commands of `end` are part of the end.
        self.printer.skip_commands(false);
        self.run_special(&Target::End)?;
        self.drain_all();
        self.printer.say(Said::Ended);
        if self.object.config.print_maps_on_exit {
            self.printer.all_maps();
        }
        self.printer.sink.flush();
        self.report();
        self.report_misses(&misses);
        self.report_traced_files();
        self.report_costs();
        self.printer.sink.flush();
        let faults = self.counts().into_iter().filter(|(_, count)| *count > 0).collect();
        let status = self.control.get(Control::EXIT_CODE) as i32;
        let failure = self.printer.sink.failure().filter(|e| e.kind() != ErrorKind::BrokenPipe);
        let sink_failed =
            failure.map(|e| placeless(format!("Failed to write the output: {}", sys::describe(e))));
        if closing.count() > 0 {
            self.tell(&format!("{} perf events are still to be closed", closing.count()));
        }
        Ok(Outcome { status, faults, sink_failed, closing })
    }

    fn report(&mut self) {
        if self.options.warn_reads {
            self.report_reads();
        }
        self.report_lost();
        self.report_counters();
        self.report_skipped();
        self.report_names();
    }

    /// Takes all programs off.
    pub(super) fn detach(&mut self) -> Closing {
        let mut closing = attach::detach(std::mem::take(&mut self.links));
        closing.append(&mut self.slow_to_close);
        Closing(closing)
    }
}

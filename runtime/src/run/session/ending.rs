//! The end: detach, print what is left, report what went wrong.

use super::{RunError, Session};
use crate::run::attach;
use crate::show::sink::Said;
use crate::sys::process;
use rbtrace_codegen::object::Control;
use rbtrace_lang::target::Target;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

impl Session<'_> {
    /// Ends the run; returns its exit status.
    pub(super) fn finish(mut self) -> Result<i32, RunError> {
        let slow = attach::detach(std::mem::take(&mut self.links));
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
        if self.options.warn_reads {
            self.report_reads();
        }
        self.report_lost();
        self.report_counters();
        self.report_skipped();
        self.report_names();
        let status = self.control.get(Control::EXIT_CODE) as i32;
        let result = match self.printer.sink.failure() {
            // The reader has seen enough.
            Some(e) if e.kind() == ErrorKind::BrokenPipe => Ok(status),
            Some(e) => Err(super::start::system_error("Failed to write the output", e)),
            None => Ok(status),
        };
        self.close(slow);
        result
    }

    /// Detaches without running end or printing anything: the end of a dry run.
    pub(super) fn leave(mut self) -> i32 {
        let slow = attach::detach(std::mem::take(&mut self.links));
        self.close(slow);
        0
    }

    /// Gives everything back; what is slow to close is left to a process of its own.
    fn close(mut self, slow: Vec<OwnedFd>) {
        if slow.is_empty() {
            return;
        }
        self.tell(&format!("{} perf events are closed in the background", slow.len()));
        // First what is quick: the process that is forked must not hold programs or maps.
        drop(self);
        process::close_behind(slow);
    }
}

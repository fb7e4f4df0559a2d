//! Waiting and printing until the end.

use super::{RunError, Session};
use crate::bytes::u32_at;
use crate::sys::poll;
use rbtrace_codegen::object::{Control, Header};
use rbtrace_lang::target::Target;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// While events flow the ring buffer is looked at so often (milliseconds): no program wakes us then.
const BUSY_MS: i32 = 5;
/// So many events in one round are a flood: the ring buffer must be emptied sooner.
const MANY: usize = 4096;
/// The pause then.
const FLOOD_MS: i32 = 1;
/// Rounds without an event after which we sleep until a program wakes us.
const QUIET_ROUNDS: u32 = 4;
/// Longest sleep: the exit flag is looked at so often.
const SLEEP_MS: i32 = 50;
/// How often lost events are told of.
const LOST_EVERY: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Lets the child of `-c` run.
    pub(super) fn start_child(&mut self) -> Result<(), RunError> {
        self.child.as_mut().map_or(Ok(()), super::child::Running::start)
    }

    /// Until `exit()`, a signal, the end of the child or the traced process, or nothing is left to wait for.
    pub(super) fn main_loop(&mut self) -> Result<(), RunError> {
        let mut quiet_rounds = QUIET_ROUNDS;
        let mut told = Instant::now();
        let only_special = !self.has_more_to_do();
        loop {
            let events = self.drain();
            if let Some(e) = self.broken_ring.take() {
                return Err(super::start::system_error("The ring buffer cannot be mapped", &e));
            }
            if only_special || self.exit_asked() || self.printer.sink.failure().is_some() {
                return Ok(());
            }
            self.remember_symbols();
            quiet_rounds = if events > 0 { 0 } else { quiet_rounds + 1 };
            let over = match quiet_rounds {
                QUIET_ROUNDS.. => self.sleep(),
                0 if self.slow_record => self.wait(0, false),
                0 if events >= MANY => self.wait(FLOOD_MS, false),
                _ => self.wait(BUSY_MS, false),
            };
            if over? {
                return Ok(());
            }
            if self.options.warn_reads {
                self.report_reads();
            }
            if told.elapsed() >= LOST_EVERY {
                told = Instant::now();
                self.report_lost();
            }
        }
    }

    /// Prints the records that have arrived, up to the mark of `exit()`; returns how many. After one that runs
    /// a command it stops, as a signal may be waiting.
    pub(super) fn drain(&mut self) -> usize {
        let Some((ring, _)) = &mut self.ring else {
            self.printer.sink.idle();
            return 0;
        };
        let (printer, exited, slow) = (&mut self.printer, &mut self.exited, &mut self.slow_record);
        *slow = false;
        let count = ring.consume(|record| {
            *exited |= is_exit(record);
            if !*exited {
                *slow = printer.record(record);
            }
            !*slow && printer.sink.failure().is_none()
        });
        printer.sink.idle();
        count.unwrap_or_else(|e| {
            self.broken_ring = Some(e);
            0
        })
    }

    /// Prints all records that are there.
    pub(super) fn drain_all(&mut self) {
        while self.drain() > 0 && self.printer.sink.failure().is_none() {}
    }

    /// Sleeps until a program wakes us. The flag is set first and the ring looked at again: a record that
    /// came in between is not missed.
    fn sleep(&mut self) -> Result<bool, RunError> {
        self.control.set(Control::SLEEPING, 1);
        let empty = self.ring.as_ref().is_none_or(|(ring, _)| ring.is_empty());
        let over = if empty { self.wait(SLEEP_MS, true) } else { Ok(false) };
        self.control.set(Control::SLEEPING, 0);
        over
    }

    /// Waits for signals, processes and, with `for_ring`, for records. True when it is time to end.
    fn wait(&mut self, millis: i32, for_ring: bool) -> Result<bool, RunError> {
        let millis = self.patience(millis);
        let mut fds = vec![self.signals.descriptor()];
        fds.extend(self.child.as_ref().map(super::child::Running::descriptor));
        fds.extend(self.watched.as_ref().map(AsFd::as_fd));
        let processes = fds.len();
        if let (true, Some((_, index))) = (for_ring, &self.ring) {
            fds.push(self.maps.fds[*index].as_fd());
        }
        let ready = poll::readable(&fds, millis).map_err(|e| super::start::system_error("poll", &e))?;
        let process_ended = ready[1..processes].iter().any(|r| *r);
        if ready[0] && self.signalled()? {
            return Ok(true);
        }
        Ok(process_ended)
    }

    /// Runs the probes of signals that have arrived; true when one of them asks for the end.
    fn signalled(&mut self) -> Result<bool, RunError> {
        while let Some(signal) = self.signals.next() {
            let probe = Target::SelfSignal(signal);
            if self.object.targets().any(|t| *t == probe) {
                self.run_special(&probe)?;
            } else if signal != libc::SIGUSR1 {
                // Nobody who interrupts us wants to wait for commands that are still to be run.
                self.printer.skip_commands(true);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Does `exit()` mark its place with this record?
fn is_exit(record: &[u8]) -> bool {
    u32_at(record, 0) == Header::EXIT
}

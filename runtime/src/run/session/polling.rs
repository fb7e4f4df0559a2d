//! Waiting, and dealing with what has arrived.

use super::{RunError, Session, system_error};
use crate::bytes::u32_at;
use crate::sys::poll;
use rbtrace_codegen::object::{Attachment, Control, Header};
use rbtrace_lang::target::Target;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long we wait before the ring buffer is read again while events flow (milliseconds): no program wakes us then.
const BUSY_MS: i32 = 5;
/// This many events in one round are a flood: the ring buffer must be emptied sooner.
const MANY: usize = 4096;
/// The pause then.
const FLOOD_MS: i32 = 1;
/// Rounds without an event after which we sleep until a program wakes us.
pub(super) const QUIET_ROUNDS: u32 = 4;
/// Longest sleep: how often the flag of `exit()` is read.
const SLEEP_MS: i32 = 50;
/// How often lost events are reported.
const LOST_EVERY: Duration = Duration::from_secs(1);

/// How far a script has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on.
    Running,
    /// It has nothing to wait for any more: `exit()` was called, its command or the traced process has ended, it was
    /// interrupted, or its sink has failed. What is left is to stop it.
    Ended,
}

/// What has ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// Time has passed, or there are records.
    Perhaps,
    /// A process has ended.
    ByEnd,
    /// Our caller is wanted elsewhere.
    ByCaller,
}

impl Session<'_> {
    /// Deals with the events that have arrived and with those that arrive until `timeout` has passed. Returns sooner
    /// where the script has ended, or [`super::RunOptions::wake`] can be read.
    ///
    /// Between two calls events wait in the ring buffer, 4 MiB of them: what finds no room is lost, and counted.
    pub fn poll(&mut self, timeout: Duration) -> Result<Progress, RunError> {
        let until = Instant::now().checked_add(timeout);
        loop {
            let events = self.drain();
            self.unwatch();
            if let Some(e) = self.broken_ring.take() {
                return Err(system_error("The ring buffer cannot be mapped", &e));
            }
            if self.over || self.exit_reached() || self.printer.sink.failure().is_some() {
                return Ok(Progress::Ended);
            }
            self.remember_symbols();
            self.serve_unwinding();
            let left = until.map_or(Duration::MAX, |u| u.saturating_duration_since(Instant::now()));
            let woken = self.pause(events, i32::try_from(left.as_millis()).unwrap_or(i32::MAX))?;
            self.report_on_the_way();
            self.over |= woken == Woken::ByEnd;
            if woken == Woken::ByCaller || left.is_zero() {
                return Ok(Progress::Running);
            }
        }
    }

    /// Waits until it is worth while to look at the ring buffer again, `most` milliseconds at most.
    fn pause(&mut self, events: usize, most: i32) -> Result<Woken, RunError> {
        self.quiet_rounds = if events > 0 { 0 } else { self.quiet_rounds.saturating_add(1) };
        match self.quiet_rounds {
            QUIET_ROUNDS.. => self.sleep(most),
            0 if self.slow_record => self.wait(0, false),
            0 if events >= MANY => self.wait(FLOOD_MS.min(most), false),
            _ => self.wait(BUSY_MS.min(most), false),
        }
    }

    /// What users want to know at once.
    fn report_on_the_way(&mut self) {
        if self.options.warn_reads {
            self.report_reads();
        }
        self.limit_overhead();
        if self.lost_reported.elapsed() >= LOST_EVERY {
            self.lost_reported = Instant::now();
            self.report_lost();
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
            if u32_at(record, 0) == Header::PROCESS {
                printer.env.names.borrow_mut().preload(u32_at(record, 4));
            } else if !*exited {
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

    /// Takes off the watchpoints that the script wants no more.
    fn unwatch(&mut self) {
        for wanted in std::mem::take(&mut self.printer.unwatched) {
            let is_there =
                |a: &Attachment| matches!(a.target, Target::Watchpoint { address, .. } if address == wanted);
            for (index, program) in self.object.programs.iter().enumerate() {
                if program.attach.iter().any(is_there) {
                    self.take_off(index);
                }
            }
        }
    }

    /// Prints all records that are there.
    pub(super) fn drain_all(&mut self) {
        while self.drain() > 0 && self.printer.sink.failure().is_none() {}
    }

    /// Sleeps until a program wakes us. The flag is set first and the ring looked at again: a record that
    /// came in between is not missed.
    fn sleep(&mut self, most: i32) -> Result<Woken, RunError> {
        self.control.set(Control::SLEEPING, 1);
        let empty = self.ring.as_ref().is_none_or(|(ring, _)| ring.is_empty());
        let woken = if empty { self.wait(SLEEP_MS.min(most), true) } else { Ok(Woken::Perhaps) };
        self.control.set(Control::SLEEPING, 0);
        woken
    }

    /// Waits for the caller's descriptor, for processes and, with `for_ring`, for records.
    fn wait(&mut self, millis: i32, for_ring: bool) -> Result<Woken, RunError> {
        let millis = self.patience(millis);
        let child = self.child.as_ref().map(super::child::Running::descriptor);
        let processes = child.into_iter().chain(self.watched.as_ref().map(AsFd::as_fd));
        let mut fds: Vec<_> = processes.collect();
        let (processes, wake) = (fds.len(), self.options.wake);
        fds.extend(wake);
        if let (true, Some((_, index))) = (for_ring, &self.ring) {
            fds.push(self.maps.fds[*index].as_fd());
        }
        let ready = poll::readable(&fds, millis).map_err(|e| system_error("poll", &e))?;
        Ok(match () {
            () if wake.is_some() && ready[processes] => Woken::ByCaller,
            () if ready[..processes].contains(&true) => Woken::ByEnd,
            () => Woken::Perhaps,
        })
    }
}

/// Does `exit()` mark its place with this record?
fn is_exit(record: &[u8]) -> bool {
    u32_at(record, 0) == Header::EXIT
}

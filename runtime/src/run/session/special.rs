//! The programs that nothing in the kernel fires: `begin`, `end`, signals.

use super::{RunError, Session};
use crate::sys;
use crate::sys::bpf;
use rbtrace_lang::Diagnostic;
use rbtrace_lang::target::Target;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Bytes of records that are kept for later while a program that loops is running; what comes after them must
/// find room in the ring buffer.
const KEPT: usize = 256 * 1024 * 1024;
/// How often the ring buffer is emptied then: a loop fills 4 MiB in no less than 8 ms.
const PAUSE: Duration = Duration::from_micros(200);

impl Session<'_> {
    /// Runs the programs of `begin`, `end` or a signal.
    pub(super) fn run_special(&mut self, target: &Target) -> Result<(), RunError> {
        for (index, program) in self.object.programs.iter().enumerate() {
            for to in program.attach.iter().filter(|a| a.target == *target) {
                let Some(point) = self.point(to) else { continue };
                self.run_program(index).map_err(|e| {
                    let text = format!("Failed to run {}: {}", point.name, sys::describe(&e));
                    RunError::from(Diagnostic::error(point.span, text))
                })?;
                if self.exit_asked() && *target != Target::End {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Runs a program on this thread, so that `tid` is ours. While one that loops is running, another thread
    /// empties the ring buffer.
    fn run_program(&mut self, index: usize) -> io::Result<()> {
        let program = self.programs[index].as_fd();
        let Some((ring, _)) = self.ring.as_mut().filter(|_| self.object.programs[index].loops) else {
            return bpf::test_run(program).map(drop);
        };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            // An error of the ring comes up again, and is reported, when the records are printed. Where there can be no
            // thread, what the ring does not hold is lost, and counted.
            let _ = thread::Builder::new().spawn_scoped(scope, || {
                while !done.load(Ordering::Acquire) && ring.keep(KEPT).is_ok() {
                    thread::sleep(PAUSE);
                }
            });
            let result = bpf::test_run(program);
            done.store(true, Ordering::Release);
            result.map(drop)
        })
    }
}

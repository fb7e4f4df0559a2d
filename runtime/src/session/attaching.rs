//! Attaching everything, and telling of it.

use super::{RunError, Session, placeless};
use crate::attach::{self, Failure, Link};
use crate::print::Format;
use crate::sys::{self, bpf};
use rbtrace_codegen::object::{Program, ProgramType};
use rbtrace_lang::hir::{Attach, AttachPoint, MissingProbes};
use rbtrace_lang::{Diagnostic, Severity};
use std::os::fd::AsFd;

impl<'a> Session<'a> {
    fn points_of(&self, program: &Program) -> Vec<&'a AttachPoint> {
        program.attach.iter().filter_map(|id| self.points.get(id).copied()).collect()
    }

    /// Can one link serve all functions of this program?
    pub(super) fn is_multi(&self, program: &Program) -> bool {
        let points = self.points_of(program);
        let whole =
            |p: &&AttachPoint| matches!(&p.kind, Attach::Kprobe { func, offset: 0, .. } if !func.is_empty());
        self.options.kprobe_multi
            && program.ty == ProgramType::Kprobe
            && points.len() > 1
            && points.iter().all(whole)
    }

    /// Attaches every program to its places.
    pub(super) fn attach_all(&mut self) -> Result<(), RunError> {
        let object = self.object;
        for (index, program) in object.programs.iter().enumerate() {
            if self.is_multi(program) && self.attach_multi(index)? {
                continue;
            }
            self.attach_program(index)?;
        }
        Ok(())
    }

    fn attach_program(&mut self, index: usize) -> Result<(), RunError> {
        let program = &self.object.programs[index];
        let mut served = Vec::new();
        for point in self.points_of(program) {
            if is_special(&point.kind) {
                self.attached += 1;
                continue;
            }
            // Many tracepoints may hang on one raw tracepoint, told apart in the program.
            let shared = attach::shared_event(program, point);
            if shared.is_some() && served.contains(&shared) {
                self.attached += 1;
                continue;
            }
            let fd = self.programs[index].as_fd();
            match attach::attach(fd, program, point, self.options.pid) {
                Ok(link) => {
                    served.push(shared);
                    self.keep(link, point);
                }
                Err(failure) => self.missing(point, &failure)?,
            }
        }
        Ok(())
    }

    /// One link for entries, one for returns. `false` where the kernel does not take them all at once;
    /// the program is then loaded anew for single attach points.
    fn attach_multi(&mut self, index: usize) -> Result<bool, RunError> {
        let points = self.points_of(&self.object.programs[index]);
        let mut links = Vec::new();
        for want_ret in [false, true] {
            let functions: Vec<(&str, u64)> = points
                .iter()
                .filter_map(|p| match &p.kind {
                    Attach::Kprobe { func, ret, .. } if *ret == want_ret => {
                        Some((&**func, u64::from(p.id.0)))
                    }
                    _ => None,
                })
                .collect();
            if functions.is_empty() {
                continue;
            }
            match attach::attach_multi(self.programs[index].as_fd(), &functions, want_ret) {
                Ok(link) => links.push(link),
                Err(failure) => {
                    self.tell(&format!(
                        "kprobe-multi: {}; attaching one by one",
                        sys::describe(&failure.error)
                    ));
                    self.programs[index] = self.load_plain(index)?;
                    return Ok(false);
                }
            }
        }
        self.tell(&format!("attached {} functions by kprobe-multi", points.len()));
        self.attached += points.len();
        self.links.extend(links);
        Ok(true)
    }

    fn keep(&mut self, link: Link, point: &AttachPoint) {
        self.tell(&format!("attached {} by {}", point.name, link.method));
        self.links.push(link);
        self.attached += 1;
    }

    fn missing(&self, point: &AttachPoint, failure: &Failure) -> Result<(), RunError> {
        let severity = match self.program.config.missing_probes {
            MissingProbes::Error => Severity::Error,
            MissingProbes::Warn => Severity::Warning,
            MissingProbes::Ignore => return Ok(()),
        };
        let mut told = failure.diagnostic(point);
        told.severity = severity;
        if severity == Severity::Error {
            // In the reference's words, which tools look for.
            let name = &point.name;
            let also = placeless(format!(
                "Unable to attach probe: {name}. If this is expected, set the 'missing_probes' config variable to \
                 'warn'."
            ));
            return Err(RunError { diagnostics: vec![told, also], status: 1 });
        }
        if !self.options.no_warnings {
            told.message = format!("Unable to attach probe: {}. Skipping. {}", point.name, told.message);
            eprint!("{}", told.render(&self.program.sources));
        }
        Ok(())
    }

    /// Runs the programs of `begin`, `end` or a signal.
    pub(super) fn run_special(&mut self, kind: &Attach) -> Result<(), RunError> {
        for (index, program) in self.object.programs.iter().enumerate() {
            for point in self.points_of(program).iter().filter(|p| p.kind == *kind) {
                bpf::test_run(self.programs[index].as_fd()).map_err(|e| {
                    let text = format!("Failed to run {}: {}", point.name, sys::describe(&e));
                    RunError::from(Diagnostic::error(point.span, text))
                })?;
                if self.exit_asked() && *kind != Attach::End {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Is there anything to wait for?
    pub(super) fn has_more_to_do(&self) -> bool {
        self.points.values().any(|p| !matches!(p.kind, Attach::Begin | Attach::End))
    }

    /// Tells how many probes there are.
    pub(super) fn announce(&mut self) {
        if !self.options.quiet {
            self.tell_number();
        }
        if let Some(line) = self.options.notify.take() {
            // To standard output even where the script's output goes to a file.
            use std::io::Write;
            self.printer.out.flush();
            let mut stdout = std::io::stdout().lock();
            let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        }
    }

    fn tell_number(&mut self) {
        let n = if self.attached == 0 { self.points.len() } else { self.attached };
        match self.printer.format {
            Format::Text => say(&format!("Attached {n} probe{}", if n == 1 { "" } else { "s" })),
            Format::Json => {
                let line = format!(
                    "{{\"type\": \"attached_probes\", \"count\": {n}, \"data\": {{\"probes\": {n}}}}}\n"
                );
                self.printer.out.buf.extend_from_slice(line.as_bytes());
            }
        }
    }

    pub(super) fn tell(&self, text: &str) {
        if self.options.verbose {
            eprintln!("{text}");
        }
    }
}

/// Writes a line to standard error in one piece.
fn say(line: &str) {
    use std::io::Write;
    // Nobody can be told that standard error is gone.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn is_special(kind: &Attach) -> bool {
    matches!(kind, Attach::Begin | Attach::End | Attach::SelfSignal(_))
}

//! Attaching everything, and telling of it.

use super::{RunError, Session, placeless};
use crate::attach::{self, Failure, Link, Multi};
use crate::sink::Said;
use crate::sys;
use rbtrace_codegen::kernel::Feature;
use rbtrace_codegen::object::Program;
use rbtrace_lang::hir::{Attach, AttachPoint, MissingProbes};
use rbtrace_lang::{Diagnostic, Severity};
use std::os::fd::AsFd;

impl<'a> Session<'a> {
    pub(super) fn points_of(&self, program: &Program) -> Vec<&'a AttachPoint> {
        program.attach.iter().filter_map(|id| self.points.get(id).copied()).collect()
    }

    /// The link that can serve all places of this program at once, where the kernel has it.
    pub(super) fn multi(&self, program: &Program) -> Option<Multi> {
        let multi = Multi::of(program, &self.points_of(program))?;
        let feature = match multi {
            Multi::Kprobe => Feature::KprobeMulti,
            Multi::Uprobe => Feature::UprobeMulti,
        };
        self.options.kernel.is_some_and(|k| k.has(feature)).then_some(multi)
    }

    /// Attaches every program to its places.
    ///
    /// The kernel runs the uprobes of one place newest first, so those are attached from the last to the
    /// first: they run in the order of the script.
    pub(super) fn attach_all(&mut self) -> Result<(), RunError> {
        let user = |p: &Program| self.points_of(p).iter().any(|p| matches!(p.kind, Attach::Uprobe { .. }));
        let (of_user, others): (Vec<usize>, Vec<usize>) =
            (0..self.object.programs.len()).partition(|&i| user(&self.object.programs[i]));
        for index in others.into_iter().chain(of_user.into_iter().rev()) {
            match self.multi(&self.object.programs[index]) {
                Some(multi) if self.attach_multi(index, multi)? => {}
                _ => self.attach_program(index)?,
            }
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

    /// `false` where the kernel does not take all places at once; the program is then loaded anew for single
    /// attach points.
    fn attach_multi(&mut self, index: usize, multi: Multi) -> Result<bool, RunError> {
        let points = self.points_of(&self.object.programs[index]);
        match multi.attach(self.programs[index].as_fd(), &points, self.options.pid) {
            Ok(link) => {
                self.tell(&format!("attached {} functions by {}", points.len(), multi.name()));
                self.attached += points.len();
                self.links.push(link);
                Ok(true)
            }
            Err(failure) => {
                let why = sys::describe(&failure.error);
                self.tell(&format!("{}: {why}; attaching one by one", multi.name()));
                self.programs[index] = self.load_plain(index)?;
                Ok(false)
            }
        }
    }

    fn keep(&mut self, link: Link, point: &AttachPoint) {
        self.tell(&format!("attached {} by {}", point.name, link.method));
        if let Some(note) = &link.note {
            self.printer.say(Said::Warning(&Diagnostic::warning(point.span, note.clone())));
        }
        self.links.push(link);
        self.attached += 1;
    }

    fn missing(&mut self, point: &AttachPoint, failure: &Failure) -> Result<(), RunError> {
        let severity = match self.program.config.missing_probes {
            MissingProbes::Error => Severity::Error,
            MissingProbes::Warn => Severity::Warning,
            MissingProbes::Ignore => return Ok(()),
        };
        let mut told = failure.diagnostic(point);
        told.severity = severity;
        if severity == Severity::Error {
            let name = &point.name;
            let also = placeless(format!(
                "nothing runs without {name}: config missing_probes=warn runs the script without it"
            ));
            return Err(RunError { diagnostics: vec![told, also], status: 1, too_complex: false });
        }
        told.message = format!("{} is left out: {}", point.name, told.message);
        self.printer.say(Said::Warning(&told));
        Ok(())
    }

    /// Is there anything to wait for?
    pub(super) fn has_more_to_do(&self) -> bool {
        self.points.values().any(|p| !matches!(p.kind, Attach::Begin | Attach::End))
    }

    /// Says how many probes there are.
    pub(super) fn announce(&mut self) {
        let n = if self.attached == 0 { self.points.len() } else { self.attached };
        self.printer.say(Said::Attached(n));
    }

    pub(super) fn tell(&mut self, text: &str) {
        self.printer.say(Said::Detail(text));
    }
}

fn is_special(kind: &Attach) -> bool {
    matches!(kind, Attach::Begin | Attach::End | Attach::SelfSignal(_))
}

//! Attaching everything, and reporting it.

use super::steps::Steps;
use super::traced_files::TracedFiles;
use super::{RunError, Session, child, placeless};
use crate::run::attach::{self, Failure, Link, Multi, Pair};
use crate::show::sink::Said;
use crate::sys;
use rbtrace_codegen::object::{Attachment, Point, Program};
use rbtrace_lang::hir::MissingProbes;
use rbtrace_lang::target::Target;
use rbtrace_lang::{Diagnostic, Severity};
use std::os::fd::AsFd;

/// How many names a warning lists.
const HOT_NAMES: usize = 4;

impl<'a> Session<'a> {
    /// The link that can serve all places of this program at once, where the kernel has it.
    pub(super) fn multi(&self, program: &Program) -> Option<Multi> {
        let multi = Multi::of(program)?;
        self.has(multi).then_some(multi)
    }

    /// Has the kernel such links?
    pub(super) fn has(&self, multi: Multi) -> bool {
        self.options.kernel.is_some_and(|k| k.has(multi.feature()))
    }

    /// Attaches every program to its places.
    pub(super) fn attach_all(&mut self) -> Result<(), RunError> {
        self.warn_of_hot_places();
        self.traced_files = TracedFiles::of(self);
        let mut steps = Steps::new("Attaching", self.object.targets().count());
        let attached = self.attach_each(&mut steps);
        steps.end(&mut self.printer);
        attached
    }

    /// A pattern may stand for more than its author knows.
    fn warn_of_hot_places(&mut self) {
        for (span, names) in attach::hot_patterns(self.object) {
            let some = names.iter().take(HOT_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = match names.len() {
                ..=HOT_NAMES => String::new(),
                all => format!(" and {} more", all - HOT_NAMES),
            };
            let text = format!(
                "this pattern includes what a busy machine does all the time, which slows it down: {some}{more}"
            );
            let warning = Diagnostic::warning(span, text)
                .hint("narrow the pattern, or let --max-overhead PERCENT detach what costs too much");
            self.printer.say(Said::Warning(&warning));
        }
    }

    fn attach_each(&mut self, steps: &mut Steps) -> Result<(), RunError> {
        let is_multi = |program: &Program| self.multi(program) == Some(Multi::Kprobe);
        for index in attach::order(self.object, is_multi) {
            let pair = self.pairs.iter().copied().find(|p| p.entry == index || p.ret == index);
            if let Some(pair) = pair {
                if pair.entry == index {
                    self.attach_pair(pair, steps)?;
                }
                continue;
            }
            match self.multi(&self.object.programs[index]) {
                Some(multi) if self.attach_multi(index, multi)? => {}
                _ => self.attach_program(index, steps)?,
            }
        }
        Ok(())
    }

    /// The process that a program is attached in; static probes and memory of processes only in that of the command, if
    /// there is one.
    fn only_process(&self, program: &Program) -> Option<i32> {
        let is_its = |target: &Target| matches!(target, Target::Usdt { .. }) || target.watches_user();
        let of_command = program.attach.iter().any(|a| is_its(&a.target));
        let command = self.child.as_ref().filter(|_| of_command);
        self.options.pid.or(command.map(child::Running::pid))
    }

    fn attach_program(&mut self, index: usize, steps: &mut Steps) -> Result<(), RunError> {
        let program = &self.object.programs[index];
        for to in &program.attach {
            steps.advance(&mut self.printer);
            if to.target.is_ours() {
                self.attached.extend(&to.points);
                continue;
            }
            let (prog, of) = (self.programs[index].as_fd(), (self.object, program));
            match attach::attach(prog, of, to, self.only_process(program), &self.namesakes) {
                Ok(link) => self.keep(Link { program: index, ..link }, to),
                Err(failure) => self.missing(to, &failure)?,
            }
        }
        Ok(())
    }

    /// `false` where the kernel does not take all places at once; the program is then loaded anew for single
    /// attach points.
    fn attach_multi(&mut self, index: usize, multi: Multi) -> Result<bool, RunError> {
        let program = &self.object.programs[index];
        match multi.attach(self.programs[index].as_fd(), program, self.only_process(program)) {
            Ok(link) => {
                let count = program.attach.len();
                self.tell(&format!("attached {count} functions by {}", multi.name()));
                self.attached.extend(program.attach.iter().flat_map(|a| &a.points));
                self.links.push(Link { program: index, ..link });
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

    /// Attaches a program for entry and return, which counts as one probe for each function. Where the kernel does not take
    /// it, both are loaded anew.
    fn attach_pair(&mut self, pair: Pair, steps: &mut Steps) -> Result<(), RunError> {
        let program = &self.object.programs[pair.entry];
        let name = pair.link(self.object).name();
        let pid = self.only_process(program);
        match pair.attach(self.object, self.programs[pair.entry].as_fd(), pid) {
            Ok(link) => {
                self.tell(&format!("attached {} functions by {name}", program.attach.len()));
                self.attached.extend(program.attach.iter().flat_map(|a| &a.points));
                self.links.push(link);
                Ok(())
            }
            Err(failure) => {
                self.tell(&format!("{name}: {}; attaching one by one", sys::describe(&failure.error)));
                [pair.entry, pair.ret].into_iter().try_for_each(|index| {
                    self.programs[index] = self.load_plain(index)?;
                    self.attach_program(index, steps)
                })
            }
        }
    }

    fn keep(&mut self, mut link: Link, to: &Attachment) {
        if let Some(point) = self.point(to) {
            self.lists.extend(link.list.take().map(|list| (list, point)));
            self.tell(&format!("attached {} by {}", point.name, link.method));
            if let Some(note) = &link.note {
                self.printer.say(Said::Warning(&Diagnostic::warning(point.span, note.clone())));
            }
        }
        self.links.push(link);
        self.attached.extend(&to.points);
    }

    /// The first of the attach points that a target serves.
    pub(super) fn point(&self, to: &Attachment) -> Option<&'a Point> {
        self.object.points.get(to.points.first()?.0 as usize)
    }

    fn missing(&mut self, to: &Attachment, failure: &Failure) -> Result<(), RunError> {
        let Some(point) = self.point(to) else { return Ok(()) };
        self.left_out += 1;
        let severity = match self.object.config.missing_probes {
            MissingProbes::Error => Severity::Error,
            MissingProbes::Warn => Severity::Warning,
            MissingProbes::Ignore => return Ok(()),
        };
        let mut problem = failure.diagnostic(point);
        problem.severity = severity;
        if severity == Severity::Error {
            let name = &point.name;
            let also = placeless(format!(
                "nothing runs without {name}: config missing_probes=warn runs the script without it"
            ));
            return Err(RunError { diagnostics: vec![problem, also], status: 1, too_complex: false });
        }
        problem.message = format!("{} is left out: {}", point.name, problem.message);
        self.printer.say(Said::Warning(&problem));
        Ok(())
    }

    /// Is there anything to wait for?
    pub(super) fn has_more_to_do(&self) -> bool {
        let nothing_fires = self.left_out > 0 && self.links.is_empty();
        self.object.targets().any(|t| match t {
            Target::SelfSignal(_) => true,
            Target::Begin | Target::End | Target::Block { .. } | Target::Iterator { .. } => false,
            _ => !nothing_fires,
        })
    }

    /// Says how many probes there are.
    pub(super) fn announce(&mut self) {
        // Numbers of attach points that were left out have no name.
        let all = self.object.points.iter().filter(|p| !p.name.is_empty());
        let began_only = self.attached.is_empty() && self.left_out == 0;
        let n = if began_only { all.count() } else { self.attached.len() };
        self.printer.say(Said::Attached(n));
    }

    pub(super) fn tell(&mut self, text: &str) {
        self.printer.say(Said::Detail(text));
    }
}

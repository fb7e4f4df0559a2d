//! For people: what the script prints goes to the output, what is said about the run to standard error.

use super::{Cost, Formatted, Output, OutputKind, Said, Sink, Wanted};
use crate::show::print::text;
use crate::show::print::write::Style;
use crate::show::terminal;
use rbtrace_lang::{Diagnostic, Severity, Source, Span};
use std::io::{self, Write};

/// Text.
#[derive(Debug)]
pub struct TextSink<'a> {
    out: Output,
    /// Output goes to a terminal: what could steer it is shown escaped.
    terminal: bool,
    sources: &'a [Source],
    wanted: Wanted,
    notify: Option<String>,
}

impl<'a> TextSink<'a> {
    /// A sink; `sources` are the script's texts, for places. `notify` is a line for standard output once the probes
    /// are attached.
    pub fn new(out: Output, sources: &'a [Source], wanted: Wanted, notify: Option<String>) -> Self {
        TextSink { terminal: out.is_terminal(), out, sources, wanted, notify }
    }

    fn attached(&mut self, count: usize) {
        if !self.wanted.quiet {
            let plural = if count == 1 { "" } else { "s" };
            terminal::message(&format!("Attached {count} probe{plural}\n"));
        }
        notify(self.notify.take(), &mut self.out);
    }

    /// Appends to the output what `print` writes, safe for a terminal.
    fn print(&mut self, print: impl FnOnce(&mut Vec<u8>)) {
        let from = self.out.buf.len();
        print(&mut self.out.buf);
        if self.terminal {
            terminal::escape_from(&mut self.out.buf, from);
        }
    }

    fn complain(&mut self, severity: Severity, text: Formatted, span: Span, calls: &[Span]) {
        if severity == Severity::Warning && self.wanted.no_warnings {
            return;
        }
        let mut line = place(self.sources, severity, span).into_bytes();
        text.render(terminal::error_is_terminal(), &mut line);
        line.push(b'\n');
        self.out.flush();
        // Escapes that the script itself writes, colours for instance, are its own affair.
        terminal::message_as_is(&line);
        for call in calls {
            let from = Diagnostic { severity, ..Diagnostic::error(*call, "expanded from") };
            terminal::message(&from.render(self.sources));
        }
    }

    fn warn(&mut self, warning: &Diagnostic) {
        if !self.wanted.no_warnings {
            self.out.flush();
            terminal::message(&warning.render(self.sources));
        }
    }
}

/// The line that test drivers wait for: on standard output even where the script's output goes to a file.
pub(super) fn notify(line: Option<String>, out: &mut Output) {
    let Some(line) = line else { return };
    out.flush();
    let mut stdout = io::stdout().lock();
    // Nobody waits for it where it cannot be written.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// One line that is written over; only for who looks at it.
pub(super) fn show_progress(progress: Option<(&str, usize, usize)>) {
    if !terminal::error_is_terminal() {
        return;
    }
    let line = progress.map(|(task, done, total)| format!("{task}: {done} of {total}")).unwrap_or_default();
    // Back to the line's start, and clear it (ECMA-48 EL).
    terminal::message_as_is(format!("\r\x1b[K{line}").as_bytes());
}

/// What the probes have cost, as a table.
pub(super) fn costs_table(costs: &[Cost]) -> String {
    let width = costs.iter().map(|c| c.probe.chars().count()).max().unwrap_or(0).max("PROBE".len());
    let mut table = format!("{:width$} {:>12} {:>10} {:>9}\n", "PROBE", "HITS", "NS/HIT", "OF A CPU");
    for cost in costs {
        let (hits, each) = (cost.hits, cost.nanos_per_hit());
        table += &format!("{:width$} {hits:>12} {each:>10} {:>7.3} %\n", cost.probe, cost.percent);
    }
    table
}

/// `cat` has nothing to show.
pub(super) fn unreadable(path: &str, why: &io::Error, out: &mut Output) {
    out.flush();
    let why = why.to_string();
    let why = why.split(" (os error").next().unwrap_or("");
    terminal::message(&format!("ERROR: cat() cannot read '{path}': {why}\n"));
}

/// `file:line:col: ERROR: `, without the source line.
fn place(sources: &[Source], severity: Severity, span: Span) -> String {
    // The text may have lines of its own: only the place is taken from the full message.
    let diagnostic = Diagnostic { severity, ..Diagnostic::error(span, "\u{1}") };
    diagnostic.render(sources).split('\u{1}').next().unwrap_or("").to_owned()
}

impl Sink for TextSink<'_> {
    fn say(&mut self, said: Said) {
        match said {
            Said::Attached(count) => self.attached(count),
            Said::Pinned(path) if !self.wanted.quiet => {
                terminal::message(&format!("Pinned: cat {path} reads it, rm {path} removes it\n"));
            }
            Said::Pinned(_) => {}
            Said::Printf(text) => text.render(self.terminal, &mut self.out.buf),
            Said::Complaint(severity, text, span, calls) => self.complain(severity, text, span, calls),
            Said::Value(value) => self.print(|out| {
                text::value(value, Style::Text, out);
                out.push(b'\n');
            }),
            Said::Map { name, rows, .. } => self.print(|out| text::map(name, rows, out)),
            // A command's own output.
            Said::Output(OutputKind::System, text) => self.out.buf.extend_from_slice(text),
            Said::Output(function, text) => self.print(|out| {
                out.extend_from_slice(text);
                if function == OutputKind::Join {
                    out.push(b'\n');
                }
            }),
            Said::Unreadable(path, why) => unreadable(path, why, &mut self.out),
            Said::Progress(progress) => show_progress(progress),
            Said::Costs(costs) => {
                self.out.flush();
                terminal::message(&costs_table(costs));
            }
            Said::Lost(events) => terminal::message(&format!("Lost {events} events\n")),
            Said::ReadFailed(helper, span) => {
                let text = format!("this address cannot be read: {helper} returned -{}", libc::EFAULT);
                terminal::message(&Diagnostic::warning(span, text).render(self.sources));
            }
            Said::Tested { names, passed, nanos, output } => {
                super::blocks::tested(names, passed, nanos, output, self.terminal, &mut self.out.buf);
            }
            Said::Measured { names, index, first, average, runs } => {
                super::blocks::measured(names, (index, first), average, runs, &mut self.out.buf);
            }
            Said::Warning(warning) => self.warn(warning),
            Said::Detail(text) if self.wanted.verbose => terminal::message(&format!("{text}\n")),
            Said::Detail(_) => {}
            Said::Ended => self.out.buf.extend_from_slice(b"\n\n"),
        }
    }

    fn event_done(&mut self) {
        self.out.event_done();
    }

    fn idle(&mut self) {
        self.out.idle();
    }

    fn flush(&mut self) {
        self.out.flush();
    }

    fn failure(&self) -> Option<&io::Error> {
        self.out.failure()
    }
}

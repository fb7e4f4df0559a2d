//! For programs: one JSON object a line. Warnings about the run go to standard error as text.

use super::{Cost, Formatted, Output, OutputKind, Said, Sink, Wanted};
use crate::show::print::json;
use crate::show::terminal;
use rbtrace_lang::{Severity, Source, Span};
use std::io;

/// JSON, in the form of bpftrace's `-f json`.
#[derive(Debug)]
pub struct JsonSink<'a> {
    out: Output,
    sources: &'a [Source],
    wanted: Wanted,
    notify: Option<String>,
    scratch: Vec<u8>,
}

impl<'a> JsonSink<'a> {
    /// A sink, as [`super::TextSink::new`] makes one.
    pub fn new(out: Output, sources: &'a [Source], wanted: Wanted, notify: Option<String>) -> Self {
        JsonSink { out, sources, wanted, notify, scratch: Vec::new() }
    }

    /// A line of numbers: `{"type": "lost_events", "count": N, "data": {"events": N}}`.
    fn count(&mut self, kind: &str, what: &str, n: u64) {
        let line = format!("{{\"type\": \"{kind}\", \"count\": {n}, \"data\": {{\"{what}\": {n}}}}}\n");
        self.out.buf.extend_from_slice(line.as_bytes());
    }

    fn render(&mut self, text: Formatted) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        text.render(false, &mut scratch);
        scratch
    }

    fn line(&mut self, kind: &str, print: impl FnOnce(&mut Vec<u8>)) {
        json::begin_line(kind, &mut self.out.buf);
        print(&mut self.out.buf);
        json::end_line(&mut self.out.buf);
    }

    /// A line with the result of one block.
    fn result(&mut self, kind: &str, name: &str, print: impl FnOnce(&mut Vec<u8>)) {
        self.line(kind, |out| {
            out.push(b'{');
            json::string(name.as_bytes(), out);
            out.extend_from_slice(b": ");
            print(out);
            out.push(b'}');
        });
    }

    /// Type, message, `more` and the place.
    fn message(&mut self, kind: &str, text: &[u8], more: &str, span: Span) {
        let source = self.sources.get(usize::from(span.file));
        let (name, line, col) = source.map_or(("", 0, 0), |source| {
            let at = source.line_col(span.start);
            (&*source.name, at.line, at.col)
        });
        let out = &mut self.out.buf;
        out.extend_from_slice(format!("{{\"type\": \"{kind}\", \"msg\": ").as_bytes());
        json::string(text, out);
        out.extend_from_slice(format!("{more}, \"filename\": ").as_bytes());
        json::string(name.as_bytes(), out);
        out.extend_from_slice(format!(", \"line\": {line}, \"col\": {col}}}\n").as_bytes());
    }
}

/// A list with an object for each probe.
fn costs_as_json(costs: &[Cost], out: &mut Vec<u8>) {
    out.push(b'[');
    for (n, cost) in costs.iter().enumerate() {
        out.extend_from_slice(if n == 0 { b"{\"probe\": " } else { b", {\"probe\": " });
        json::string(cost.probe.as_bytes(), out);
        let (hits, nanos, each) = (cost.hits, cost.nanos, cost.nanos_per_hit());
        let numbers = format!(
            ", \"hits\": {hits}, \"ns\": {nanos}, \"ns_per_hit\": {each}, \"cpu_percent\": {:.3}}}",
            cost.percent
        );
        out.extend_from_slice(numbers.as_bytes());
    }
    out.push(b']');
}

impl Sink for JsonSink<'_> {
    fn say(&mut self, said: Said) {
        match said {
            Said::Attached(count) => {
                if !self.wanted.quiet {
                    self.count("attached_probes", "probes", count as u64);
                }
                super::text::notify(self.notify.take(), &mut self.out);
            }
            Said::Pinned(path) if !self.wanted.quiet => {
                self.line("pinned", |out| json::string(path.as_bytes(), out));
            }
            Said::Printf(text) => {
                let text = self.render(text);
                json::text_line("printf", &text, &mut self.out.buf);
                self.scratch = text;
            }
            Said::Complaint(Severity::Warning, ..) if self.wanted.no_warnings => {}
            Said::Complaint(severity, text, span, _) => {
                let text = self.render(text);
                let kind = if severity == Severity::Warning { "warnf" } else { "errorf" };
                self.message(kind, &text, "", span);
                self.scratch = text;
            }
            Said::Value(value) => self.line("value", |out| json::value(value, out)),
            Said::Map { name, ty, rows } => json::map(name, ty, rows, &mut self.out.buf),
            Said::Output(function, text) => {
                let kind = match function {
                    OutputKind::Time => "time",
                    OutputKind::Join => "join",
                    OutputKind::Cat => "cat",
                    OutputKind::System => "syscall",
                };
                json::text_line(kind, text, &mut self.out.buf);
            }
            Said::Unreadable(path, why) => super::text::unreadable(path, why, &mut self.out),
            Said::Progress(progress) => super::text::show_progress(progress),
            Said::Costs(costs) => self.line("probe_costs", |out| costs_as_json(costs, out)),
            Said::Lost(events) => {
                self.count("lost_events", "events", events);
                self.out.flush();
            }
            Said::ReadFailed(helper, span) => {
                let more = format!(", \"helper\": \"{helper}\", \"retcode\": -{}", libc::EFAULT);
                self.message("helper_error", b"Bad address", &more, span);
            }
            Said::Tested { names, passed, nanos, output } => {
                let index = passed.len().saturating_sub(1);
                let good = passed.last() == Some(&true);
                self.result("test_result", &names[index], |out| {
                    out.extend_from_slice(
                        format!("{{\"duration\": {nanos}, \"passed\": {good}, \"output\": ").as_bytes(),
                    );
                    json::string(output, out);
                    out.push(b'}');
                });
            }
            Said::Measured { names, index, average, runs, .. } => {
                let result = format!("{{\"average\": {average}, \"iters\": {runs}}}");
                self.result("benchmark_result", &names[index], |out| {
                    out.extend_from_slice(result.as_bytes());
                });
            }
            Said::Warning(warning) if !self.wanted.no_warnings => {
                self.out.flush();
                terminal::message(&warning.render(self.sources));
            }
            Said::Detail(text) if self.wanted.verbose => terminal::message(&format!("{text}\n")),
            Said::Pinned(_) | Said::Warning(_) | Said::Detail(_) | Said::Ended => {}
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

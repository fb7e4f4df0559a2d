//! The script's own blocks: tests, and what is measured.

use super::{RunError, Session};
use crate::show::print::text;
use crate::show::print::write::Style;
use crate::show::sink::{Said, Sink};
use crate::sys;
use crate::sys::bpf;
use rbtrace_codegen::object::Control;
use rbtrace_lang::target::{Purpose, Target};
use rbtrace_lang::{Diagnostic, Severity};
use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A block is measured until it has run for so long …
const ENOUGH: u64 = 1_000_000;
/// … or for so long with all around it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Runs after which what they sent is read.
const ROUND: u64 = 256;

/// A block: its program, its name and where it stands.
struct Block {
    program: usize,
    name: Rc<str>,
    span: rbtrace_lang::Span,
}

/// What a block printed.
#[derive(Default)]
struct Printed {
    text: Vec<u8>,
    errors: u32,
}

/// Keeps what a block prints.
struct Capture(Rc<RefCell<Printed>>);

impl Sink for Capture {
    fn say(&mut self, said: Said) {
        let mut printed = self.0.borrow_mut();
        let out = &mut printed.text;
        match said {
            Said::Printf(text) => text.render(false, out),
            Said::Complaint(severity, text, ..) => {
                out.extend_from_slice(if severity == Severity::Error { b"ERROR: " } else { b"WARNING: " });
                text.render(false, out);
                out.push(b'\n');
                printed.errors += u32::from(severity == Severity::Error);
            }
            Said::Value(value) => {
                text::value(value, Style::Text, out);
                out.push(b'\n');
            }
            Said::Map { name, rows, .. } => text::map(name, rows, out),
            Said::Output(_, text) => out.extend_from_slice(text),
            _ => {}
        }
    }
}

impl<'a> Session<'a> {
    /// Runs all blocks for this purpose, in the order of the script.
    pub(super) fn run_blocks(&mut self, purpose: Purpose) -> Result<(), RunError> {
        self.drain_all();
        let blocks = self.blocks(purpose);
        let names: Vec<Rc<str>> = blocks.iter().map(|b| b.name.clone()).collect();
        let printed = Rc::new(RefCell::new(Printed::default()));
        let (mut failed, mut first) = (false, true);
        let mut passed = vec![];
        for (index, block) in blocks.iter().enumerate() {
            let outer = std::mem::replace(&mut self.printer.sink, Box::new(Capture(printed.clone())));
            let result = match purpose {
                Purpose::Test => self.test(block).map(Ran::Tested),
                Purpose::Bench => self.measure(block, &printed).map(Ran::Measured),
            };
            self.printer.sink = outer;
            let ran = result.map_err(|e| {
                let message = format!("Failed to run {}: {}", block.name, sys::describe(&e));
                RunError::from(Diagnostic::error(block.span, message))
            })?;
            let asked = self.take_exit();
            let Printed { text, errors } = printed.take();
            match ran {
                Ran::Tested((status, nanos)) => {
                    passed.push(status == 0 && asked == 0 && errors == 0);
                    failed |= passed.last() == Some(&false);
                    self.printer.say(Said::Tested { names: &names, passed: &passed, nanos, output: &text });
                }
                Ran::Measured(_) if asked != 0 || errors > 0 => {
                    failed = true;
                    let message = format!("{} failed: it is not measured", block.name);
                    self.printer.say(Said::Warning(&Diagnostic::error(block.span, message)));
                }
                // It says itself that it is to be left out.
                Ran::Measured(None) => {}
                Ran::Measured(Some((average, runs))) => {
                    self.printer.say(Said::Measured { names: &names, index, first, average, runs });
                    first = false;
                }
            }
        }
        self.control.set(Control::EXIT_CODE, u64::from(failed));
        Ok(())
    }

    fn blocks(&self, wanted: Purpose) -> Vec<Block> {
        let mut blocks = vec![];
        for (program, of) in self.object.programs.iter().enumerate() {
            for to in &of.attach {
                if let (Target::Block { purpose, name }, Some(point)) = (&to.target, self.point(to))
                    && *purpose == wanted
                {
                    blocks.push(Block { program, name: name.clone(), span: point.span });
                }
            }
        }
        blocks
    }

    /// Runs a test; what it returns, and how long it took.
    fn test(&mut self, block: &Block) -> io::Result<(u32, u64)> {
        let start = Instant::now();
        let status = bpf::test_run(self.programs[block.program].as_fd())?;
        let took = start.elapsed();
        self.drain_all();
        Ok((status, took.as_nanos() as u64))
    }

    /// Runs a block again and again; its average time and how often it ran. `None`: it asked not to be measured.
    fn measure(&mut self, block: &Block, printed: &RefCell<Printed>) -> io::Result<Option<(u64, u64)>> {
        let _measuring = bpf::measure_runs()?;
        let start = Instant::now();
        let (first_time, first_runs) = bpf::runs(self.programs[block.program].as_fd())?;
        loop {
            for _ in 0..ROUND {
                if bpf::test_run(self.programs[block.program].as_fd())? != 0 {
                    return Ok(None);
                }
            }
            self.drain_all();
            printed.borrow_mut().text.clear();
            let (time, runs) = bpf::runs(self.programs[block.program].as_fd())?;
            let (time, runs) = (time - first_time, runs - first_runs);
            let over = self.control.get(Control::EXIT) != 0 || printed.borrow().errors > 0;
            if time >= ENOUGH || start.elapsed() > PATIENCE || over {
                return Ok(Some((time / runs.max(1), runs)));
            }
        }
    }

    /// The status that a block asked to end with; its end is not that of the run.
    fn take_exit(&mut self) -> u64 {
        let status = self.control.get(Control::EXIT_CODE);
        self.control.set(Control::EXIT, 0);
        self.control.set(Control::EXIT_CODE, 0);
        (self.exited, self.exit_end) = (false, None);
        status
    }
}

/// What came of a block.
enum Ran {
    Tested((u32, u64)),
    Measured(Option<(u64, u64)>),
}

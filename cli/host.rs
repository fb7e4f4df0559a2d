//! What the prompt can do.

use crate::args::Args;
use crate::program::Text;
use crate::repl::Host;
use crate::{run, verbs};

/// Runs programs for the prompt with the options of the command line.
pub(crate) struct Prompt<'a> {
    args: &'a Args,
}

impl<'a> Prompt<'a> {
    /// With these options.
    pub(crate) fn new(args: &'a Args) -> Self {
        Prompt { args }
    }
}

fn report(result: anyhow::Result<u8>) {
    if let Err(error) = result {
        rbtrace_runtime::show::terminal::message(&format!("ERROR: {error:#}\n"));
    }
}

impl Host for Prompt<'_> {
    fn run(&mut self, text: &str) {
        report(run::text(self.args, Text::typed(text)));
    }

    fn load(&mut self, path: &str) {
        let source = crate::args::Source::File(path.into());
        report(crate::program::read(&source).and_then(|text| run::text(self.args, text)));
    }

    fn list(&mut self, pattern: &str) {
        report(verbs::list(self.args, (!pattern.is_empty()).then_some(pattern)));
    }

    fn lines(&mut self, func: &str) {
        report(verbs::lines(func, rbtrace_runtime::show::lines::Format::Text));
    }

    fn help(&mut self, name: &str) {
        report(verbs::explain(name));
    }

    fn words(&self) -> Vec<String> {
        crate::explain::words()
    }
}

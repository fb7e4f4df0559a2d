//! Scripts, typed against the made-up system of `rbtrace_lang::fixture`.

use rbtrace_lang::fixture::Fixture;
use rbtrace_lang::hir::Program;
use rbtrace_lang::{Options, Source, compile};

/// The typed program of a text; panics with the messages where there is none.
pub(crate) fn typed(text: &str) -> Program {
    let options = Options { allow_unsafe: true, ..Options::default() };
    let typed = compile(Source::new("stdin", text), &options, &Fixture::new());
    let messages: String = typed.diagnostics.iter().map(|d| d.render(&typed.sources)).collect();
    assert!(!typed.failed(), "{messages}");
    typed.program.expect("what was read is typed")
}

//! Scripts, typed against the made-up system of `rbtrace_lang::fixture`.

use rbtrace_lang::fixture::Fixture;
use rbtrace_lang::hir::Program;
use rbtrace_lang::{Options, Source, check, expand, parse};

/// The typed program of a text; panics with the messages where there is none.
pub(crate) fn typed(text: &str) -> Program {
    let source = Source::new("stdin", text);
    let (script, mut diags) = parse(&source, 0);
    let (script, more) = expand(script, &[]);
    diags.extend(more);
    let sources = vec![source];
    let rendered =
        |diags: &[rbtrace_lang::Diagnostic]| -> String { diags.iter().map(|d| d.render(&sources)).collect() };
    assert!(diags.is_empty(), "{}", rendered(&diags));
    let options = Options { allow_unsafe: true, ..Options::default() };
    check(&script, sources.clone(), &Fixture::new(), &options).unwrap_or_else(|d| panic!("{}", rendered(&d)))
}

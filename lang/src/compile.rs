//! The whole way from a text to the typed program: parse, expand, check.

use crate::ast::{Macro, Script};
use crate::diag::has_errors;
use crate::hir::Program;
use crate::{Diagnostic, Options, Source, System, check, expand, parse, parse_with_headers, select};
use rbtrace_stdlib::LIBRARY;

/// What became of a script's text.
#[derive(Debug)]
pub struct Typed {
    /// The texts that places point into: the script, the library, then headers.
    pub sources: Vec<Source>,
    /// The syntax tree with its macros expanded, as far as the text could be read.
    pub script: Script,
    /// What could be typed; fit for code generation only where [`Typed::failed`] is false. `None` where the text
    /// could not be read, unless [`Options::keep_going`] asks for what is left of it.
    pub program: Option<Program>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

impl Typed {
    /// Is there an error?
    pub fn failed(&self) -> bool {
        has_errors(&self.diagnostics)
    }
}

/// Parses a script and expands its macros; the program stays `None`.
pub fn read(script: Source, options: &Options) -> Typed {
    let mut sources = vec![script];
    let library = library(&mut sources);
    let (script, mut diagnostics) = parse_with_headers(&mut sources, options);
    let (script, more) = expand(script, &library);
    // In a text that could not be read whole, what expanding finds would mostly be echoes.
    if !has_errors(&diagnostics) {
        diagnostics.extend(more);
    }
    Typed { sources, script, program: None, diagnostics }
}

/// Parses, expands and types a script.
pub fn compile(script: Source, options: &Options, system: &dyn System) -> Typed {
    let mut typed = read(script, options);
    let broken = typed.failed();
    if broken && !options.keep_going {
        return typed;
    }
    let (mut program, more) = check(&typed.script, typed.sources.clone(), system, options);
    if !broken {
        typed.diagnostics.extend(more);
    }
    if let Some(filter) = options.probe_filter.as_deref().filter(|_| !typed.failed()) {
        typed.diagnostics.extend(select::only(&mut program, filter));
    }
    typed.program = Some(program);
    typed
}

/// The macros of the library; its texts are appended to `sources`.
fn library(sources: &mut Vec<Source>) -> Vec<Macro> {
    let mut macros = vec![];
    for (file, (name, text)) in (1..).zip(LIBRARY) {
        let source = Source::new(name, text);
        macros.extend(parse(&source, file).0.macros);
        sources.push(source);
    }
    macros
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn compiled(text: &str, keep_going: bool) -> Typed {
        let options = Options { keep_going, ..Options::default() };
        compile(Source::new("stdin", text), &options, &Fixture::new())
    }

    #[test]
    fn the_library_has_no_mistakes() {
        for (name, text) in LIBRARY {
            assert_eq!(parse(&Source::new(name, text), 0).1, [], "{name}");
        }
    }

    #[test]
    fn what_could_be_typed_comes_with_the_errors() {
        let typed = compiled("begin { @a = 1; @a = \"x\"; } end { $b = (uint8)5; print($b); }", false);
        assert!(typed.failed());
        let program = typed.program.unwrap();
        assert_eq!(&*program.maps[0].name, "@a");
        assert_eq!(program.probes[1].locals[0].ty.to_string(), "uint8");
    }

    #[test]
    fn what_is_left_of_a_broken_text_is_typed_where_asked() {
        let text = "begin { $a = (uint8)5; print($a); } end { $b = ; }";
        let typed = compiled(text, false);
        assert!(typed.failed() && typed.program.is_none());
        let typed = compiled(text, true);
        assert_eq!(typed.diagnostics.len(), 1);
        assert_eq!(typed.program.unwrap().probes[0].locals[0].ty.to_string(), "uint8");
    }
}

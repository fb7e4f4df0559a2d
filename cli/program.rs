//! From a source to a compiled program.

use crate::args::{Args, Source};
use anyhow::{Context, bail};
use rbtrace_lang::ast::{Macro, Script};
use rbtrace_lang::hir::Program;
use rbtrace_lang::{self as lang, Diagnostic, Options, Severity, System};
use rbtrace_runtime::sys::untrusted;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a script's text; its name as diagnostics show it comes first.
pub(crate) fn read(source: &Source) -> anyhow::Result<lang::Source> {
    Ok(match source {
        Source::Text(text) => lang::Source::new("stdin", text),
        Source::Bundled(script) => lang::Source::new(&format!("{}.bt", script.name), script.text),
        Source::Stdin => {
            let text = whole(std::io::stdin()).context("failed to read standard input")?;
            lang::Source::new("stdin", &text)
        }
        Source::File(path) => {
            // What is to run was named by the user, pipes too. Reading waits, and Ctrl-C ends it.
            let text = File::open(path).and_then(whole).map_err(|e| unreadable(path, &e))?;
            lang::Source::new(&path.to_string_lossy(), &text)
        }
    })
}

/// Reads a script that is not to run. Its name may come from a folder of somebody else (`check *.bt`): of pipes
/// and devices only our own descriptors are read (`check <(…)`).
pub(crate) fn read_to_check(source: &Source) -> anyhow::Result<lang::Source> {
    if let Source::File(path) = source
        && !["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|own| path.starts_with(own))
    {
        let text = untrusted::open(path).and_then(whole).map_err(|e| unreadable(path, &e))?;
        return Ok(lang::Source::new(&path.to_string_lossy(), &text));
    }
    read(source)
}

/// A longer text is no script.
const MOST: u64 = 16 << 20;

fn whole(file: impl Read) -> io::Result<String> {
    match untrusted::read(file, MOST)? {
        (_, true) => Err(io::Error::other("it is longer than 16 MiB")),
        (bytes, false) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or("");
    anyhow::anyhow!("cannot read '{}': {text}", path.display())
}

/// What is said of a script that cannot be compiled, ready to be shown.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

/// The texts of a compilation: the script, then the library's files.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) texts: Vec<lang::Source>,
    library: Vec<Macro>,
}

impl Sources {
    /// A script and the library.
    pub(crate) fn new(script: lang::Source) -> anyhow::Result<Sources> {
        let mut texts = vec![script];
        let mut library = Vec::new();
        for (name, text) in rbtrace_stdlib::LIBRARY {
            texts.push(lang::Source::new(name, text));
            let file = u16::try_from(texts.len() - 1)?;
            let (parsed, diags) = lang::parse(&texts[texts.len() - 1], file);
            if let Some(error) = diags.iter().find(|d| d.severity == Severity::Error) {
                bail!("the library is broken: {}", error.render(&texts));
            }
            library.extend(parsed.macros);
        }
        Ok(Sources { texts, library })
    }

    /// Renders diagnostics.
    pub(crate) fn render(&self, diags: &[Diagnostic]) -> String {
        diags.iter().map(|d| d.render(&self.texts)).collect()
    }

    /// Parses the script and expands its macros; warnings are appended to `warnings`.
    pub(crate) fn parse(&self, warnings: &mut Vec<Diagnostic>) -> Result<Script, Refused> {
        let (script, diags) = lang::parse(&self.texts[0], 0);
        self.whole(diags, warnings)?;
        let (script, diags) = lang::expand(script, &self.library);
        self.whole(diags, warnings)?;
        Ok(script)
    }

    fn whole(&self, diags: Vec<Diagnostic>, warnings: &mut Vec<Diagnostic>) -> Result<(), Refused> {
        if diags.iter().any(|d| d.severity == Severity::Error) {
            return Err(Refused(self.render(&diags)));
        }
        warnings.extend(diags);
        Ok(())
    }

    /// Parses, expands and types the script.
    pub(crate) fn compile(&self, system: &dyn System, options: &Options) -> Result<Program, Refused> {
        let mut warnings = Vec::new();
        let script = self.parse(&mut warnings)?;
        let mut program = lang::check(&script, self.texts.clone(), system, options)
            .map_err(|diags| Refused(self.render(&diags)))?;
        warnings.append(&mut program.warnings);
        program.warnings = warnings;
        Ok(program)
    }
}

/// What the command line and the environment say of how to compile.
pub(crate) fn options(args: &Args) -> Options {
    Options {
        params: args.params.clone(),
        named_params: args.named_params.clone(),
        allow_unsafe: args.allow_unsafe,
        pid: args.pid,
        has_child: args.command.is_some(),
        env_config: env_config(),
        warn_reads: args.warn_reads,
    }
}

/// Config variables from the environment: `BPFTRACE_NAME`, and `RBTRACE_NAME`, which wins.
fn env_config() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for prefix in ["BPFTRACE_", "RBTRACE_"] {
        for var in rbtrace_stdlib::config::CONFIG {
            let name = format!("{prefix}{}", var.name.to_ascii_uppercase());
            if let Ok(value) = std::env::var(name) {
                found.push((var.name.to_owned(), value));
            }
        }
    }
    found
}

//! What to compile, and with which options.

use crate::args::{self, Args, Source};
use crate::headers::Folders;
use crate::scripts;
use anyhow::Context;
use rbtrace_codegen::driver::{self, Compilation};
use rbtrace_codegen::kernel::Kernel;
use rbtrace_lang::{self as lang, Options, Severity, System, Typed};
use rbtrace_runtime::kernel::LiveSystem;
use rbtrace_runtime::near;
use rbtrace_runtime::run::session;
use rbtrace_runtime::show::terminal::message as complain;
use rbtrace_runtime::sys::untrusted;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

/// A script that was read.
#[derive(Debug)]
pub(crate) struct Text {
    /// Its text, by the name that diagnostics show.
    pub(crate) source: lang::Source,
    /// It is part of the program, and so trusted as the program is: it may use unsafe functions.
    pub(crate) bundled: bool,
}

impl Text {
    /// A text that the user typed.
    pub(crate) fn typed(text: &str) -> Text {
        Text { source: lang::Source::new("stdin", text), bundled: false }
    }
}

/// Reads a script.
pub(crate) fn read(source: &Source) -> anyhow::Result<Text> {
    Ok(Text { source: read_source(source)?, bundled: matches!(source, Source::Bundled(_)) })
}

fn read_source(source: &Source) -> anyhow::Result<lang::Source> {
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
pub(crate) fn read_to_check(source: &Source) -> anyhow::Result<Text> {
    if let Source::File(path) = source
        && !["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|own| path.starts_with(own))
    {
        let text = untrusted::open(path).and_then(whole).map_err(|e| unreadable(path, &e))?;
        return Ok(Text { source: lang::Source::new(&path.to_string_lossy(), &text), bundled: false });
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

/// Why a script could not be read; a name that resembles a bundled script's is probably meant for it.
fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    let name = path.to_string_lossy();
    let text = error.to_string();
    let mut message =
        format!("cannot read '{name}': {}", text.split(" (os error").next().unwrap_or_default());
    if error.kind() == io::ErrorKind::NotFound
        && let Some(hint) = near::hint(&name, scripts::SCRIPTS.iter().map(|s| s.name).chain(args::VERBS))
    {
        message += &format!("\nHINT: {hint}");
    }
    anyhow::Error::msg(message)
}

/// The running machine, as the command line lets it be seen.
pub(crate) fn system(args: &Args) -> LiveSystem {
    match &args.traceable {
        Some(path) => LiveSystem::new().with_traceable(path, args.allow_unsafe),
        None => LiveSystem::new(),
    }
}

/// Compiles a script.
pub(crate) fn compile(args: &Args, script: Text, system: &dyn System, kernel: &dyn Kernel) -> Compilation {
    let options = options(args, &script);
    driver::compile(script.source, &options, system, kernel)
}

/// Shows what compiling had to say; warnings only where they are wanted.
pub(crate) fn show(args: &Args, typed: &Typed) {
    let wanted = typed.diagnostics.iter().filter(|d| d.severity == Severity::Error || !args.no_warnings);
    complain(&wanted.map(|d| d.render(&typed.sources)).collect::<String>());
}

/// What the command line and the environment say of how to compile a script.
pub(crate) fn options(args: &Args, script: &Text) -> Options {
    Options {
        params: args.params.clone(),
        named_params: args.named_params.clone(),
        allow_unsafe: args.allow_unsafe || script.bundled,
        pid: args.pid,
        unwound: args.unwound.clone(),
        command: args.command.as_deref().map(session::program_of),
        env_config: env_config(),
        warn_reads: args.warn_reads,
        series_clock: std::env::var("BPFTRACE_DUMMY_TS_MAP").ok(),
        headers: Some(Rc::new(Folders { named: args.include_dirs.clone() })),
        includes: args.includes.clone(),
        probe_filter: args.probe_filter.clone(),
        keep_going: false,
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

//! Running a script.

use crate::args::{Args, Format, Source};
use crate::drive;
use crate::program;
use crate::stages;
use rbtrace_codegen::driver::Compilation;
use rbtrace_codegen::kernel::{Kernel, Release};
use rbtrace_codegen::object::{Form, Object};
use rbtrace_lang::System;
use rbtrace_runtime::kernel::{LiveKernel, LiveSystem, privileges};
use rbtrace_runtime::run::{RunError, RunOptions};
use rbtrace_runtime::show::sink::{JsonSink, Output, Sink, TextSink, Wanted};
use rbtrace_runtime::show::terminal::message as complain;
use std::fs::File;

/// Set by test drivers: this word is written when all is attached.
const NOTIFY: &str = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/// Compiles and runs.
pub(crate) fn run(args: &Args, source: &Source) -> anyhow::Result<u8> {
    if let Source::Bundled(script) = source
        && args.named_params.iter().any(|(name, _)| name == "help")
    {
        crate::say(&script.help());
        return Ok(0);
    }
    warn_of_namesake(args, source);
    if let Source::Bundled(script) = source
        && args.params.len() < script.needs().len()
    {
        anyhow::bail!("{} needs {}\nHINT: {}", script.name, script.needs().join(" "), script.usage());
    }
    let script = program::read(source)?;
    if args.stages.is_empty()
        && let Err(refused) = privileges::check()
    {
        complain(&format!("ERROR: {}\n", refused.message));
        if let Some(hint) = refused.hint {
            complain(&format!("HINT: {hint}\n"));
        }
        return Ok(1);
    }
    text(args, script)
}

/// A file of a bundled script's name may be what was meant.
fn warn_of_namesake(args: &Args, source: &Source) {
    if let Source::Bundled(script) = source
        && std::path::Path::new(script.name).is_file()
        && !args.no_warnings
    {
        let name = script.name;
        complain(&format!("WARNING: '{name}' is the bundled script; the file here is ./{name}\n"));
    }
}

/// Compiles and runs a text.
pub(crate) fn text(args: &Args, script: program::Text) -> anyhow::Result<u8> {
    let (system, kernel) = (program::system(args), LiveKernel::without(&args.without));
    let Compilation { typed, object } = program::compile(args, script, &system, &kernel);
    stages::show(&args.stages, &typed, object.as_ref(), &kernel);
    program::show(args, &typed);
    let (Some(program), Some(object)) = (&typed.program, &object) else { return Ok(1) };
    if !args.no_warnings {
        system.take_notes().iter().for_each(|note| complain(&format!("WARNING: {note}\n")));
    }
    if !args.stages.is_empty() {
        return Ok(0);
    }
    let run = |object: &Object| -> anyhow::Result<Result<i32, RunError>> {
        let sink = sink(args, &typed.sources)?;
        Ok(drive::run(args, object, sink, run_options(args, &system, &kernel)))
    };
    let mut result = run(object)?;
    if result.as_ref().is_err_and(|error| error.too_complex) {
        result = match rbtrace_codegen::compile_as(program, &kernel, Form::Frugal) {
            Ok(frugal) => run(&frugal)?,
            Err(errors) => Err(errors.into()),
        };
    }
    Ok(result.unwrap_or_else(|error| {
        complain(&error.diagnostics.iter().map(|d| d.render(&typed.sources)).collect::<String>());
        error.status
    }) as u8)
}

/// Where the session's words go: as text or JSON, to standard output or a file.
fn sink<'a>(args: &Args, sources: &'a [rbtrace_lang::Source]) -> anyhow::Result<Box<dyn Sink + 'a>> {
    let out = match &args.output {
        None => Output::stdout(args.buffering),
        Some(path) => {
            let file = File::create(path).map_err(|e| {
                let why = e.to_string();
                let why = why.split(" (os error").next().unwrap_or("").to_owned();
                anyhow::anyhow!("cannot write to '{}': {why}", path.display())
            })?;
            Output::file(file, args.buffering)
        }
    };
    let wanted = Wanted { quiet: args.quiet, verbose: args.verbose, no_warnings: args.no_warnings };
    let notify = std::env::var_os(NOTIFY).map(|_| NOTIFY.to_owned());
    Ok(match args.format {
        Format::Text => Box::new(TextSink::new(out, sources, wanted, notify)),
        Format::Json => Box::new(JsonSink::new(out, sources, wanted, notify)),
    })
}

fn run_options<'a>(args: &Args, system: &'a LiveSystem, kernel: &'a LiveKernel) -> RunOptions<'a> {
    RunOptions {
        warn_reads: args.warn_reads,
        command: args.command.clone(),
        pid: args.pid,
        unwound: args.unwound.clone(),
        kernel: Some(kernel),
        wake: None,
        blocks: args.blocks,
        costs: args.stats || args.verbose,
        max_overhead: args.max_overhead,
        system: Some(system),
        names: None,
    }
}

/// Compiles without running, for `check`; false where that fails.
pub(crate) fn check(args: &Args, script: program::Text, system: &LiveSystem) -> bool {
    // Without rights, or for another kernel, nothing can be tried.
    let (live, other) = (LiveKernel::default(), Release::newest(system.ncpus()));
    let kernel: &dyn Kernel = match privileges::check() {
        Ok(()) if args.btf.is_none() => &live,
        _ => &other,
    };
    let compiled = program::compile(args, script, system, kernel);
    program::show(args, &compiled.typed);
    compiled.object.is_some()
}

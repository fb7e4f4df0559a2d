//! Running a script.

use crate::args::{Args, Source};
use crate::program::{self, Refused, Sources};
use crate::stages;
use rbtrace_codegen::kernel::{Kernel, Release};
use rbtrace_lang::{self as lang, Diagnostic, System};
use rbtrace_runtime::kernel::LiveKernel;
use rbtrace_runtime::privileges;
use rbtrace_runtime::session::{self, RunOptions};
use rbtrace_runtime::system::LiveSystem;
use rbtrace_runtime::terminal::message as complain;

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
pub(crate) fn text(args: &Args, script: lang::Source) -> anyhow::Result<u8> {
    let sources = Sources::new(script)?;
    match compile_and_run(args, &sources) {
        Ok(status) => Ok(status),
        Err(Refused(messages)) => {
            complain(&messages);
            Ok(1)
        }
    }
}

fn compile_and_run(args: &Args, sources: &Sources) -> Result<u8, Refused> {
    if !args.stages.is_empty() {
        stages::ast(&args.stages, &sources.parse(&mut Vec::new())?);
    }
    let system = LiveSystem::new();
    let program = sources.compile(&system, &program::options(args))?;
    if !args.no_warnings {
        complain(&sources.render(&program.warnings));
        system.take_notes().iter().for_each(|note| complain(&format!("WARNING: {note}\n")));
    }
    let kernel = LiveKernel::default();
    stages::typed(&args.stages, &program, &kernel);
    let object = rbtrace_codegen::compile(&program, &kernel).map_err(|d| Refused(sources.render(&d)))?;
    stages::bpf(&args.stages, &object);
    if !args.stages.is_empty() {
        return Ok(0);
    }
    let options = RunOptions {
        format: args.format,
        buffering: args.buffering,
        output: args.output.clone(),
        quiet: args.quiet,
        verbose: args.verbose,
        no_warnings: args.no_warnings,
        warn_reads: args.warn_reads,
        dry_run: args.dry_run,
        command: args.command.clone(),
        pid: args.pid,
        notify: std::env::var_os(NOTIFY).map(|_| NOTIFY.to_owned()),
        kernel: Some(&kernel),
        system: Some(&system),
        names: None,
    };
    match session::run(&program, &object, options) {
        Ok(status) => Ok(status as u8),
        Err(error) => {
            complain(&sources.render(&error.diagnostics));
            Ok(error.status as u8)
        }
    }
}

/// Compiles without running: for `check`.
pub(crate) fn check(args: &Args, script: lang::Source, system: &LiveSystem) -> anyhow::Result<bool> {
    let sources = Sources::new(script)?;
    let compiled = sources.compile(system, &program::options(args)).and_then(|program| {
        // Without rights, or for another kernel, nothing can be tried.
        let (live, other) = (LiveKernel::default(), Release::newest(system.ncpus()));
        let kernel: &dyn Kernel = match privileges::check() {
            Ok(()) if args.btf.is_none() => &live,
            _ => &other,
        };
        let object = rbtrace_codegen::compile(&program, kernel);
        object.map(|_| program.warnings).map_err(|d| Refused(sources.render(&d)))
    });
    match compiled {
        Ok(warnings) => {
            show(args, &sources, &warnings);
            Ok(true)
        }
        Err(Refused(messages)) => {
            complain(&messages);
            Ok(false)
        }
    }
}

fn show(args: &Args, sources: &Sources, warnings: &[Diagnostic]) {
    if !args.no_warnings {
        complain(&sources.render(warnings));
    }
}

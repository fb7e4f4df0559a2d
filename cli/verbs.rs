//! `-l`, `lines`, `check`, `--fmt`.

use crate::args::{Args, Source};
use crate::program;
use crate::run;
use rbtrace_runtime::kernel::LiveSystem;
use rbtrace_runtime::show::terminal::{self, message as complain};
use rbtrace_runtime::show::{lines, list};

/// `-l PATTERN`: probes that match.
pub(crate) fn list(args: &Args, pattern: Option<&str>) -> anyhow::Result<u8> {
    if let Some(file) = pattern.filter(|p| p.ends_with(".bt")) {
        warn(args, &[format!("there is no file '{file}': probes of that name are listed")]);
    }
    let mut out = terminal::output();
    let warnings = list::list(&program::system(args), pattern, list_options(args), &mut out)?;
    warn(args, &warnings);
    Ok(0)
}

/// `-l -e PROGRAM`, `-l FILE`: the probes of a program. Its bodies need not make sense.
pub(crate) fn list_program(args: &Args, source: &Source) -> anyhow::Result<u8> {
    let script = program::read(source)?;
    let (system, options) = (program::system(args), program::options(args, &script));
    let mut read = rbtrace_lang::read(script.source, &options);
    if read.failed() {
        program::show(args, &read);
        return Ok(1);
    }
    read.diagnostics.clear();
    let (mut points, mut next) = (vec![], 0);
    for spec in read.script.probes.iter().flat_map(|p| &p.attach) {
        match rbtrace_lang::attach::resolve(spec, &system, &options, &mut next) {
            Ok(found) => points.extend(found),
            Err(refusal) => read.diagnostics.push(refusal.into_diagnostic()),
        }
    }
    let mut out = terminal::output();
    let warnings = list::list_program(&system, &points, list_options(args), &mut out)?;
    warn(args, &warnings);
    program::show(args, &read);
    Ok(u8::from(read.failed()))
}

fn list_options(args: &Args) -> list::Options {
    list::Options { verbose: args.verbose, pid: args.pid }
}

fn warn(args: &Args, warnings: &[String]) {
    for warning in warnings.iter().filter(|_| !args.no_warnings) {
        complain(&format!("WARNING: {warning}\n"));
    }
}

/// `lines FUNC`
pub(crate) fn lines(func: &str, format: lines::Format) -> anyhow::Result<u8> {
    let mut out = terminal::output();
    let written = lines::print(func, lines::Options { format }, &mut out);
    match written.and_then(|()| Ok(out.flush()?)) {
        // The reader has seen enough.
        Err(lines::PrintError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(0),
        result => Ok(result.map(|()| 0)?),
    }
}

/// `help NAME`
pub(crate) fn explain(name: &str) -> anyhow::Result<u8> {
    let Some(text) = crate::explain::explain(name) else {
        let near = crate::explain::resembling(name).map(|hint| format!("\nHINT: {hint}")).unwrap_or_default();
        anyhow::bail!("nothing is called '{name}'{near}\nHINT: `rbtrace help` lists all names");
    };
    crate::say(&text);
    Ok(0)
}

/// `check FILE…`: all of them, 1 when one cannot be compiled.
pub(crate) fn check(args: &Args, files: &[Source]) -> anyhow::Result<u8> {
    let system = args.btf.as_deref().map_or_else(LiveSystem::compile_only, LiveSystem::with_btf);
    let mut failed = false;
    for file in files {
        failed |= !run::check(args, program::read_to_check(file)?, &system);
    }
    Ok(u8::from(failed))
}

/// `--fmt FILE…`: their usual form; 1 when one has errors. No file is written.
pub(crate) fn format(files: &[Source]) -> anyhow::Result<u8> {
    let mut failed = false;
    for file in files {
        let source = program::read_to_check(file)?.source;
        match rbtrace_lang::pretty(&source) {
            Ok(text) => crate::say(&text),
            Err(diagnostics) => {
                failed = true;
                let sources = [source];
                complain(&diagnostics.iter().map(|d| d.render(&sources)).collect::<String>());
            }
        }
    }
    Ok(u8::from(failed))
}

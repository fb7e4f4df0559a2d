//! `rbtrace`: arguments in, work by the crates, exit status out.

// A stream that is closed or full would end us with a panic: see `rbtrace_runtime::show::terminal`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod drive;
mod explain;
mod filter;
mod headers;
mod help;
mod host;
mod program;
mod refused;
mod repl;
mod run;
mod scripts;
mod stages;
mod verbs;

use args::{Action, Args};
use rbtrace_runtime::files::debuginfo;
use rbtrace_runtime::kernel::{LiveKernel, LiveSystem};
use rbtrace_runtime::show::info;
use rbtrace_runtime::show::terminal::{self, message as complain};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::from_env() {
        Ok(args) => args,
        Err(message) => {
            complain(&format!("ERROR: {message}\n{}\n", help::usage()));
            return ExitCode::FAILURE;
        }
    };
    match act(&args) {
        Ok(status) => ExitCode::from(status),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Each cause in its own words, outermost first.
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            complain(&format!("ERROR: {}\n", causes.join(": ")));
            ExitCode::FAILURE
        }
    }
}

/// Has who reads our output seen enough?
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes to standard output; ends the program where nobody reads it any more.
fn say(text: &str) {
    let mut out = terminal::output();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            complain(&format!("ERROR: failed to write the output: {error}\n"));
        }
        std::process::exit(i32::from(error.kind() != io::ErrorKind::BrokenPipe));
    }
}

fn act(args: &Args) -> anyhow::Result<u8> {
    // A relative name may lie beside a program.
    let missing = |f: &&PathBuf| f.is_absolute() && !f.is_dir() && !args.no_warnings;
    for folder in args.debug_folders.iter().filter(missing) {
        complain(&format!("WARNING: --debuginfo: there is no folder {}\n", folder.display()));
    }
    debuginfo::look_in(args.debug_folders.clone());
    match &args.action {
        Action::ScriptHelp(script) => {
            say(&script.help());
            Ok(0)
        }
        Action::Help => {
            say(&help::full());
            Ok(0)
        }
        Action::Version => {
            say(&format!("{}\n", help::version()));
            Ok(0)
        }
        Action::Info => {
            say(&info::report(&LiveSystem::new(), &LiveKernel::without(&args.without), &help::version()));
            Ok(0)
        }
        Action::List(pattern) => verbs::list(args, pattern.as_deref()),
        Action::ListProgram(source) => verbs::list_program(args, source),
        Action::Lines(func, format) => verbs::lines(func, *format),
        Action::Explain(name) => verbs::explain(name),
        Action::Check(files) => verbs::check(args, files),
        Action::Format(files) => verbs::format(files),
        Action::Run(source) => run::run(args, source),
        Action::Prompt => {
            repl::run(&mut host::Prompt::new(args))?;
            Ok(0)
        }
    }
}

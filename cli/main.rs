//! `rbtrace`: arguments in, work by the crates, exit status out.

mod args;
mod explain;
mod help;
mod host;
mod program;
mod repl;
mod run;
mod scripts;
mod stages;
mod verbs;

use args::{Action, Args};
use rbtrace_runtime::info;
use rbtrace_runtime::system::LiveSystem;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::from_env() {
        Ok(args) => args,
        Err(message) => {
            eprintln!("ERROR: {message}\n{}", help::usage());
            return ExitCode::FAILURE;
        }
    };
    match act(&args) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // Each cause in its own words, outermost first.
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("ERROR: {}", causes.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn act(args: &Args) -> anyhow::Result<u8> {
    match &args.action {
        Action::ScriptHelp(script) => {
            print!("{}", script.help());
            Ok(0)
        }
        Action::Help => {
            print!("{}", help::full());
            Ok(0)
        }
        Action::Version => {
            println!("{}", help::version());
            Ok(0)
        }
        Action::Info => {
            print!("{}", info::report(&LiveSystem::new(), &help::version()));
            Ok(0)
        }
        Action::List(pattern) => verbs::list(args, pattern.as_deref()),
        Action::ListProgram(source) => verbs::list_program(args, source),
        Action::Lines(func, format) => verbs::lines(func, *format),
        Action::Explain(name) => verbs::explain(name),
        Action::Check(files) => verbs::check(args, files),
        Action::Run(source) => run::run(args, source),
        Action::Prompt => {
            repl::run(&mut host::Prompt::new(args))?;
            Ok(0)
        }
    }
}

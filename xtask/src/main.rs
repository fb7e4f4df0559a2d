//! rbtrace's chores: `cargo xtask run|test|dist|bench|programs|vm`.
//!
//! Builds without libelf and the like, so that it can install them.

mod bench;
mod command;
mod console;
mod dist;
mod packages;
mod programs;
mod run;
mod stages;
mod test;
mod tools;
mod vm;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask run [-- ARGS...]      build rbtrace and run it
       cargo xtask test [OPTIONS]        run every test, virtual machines included
           --where host|5.10|6.1|6.12|newest
                                         only the end-to-end cases there (may be repeated)
           --only REGEX                  only the end-to-end cases of that name
           --no-vm                       leave out the virtual machines
           --bin COMMAND                 test this binary instead of building one
           --reference                   it is bpftrace: leave out what is better here
           --with DIR                    lay DIR's content at /opt in the virtual machines
           --shared                      others use BPF on this machine: don't look for leftovers on the host
           --debug                       test an unoptimised build
           -v                            name the passed cases too
       cargo xtask dist [--debug]        build the fully static binary
       cargo xtask bench [startup] [event] [emit] [--peer PATH]
                                         compare with the bpftrace on the PATH
       cargo xtask programs [--where PLACE] [--bin COMMAND] [--debug] [--count N] [--seed S] [--theme NAME]
                            [--show] [--loads] [--save DIR]
                                         hold generated programs against an evaluator (docs/testing.md)
       cargo xtask vm [-k 5.10|6.1|6.12|newest] [--dwarf] [--with DIR] COMMAND
                                         run a command in a test machine";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((verb, rest)) = args.split_first() else { bail!("{USAGE}") };
    match verb.as_str() {
        "run" => run::run(rest),
        "test" => test::test(rest),
        "dist" => dist::main(rest),
        "bench" => bench::run(&dist::rbtrace(dist::Profile::Release)?, rest),
        // The load that `bench` traces, as a process of its own.
        "bench-load" => bench::load::main(rest),
        "programs" => programs::main(rest),
        "vm" => vm::main(rest),
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such chore: {verb}\n{USAGE}"),
    }
}

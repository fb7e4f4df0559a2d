//! Options of bpftrace that rbtrace does not have: refused with the reason, never ignored.

use clap::{Arg, ArgAction, ArgMatches};

/// An option, whether it takes a value, and why it is refused.
type Refused = (&'static str, bool, &'static str);

const OPTIONS: &[Refused] = &[
    (
        "aot",
        true,
        "compiling takes milliseconds, so there are no programs compiled ahead: give the script itself",
    ),
    ("emit-elf", true, "programs are loaded without an object file: -d bpf shows their instructions"),
    ("emit-llvm", true, "rbtrace compiles without LLVM: -d ir shows its own intermediate form"),
];

/// Modes (`--mode`) likewise.
const MODES: &[(&str, &str)] =
    &[("compiler-bench", "measure the compiler from outside: `perf stat rbtrace check FILE`")];

/// Stages (`-d`) likewise.
const STAGES: &[(&str, &str)] = &[
    ("libbpf", "libbpf loads nothing here: -v says how programs are attached"),
    ("verifier", "what the verifier said is shown at the line of the script that it refused"),
];

/// The options, for the parser.
pub(crate) fn args() -> impl Iterator<Item = Arg> {
    OPTIONS.iter().map(|&(name, takes_value, _)| {
        let action = if takes_value { ArgAction::Append } else { ArgAction::SetTrue };
        Arg::new(name).long(name).action(action).hide(true)
    })
}

/// The error where one of the options is given.
pub(crate) fn check(matches: &ArgMatches) -> Result<(), String> {
    let given = |&&(name, ..): &&Refused| matches.contains_id(name);
    match OPTIONS.iter().find(given) {
        Some((name, _, why)) => Err(format!("--{name} is not supported\nHINT: {why}")),
        None => Ok(()),
    }
}

/// Why there is no such mode.
pub(crate) fn mode(name: &str) -> Option<&'static str> {
    MODES.iter().find(|(mode, _)| *mode == name).map(|(_, why)| *why)
}

/// Why there is no such stage.
pub(crate) fn stage(name: &str) -> Option<&'static str> {
    STAGES.iter().find(|(stage, _)| *stage == name).map(|(_, why)| *why)
}

//! What `-h` and `-V` say.

use std::path::Path;

/// The version of bpftrace whose language and options we follow.
const REFERENCE: &str = "0.27.1";

/// Were we called by bpftrace's name?
fn is_bpftrace() -> bool {
    let name = std::env::args_os().next();
    name.is_some_and(|n| Path::new(&n).file_name().is_some_and(|f| f == "bpftrace"))
}

/// `rbtrace v0.1.0`; under the name `bpftrace` the version that scripts and tools expect there.
pub(crate) fn version() -> String {
    if is_bpftrace() {
        format!("bpftrace v{REFERENCE} (rbtrace {})", env!("CARGO_PKG_VERSION"))
    } else {
        format!("rbtrace v{}", env!("CARGO_PKG_VERSION"))
    }
}

/// How it is called.
pub(crate) fn usage() -> &'static str {
    "\
USAGE:
    rbtrace [options] FILE|NAME [parameters]   run a script, or a bundled one (./NAME: a file of that name)
    rbtrace [options] -                        run standard input
    rbtrace [options] -e 'PROGRAM'             run a program
    rbtrace                                    the prompt
    rbtrace lines FUNC                         a kernel function by source line (-f tsv: for programs)
    rbtrace check FILE...                      compile only
    rbtrace help [NAME]                        explain a function, builtin, probe kind or config variable
    (-- begins named script parameters: --name=value)
"
}

/// Everything.
pub(crate) fn full() -> String {
    let scripts: Vec<_> = crate::scripts::SCRIPTS.iter().map(|s| s.name).collect();
    format!(
        "rbtrace - ask a running Linux kernel what it is doing\n\n{}\n{OPTIONS}{}",
        usage(),
        bundled(&scripts)
    )
}

fn bundled(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!("\nSCRIPTS:\n    {}\n", names.join(", ")) }
}

const OPTIONS: &str = "\
OPTIONS:
    -e PROGRAM        run this program
    -l [PATTERN]      list probes; with -e or a file, those of the program; with -v, their arguments
    -p, --pid PID     only this process; end with it
    --dwarf-pid PID   let dw_ustack work in this process, too; may be repeated
    -c, --cmd CMD     run this command; end with it
    -o, --output FILE write the output there
    -f FORMAT         output format: text, json
    -B MODE           output buffering: line, full, none
    -q, --quiet       say nothing of attaching
    -v, --verbose     say how things are attached
    -k, --warnings    report failed reads with their place
    --no-warnings     no warnings
    --unsafe          allow what changes the system (system(), signal(), override())
    --dry-run         compile, load and attach, then leave
    --fmt             print the scripts in their usual form (needs no root, writes no file)
    --test, --bench   attach nothing: run the script's test blocks, measure its bench blocks
    --stats           say at the end how often and how long each probe ran (so does -v)
    --max-overhead P  detach the dearest probe where all together take more than P percent of a CPU
    --probe-filter RE only the probes whose names the regular expression matches (begin and end stay)
    --no-feature LIST do without uprobe_multi, kprobe_multi, kprobe_session (with commas between)
    --traceable-functions FILE
                      the functions that can be traced, a line each (default: tracefs' list)
    --btf FILE        with check: the types of another kernel
    --debuginfo DIR[:DIR]
                      look for debug information there, too, and first (relative: beside the program)
    -I DIR            look for headers there too: #include \"FILE\", #include <FILE>
    --include FILE    include this header before all else
    -d STAGE          show a stage: ast, hir, ir, bpf, all
    --info            what the kernel can do
    -h, --help        this text
    -V, --version     the version

ENVIRONMENT:
    BPFTRACE_NAME or RBTRACE_NAME sets the config variable NAME (`rbtrace help`); NOTIFY_SOCKET: systemd hears when
    all is attached

EXAMPLES:
    rbtrace -e 'kprobe:do_nanosleep { printf(\"PID %d sleeping...\\n\", pid); }'
    rbtrace -e 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }'
    rbtrace -e 'tracepoint:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }'
    rbtrace -l 'tracepoint:*sleep*'
";

//! Kinds of probes: names, forms and documentation.

/// A kind of probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeKind {
    /// Its name.
    pub name: &'static str,
    /// Other names.
    pub short: &'static [&'static str],
    /// How attach points of this kind are written; capitals stand for what varies, brackets for what
    /// may be left out.
    pub forms: &'static [&'static str],
    /// One line.
    pub brief: &'static str,
    /// What else is worth knowing; may be empty.
    pub doc: &'static str,
    /// A program that shows it.
    pub example: &'static str,
    /// Lowest kernel, where that is newer than 5.10's.
    pub kernel: Option<&'static str>,
}

const BASE: ProbeKind =
    ProbeKind { name: "", short: &[], forms: &[], brief: "", doc: "", example: "", kernel: None };

/// All kinds, by name.
pub const PROBES: &[ProbeKind] = &[
    ProbeKind {
        name: "begin",
        forms: &["begin"],
        brief: "Once, when tracing starts: no other probe fires before it.",
        doc: "There may be several: they run in the order in which they are written.",
        example: "begin { printf(\"tracing\\n\"); }",
        ..BASE
    },
    ProbeKind {
        name: "bench",
        forms: &["bench:NAME"],
        brief: "A block whose running time is measured, with --bench.",
        doc: "It is run until it has taken a millisecond in all; what it prints is not shown. The time is what the kernel measures, some 20 ns of which are its clock. One that returns a number is left \
              out. Nothing else but begin and end runs then.",
        example: "bench:count { @ = count(); }",
        ..BASE
    },
    ProbeKind {
        name: "end",
        forms: &["end"],
        brief: "Once, when tracing ends: no other probe fires after it.",
        doc: "Maps that still hold something are printed afterwards; clear() those that should not be.",
        example: "end { clear(@start); }",
        ..BASE
    },
    ProbeKind {
        name: "fentry",
        short: &["f", "kfunc"],
        forms: &["fentry[:MODULE]:FUNC", "fentry[:MODULE]:FUNC(TYPE)"],
        brief: "Entry of a kernel function, with its arguments by name.",
        doc: "args.NAME has the types of the kernel's BTF, which the kernel must have. Cheaper than kprobe; a \
              pattern makes one program for each function. -lv shows the arguments.",
        example: "fentry:vfs_read { @[comm] = hist(args.count); }",
        ..BASE
    },
    ProbeKind {
        name: "fexit",
        short: &["fr", "kretfunc"],
        forms: &["fexit[:MODULE]:FUNC"],
        brief: "Return of a kernel function, with its arguments by name.",
        doc: "retval, or args.retval, is its result; args.NAME are the arguments that it was called with.",
        example: "fexit:vfs_read { @[args.file.f_inode.i_ino] = hist(retval); }",
        ..BASE
    },
    ProbeKind {
        name: "hardware",
        short: &["h"],
        forms: &["hardware:EVENT[:COUNT]"],
        brief: "Every COUNT events of a performance counter of the processor.",
        doc: "Events: backend-stalls, branch-instructions (branches), branch-misses, bus-cycles, cache-misses, \
              cache-references, cpu-cycles (cycles), frontend-stalls, instructions, ref-cycles.",
        example: "hardware:cache-misses:1e6 { @[pid] = count(); }",
        ..BASE
    },
    ProbeKind {
        name: "interval",
        short: &["i"],
        forms: &["interval:TIME", "interval:us:N", "interval:ms:N", "interval:s:N", "interval:hz:N"],
        brief: "Again and again after some time, on one CPU.",
        doc: "TIME has a unit (10ms, 1s); without one it is nanoseconds.",
        example: "interval:1s { print(@); clear(@); }",
        ..BASE
    },
    ProbeKind {
        name: "iter",
        short: &["it"],
        forms: &["iter:NAME[:PIN]"],
        brief: "Each object of one of the kernel's lists, once when everything is attached.",
        doc: "ctx has the object's fields (ctx.task), which -lv shows. comm, pid and tid are those of who reads the list: \
              rbtrace, or with PIN whoever reads the file of this name, /sys/fs/bpf/PIN or an absolute path; such a \
              program prints with printf() only, and stays until the file is removed. With -p only the objects of the \
              process are seen, from Linux 6.1 on. The kernel's own BTF is needed. exit() ends the run after the list.",
        example: "iter:task_file { printf(\"%s %d %s\\n\", ctx.task.comm, ctx.fd, path(ctx.file.f_path)); }",
        ..BASE
    },
    ProbeKind {
        name: "kprobe",
        short: &["k"],
        forms: &[
            "kprobe[:MODULE]:FUNC",
            "kprobe[:MODULE]:FUNC+OFFSET",
            "kprobe:ADDRESS",
            "kprobe@FILE:LINE[:COLUMN]",
            "kprobe@MODULE:FILE:LINE[:COLUMN]",
            "kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN]",
            "kprobe[:MODULE]:FUNC(TYPE)",
        ],
        brief: "A place in the kernel's code: a function, an instruction of it, or a source line.",
        doc: "OFFSET must be the beginning of an instruction. FILE is the end of a path; a line that was inlined is \
              probed in all its copies. ADDRESS needs --unsafe.",
        example: "kprobe:vfs_* { @[func] = count(); }",
        ..BASE
    },
    ProbeKind {
        name: "kretprobe",
        short: &["kr"],
        forms: &["kretprobe[:MODULE]:FUNC", "kretprobe:ADDRESS"],
        brief: "Return of a kernel function.",
        doc: "retval is its result; the arguments are gone by then.",
        example: "kretprobe:vfs_read { @ = hist(retval); }",
        ..BASE
    },
    ProbeKind {
        name: "profile",
        short: &["p"],
        forms: &["profile:TIME", "profile:us:N", "profile:ms:N", "profile:s:N", "profile:hz:N"],
        brief: "Again and again after some time, on every CPU.",
        doc: "TIME has a unit (10ms, 1s); without one it is nanoseconds.",
        example: "profile:hz:99 { @[kstack] = count(); }",
        ..BASE
    },
    ProbeKind {
        name: "rawtracepoint",
        short: &["rt"],
        forms: &["rawtracepoint[:MODULE]:EVENT"],
        brief: "A tracepoint with the arguments that the kernel passes to it.",
        doc: "Cheaper than tracepoint; the arguments are argN and args.NAME.",
        example: "rawtracepoint:kfree_skb { @[args.reason] = count(); }",
        ..BASE
    },
    ProbeKind {
        name: "self",
        forms: &["self:signal:SIGUSR1"],
        brief: "When rbtrace itself receives a signal.",
        example: "self:signal:SIGUSR1 { print(@); }",
        ..BASE
    },
    ProbeKind {
        name: "software",
        short: &["s"],
        forms: &["software:EVENT[:COUNT]"],
        brief: "Every COUNT events that the kernel counts.",
        doc: "Events: alignment-faults, bpf-output, context-switches (cs), cpu-clock (cpu), cpu-migrations, dummy, \
              emulation-faults, major-faults, minor-faults, page-faults (faults), task-clock.",
        example: "software:faults:100 { @[comm] = count(); }",
        ..BASE
    },
    ProbeKind {
        name: "test",
        forms: &["test:NAME"],
        brief: "A block that must not fail, with --test.",
        doc: "It fails where it returns a number, exits with one, or calls errorf(); only then its output is shown. Nothing else \
              but begin and end runs then.",
        example: "test:sum { if (1 + 1 != 2) { errorf(\"strange\"); } }",
        ..BASE
    },
    ProbeKind {
        name: "tracepoint",
        short: &["t"],
        forms: &["tracepoint:CATEGORY:EVENT"],
        brief: "A place that the kernel's authors made for tracing.",
        doc: "Its fields are args.NAME; -lv shows them.",
        example: "tracepoint:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }",
        ..BASE
    },
    ProbeKind {
        name: "uprobe",
        short: &["u"],
        forms: &[
            "uprobe:BINARY:FUNC",
            "uprobe:BINARY:FUNC+OFFSET",
            "uprobe:BINARY:ADDRESS",
            "uprobe:BINARY@FILE:LINE[:COL]",
        ],
        brief: "A function of a program or library.",
        doc: "BINARY is a path, a name that is looked up in PATH, or a library's name (libc). With -p it may be left \
              out.",
        example: "uprobe:libc:malloc { @ = hist(arg0); }",
        ..BASE
    },
    ProbeKind {
        name: "uretprobe",
        short: &["ur"],
        forms: &["uretprobe:BINARY:FUNC", "uretprobe:BINARY:ADDRESS"],
        brief: "Return of a function of a program or library.",
        doc: "retval is its result.",
        example: "uretprobe:/bin/bash:readline { printf(\"%s\\n\", str(retval)); }",
        ..BASE
    },
    ProbeKind {
        name: "usdt",
        short: &["U"],
        forms: &["usdt:BINARY[:PROVIDER]:NAME", "usdt:NAME"],
        brief: "A place that a program's authors made for tracing.",
        doc: "Its arguments are arg0, arg1, …; -lv shows how many there are. BINARY is a path, or the name of a program or \
              library; * stands for all files of the process of -p or the program of -c, which may then be left out, \
              and without these for the files of all processes. Where a program asks whether it is traced \
              (semaphores), it learns so. A name in quotes may have any characters.",
        example: "usdt:libpython3.11:python:gc__start { printf(\"%s collects generation %d\\n\", comm, arg0); }",
        ..BASE
    },
    ProbeKind {
        name: "watchpoint",
        short: &["w"],
        forms: &["watchpoint:ADDRESS:LENGTH:MODE"],
        brief: "An access to a place in memory.",
        doc: "LENGTH is 1, 2, 4 or 8, and ADDRESS must be a multiple of it; MODE is w (it is written), rw (read or written) or x \
              (executed). An address of processes is watched in that of -p, with all its threads and what it starts, in \
              the command of -c, or in all; one of the kernel on every CPU. The processor's debug registers do it: \
              x86-64 has four, and no mode for reads alone. The kernel reports what is written by the kernel itself \
              for a process (read(2)) as well.",
        example: "watchpoint:0x10000000:8:w { printf(\"%s\\n\", ustack); }",
        ..BASE
    },
];

/// The kind with this name or short name. Case matters only where two names differ by it (`u`, `U`).
pub fn probe_kind(name: &str) -> Option<&'static ProbeKind> {
    let find = |name: &str| PROBES.iter().find(|p| p.name == name || p.short.contains(&name));
    find(name).or_else(|| find(&name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        assert!(PROBES.windows(2).all(|w| w[0].name < w[1].name));
        let mut all: Vec<_> = PROBES.iter().flat_map(|p| p.short.iter().chain([&p.name])).collect();
        let before = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), before);
    }

    #[test]
    fn short_names() {
        let name = |n| probe_kind(n).map(|p| p.name);
        assert_eq!(name("k"), Some("kprobe"));
        assert_eq!(name("BEGIN"), Some("begin"));
        assert_eq!((name("u"), name("U")), (Some("uprobe"), Some("usdt")));
        assert_eq!(name("kprob"), None);
    }
}

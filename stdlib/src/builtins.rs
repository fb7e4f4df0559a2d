//! Builtins: words that are values.

/// A builtin of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Its name; `argN` stands for `arg0`, `arg1`, ….
    pub name: &'static str,
    /// Its type, as messages name it.
    pub ty: &'static str,
    /// Kinds of probes in which it may be used; empty: all.
    pub probes: &'static [&'static str],
    /// One line.
    pub brief: &'static str,
    /// An expression or program that shows it.
    pub example: &'static str,
}

const fn everywhere(
    name: &'static str,
    ty: &'static str,
    brief: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, ty, probes: &[], brief, example }
}

/// All builtins, by name.
pub const BUILTINS: &[Builtin] = &[
    Builtin {
        name: "argN",
        ty: "uint64",
        probes: &["kprobe", "uprobe", "usdt", "rawtracepoint"],
        brief: "The traced function's or probe's argument number N, from 0; an int64 in usdt probes.",
        example: "kprobe:vfs_read { print(arg2); }",
    },
    Builtin {
        name: "arg_match",
        ty: "T",
        probes: &["kprobe", "fentry", "fexit"],
        brief: "The first argument of the type by which the attach point finds its functions.",
        example: "kprobe:ip_*(struct sk_buff *) { @[func] = sum(arg_match->len); }",
    },
    Builtin {
        name: "args",
        ty: "struct",
        probes: &["tracepoint", "rawtracepoint", "kprobe", "uprobe", "fentry", "fexit"],
        brief: "The traced event's or function's arguments by name.",
        example: "tracepoint:sched:sched_switch { print(args.next_comm); }",
    },
    everywhere("cgroup", "uint64", "Id of the current process's control group (v2).", "print(cgroup)"),
    everywhere("comm", "string[16]", "The current thread's name.", "@[comm] = count()"),
    everywhere("config", "record", "The config variables' values.", "print(config().max_strlen)"),
    everywhere(
        "cpid",
        "uint32",
        "Process id of the command given with -c.",
        "kprobe:vfs_read /pid == cpid/ { @ = count(); }",
    ),
    everywhere("cpu", "uint32", "Number of the CPU on which the probe fires.", "@[cpu] = count()"),
    everywhere(
        "ctx",
        "T *",
        "The program's context: registers, record or arguments.",
        "kprobe:vfs_read { print(ctx); }",
    ),
    everywhere("curtask", "struct task_struct *", "The current task.", "print(curtask.pid)"),
    everywhere("elapsed", "uint64", "Nanoseconds since the trace began.", "print(elapsed)"),
    Builtin {
        name: "func",
        ty: "ksym_t or usym_t",
        probes: &["kprobe", "kretprobe", "uprobe", "uretprobe", "fentry", "fexit"],
        brief: "Name of the traced function.",
        example: "kprobe:vfs_* { @[func] = count(); }",
    },
    everywhere("gid", "uint32", "The current thread's group id.", "print(gid)"),
    everywhere("has_cpid", "bool", "Was a command given with -c?", "print(has_cpid)"),
    everywhere("jiffies", "uint64", "The kernel's tick count.", "print(jiffies)"),
    everywhere("kstack", "kstack_t", "The kernel stack.", "@[kstack] = count()"),
    everywhere("ncpus", "uint64", "Number of possible CPUs.", "for ($c : 0..ncpus) { print($c); }"),
    everywhere("nsecs", "uint64", "Nanoseconds since boot.", "@start[tid] = nsecs"),
    everywhere("numaid", "uint32", "Number of the memory node.", "print(numaid)"),
    everywhere(
        "pid",
        "uint32",
        "Process id (thread group id) in our PID namespace; pid(init): in the first one.",
        "@[pid] = count()",
    ),
    everywhere("probe", "probe_t", "The attach point that fired, by its full name.", "@[probe] = count()"),
    everywhere("probetype", "string", "The kind of the attach point that fired.", "print(probetype)"),
    everywhere("rand", "uint32", "A random number.", "print(rand % 6)"),
    Builtin {
        name: "retval",
        ty: "uint64",
        probes: &["kretprobe", "uretprobe", "fexit"],
        brief: "What the traced function returns.",
        example: "kretprobe:vfs_read { @ = hist(retval); }",
    },
    everywhere(
        "tid",
        "uint32",
        "Thread id in our PID namespace; tid(init): in the first one.",
        "@start[tid] = nsecs",
    ),
    everywhere("uid", "uint32", "The current thread's user id.", "@[uid] = count()"),
    everywhere(
        "usermode",
        "uint8",
        "1 where the CPU was in user mode, else 0 (x86-64).",
        "profile:hz:99 { @[usermode] = count(); }",
    ),
    everywhere("username", "username", "Name of the current thread's user.", "@[username] = count()"),
    everywhere("ustack", "ustack_t", "The user stack.", "@[ustack] = count()"),
];

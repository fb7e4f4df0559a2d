//! Processes, users, control groups, signals.

use super::{Function, Kind, optional, param};

pub(super) const PROCESS: &[Function] = &[
    Function {
        name: "cgroupid",
        params: &[param("path", Kind::Literal)],
        result: "uint64",
        brief: "The id of the control group (v2) at a path.",
        example: "kprobe:vfs_read /cgroup == cgroupid(\"/sys/fs/cgroup/system.slice\")/ { @ = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "cgroup_path",
        params: &[param("id", Kind::Int), optional("hierarchy", Kind::Literal)],
        result: "cgroup_path_t",
        brief: "A control group's id that prints as its path.",
        example: "profile:hz:99 { @[cgroup_path(cgroup)] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "strerror",
        params: &[param("errno", Kind::Int)],
        result: "strerror_t",
        brief: "An error number that prints as its text.",
        example: "kretprobe:vfs_read /(int64)retval < 0/ { printf(\"%s\\n\", strerror(-(int32)retval)); }",
        ..Function::PLAIN
    },
    Function {
        name: "signal",
        params: &[param("signal", Kind::Any)],
        needs_unsafe: true,
        probes: &[
            "kprobe",
            "kretprobe",
            "uprobe",
            "uretprobe",
            "usdt",
            "tracepoint",
            "rawtracepoint",
            "profile",
        ],
        brief: "Sends a signal, by number or name, to the current process.",
        example: "kprobe:__x64_sys_execve /comm == \"bash\"/ { signal(\"SIGSTOP\"); }",
        ..Function::PLAIN
    },
    Function {
        name: "signal_thread",
        params: &[param("signal", Kind::Any)],
        needs_unsafe: true,
        probes: &["kprobe", "kretprobe", "uprobe", "uretprobe", "tracepoint", "rawtracepoint", "profile"],
        brief: "Sends a signal, by number or name, to the current thread alone.",
        example: "kprobe:__x64_sys_execve /comm == \"bash\"/ { signal_thread(\"SIGSTOP\"); }",
        ..Function::PLAIN
    },
    Function {
        name: "signal_name",
        params: &[param("signal", Kind::Int)],
        result: "signal_name_t",
        brief: "The number of a signal that prints as what it means.",
        example: "tracepoint:signal:signal_generate { @[signal_name(args.sig)] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "syscall_name",
        params: &[param("number", Kind::Int)],
        result: "syscall_name_t",
        brief: "The number of a system call that prints as its name.",
        example: "tracepoint:raw_syscalls:sys_enter { @[syscall_name(args.id)] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "write_user",
        params: &[param("address", Kind::Address), param("value", Kind::Any), param("n", Kind::Int)],
        result: "bool",
        needs_unsafe: true,
        brief: "Writes the first n bytes of a value to the memory of the current process; gives whether that worked.",
        doc: "A wrong address breaks the process. Of a pointer, what it points to is written.",
        example: "tracepoint:syscalls:sys_enter_openat /comm == \"app\"/ { write_user(args.filename, \"/tmp/other\", 11); }",
        ..Function::PLAIN
    },
    Function {
        name: "unwatch",
        params: &[param("address", Kind::Any)],
        brief: "Detaches the watchpoints of this address.",
        doc: "rbtrace does it once it reads of it: until then they may fire some more times.",
        example: "watchpoint:0x10000000:8:w { print(ustack); unwatch(0x10000000); }",
        ..Function::PLAIN
    },
    Function {
        name: "override",
        params: &[param("result", Kind::Int)],
        needs_unsafe: true,
        probes: &["kprobe"],
        brief: "Makes the probed function return at once with this result.",
        doc: "Only for functions that the kernel marks ALLOW_ERROR_INJECTION.",
        example: "kprobe:__x64_sys_getuid /comm == \"id\"/ { override(42); }",
        ..Function::PLAIN
    },
];

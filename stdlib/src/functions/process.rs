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

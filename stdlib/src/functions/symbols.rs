//! Addresses, symbols, stacks and registers.

use super::{Function, Kind, optional, param};

const STACK: &[super::Param] = &[optional("mode", Kind::Word), optional("limit", Kind::ConstInt)];
const ADDRESS: super::Param = param("address", Kind::Address);

pub(super) const SYMBOLS: &[Function] = &[
    Function {
        name: "kstack",
        params: STACK,
        result: "kstack",
        brief: "The kernel stack.",
        doc: "mode is bpftrace, perf or raw (config stack_mode decides by default); limit is the most frames, 127 by \
              default.",
        example: "tracepoint:skb:kfree_skb { @[kstack(5)] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "ustack",
        params: STACK,
        result: "ustack",
        brief: "The user stack.",
        doc: "mode is bpftrace, perf, raw or build_id; limit is the most frames, 127 by default.",
        example: "profile:hz:99 { @[ustack(perf, 10)] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "dw_ustack",
        params: STACK,
        result: "ustack",
        brief: "The user stack, unwound by the program's call frame information (.eh_frame).",
        doc: "For programs without frame pointers, in the processes of -p, -c and --dwarf-pid and in their children. \
              mode is bpftrace, perf or raw. Outside of uprobes it needs Linux 5.15. Stacks that end at code without \
              such information are shown up to there, and counted.",
        example: "uprobe:libc:malloc { @[dw_ustack(perf, 10)] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "ksym",
        params: &[ADDRESS],
        result: "ksym_t",
        brief: "A kernel address that prints as a symbol.",
        example: "kprobe:do_nanosleep { printf(\"%s\\n\", ksym(reg(\"ip\"))); }",
        ..Function::PLAIN
    },
    Function {
        name: "usym",
        params: &[ADDRESS],
        result: "usym_t",
        brief: "A user address that prints as a symbol.",
        example: "uprobe:/bin/bash:readline { printf(\"%s\\n\", usym(reg(\"ip\"))); }",
        ..Function::PLAIN
    },
    Function {
        name: "kaddr",
        params: &[param("name", Kind::Literal)],
        result: "uint64",
        brief: "Where a symbol of the kernel lies in memory.",
        example: "interval:s:1 { print(*kaddr(\"avenrun\")); }",
        ..Function::PLAIN
    },
    Function {
        name: "uaddr",
        params: &[param("name", Kind::Literal)],
        result: "T *",
        probes: &["uprobe", "uretprobe", "usdt"],
        brief: "The address of a symbol in the probed binary.",
        doc: "It points to an unsigned integer of the symbol's size, to uint64 where that is no integer's.",
        example: "uprobe:/bin/bash:readline { printf(\"%s\\n\", str(*uaddr(\"ps1_prompt\"))); }",
        ..Function::PLAIN
    },
    Function {
        name: "reg",
        params: &[param("name", Kind::Literal)],
        result: "uint64",
        probes: &[
            "kprobe",
            "kretprobe",
            "uprobe",
            "uretprobe",
            "usdt",
            "profile",
            "software",
            "hardware",
            "watchpoint",
        ],
        brief: "A register of the probed code.",
        example: "kprobe:vfs_read { print(ksym(reg(\"ip\"))); }",
        ..Function::PLAIN
    },
    Function {
        name: "kptr",
        params: &[ADDRESS],
        result: "T *",
        brief: "Says that a pointer points into the kernel's memory.",
        example: "uprobe:/bin/bash:readline { print(*kptr(kaddr(\"jiffies\"))); }",
        ..Function::PLAIN
    },
    Function {
        name: "uptr",
        params: &[ADDRESS],
        result: "T *",
        brief: "Says that a pointer points into the current process's memory.",
        example: "kprobe:vfs_write { print(str(uptr(arg1), 16)); }",
        ..Function::PLAIN
    },
];

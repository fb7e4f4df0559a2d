//! Texts and bytes.

use super::{Function, Kind, optional, param};

pub(super) const TEXT: &[Function] = &[
    Function {
        name: "str",
        params: &[param("pointer", Kind::Any), optional("size", Kind::Int)],
        result: "string",
        brief: "Reads the text that a pointer points to.",
        doc: "At most size bytes, the NUL included, and never more than max_strlen. A text that was cut ends in \
              str_trunc_trailer. Of a positional parameter ($1) it is the parameter's text.",
        example: "tracepoint:syscalls:sys_enter_openat { printf(\"%s\\n\", str(args.filename)); }",
        ..Function::PLAIN
    },
    Function {
        name: "buf",
        params: &[param("data", Kind::Any), optional("length", Kind::Int)],
        result: "buffer",
        brief: "Reads bytes; %r, %rx and %rh of printf show them.",
        doc: "Of an array the length may be left out.",
        example: "kprobe:vfs_write { printf(\"%r\\n\", buf(uptr(arg1), 16)); }",
        ..Function::PLAIN
    },
    Function {
        name: "strncmp",
        params: &[param("a", Kind::Text), param("b", Kind::Text), param("length", Kind::ConstInt)],
        result: "uint64",
        brief: "0 when the first length bytes of two texts are equal.",
        example: "kprobe:vfs_read /strncmp(comm, \"ssh\", 3) == 0/ { @ = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "strcontains",
        params: &[param("haystack", Kind::Text), param("needle", Kind::Text)],
        result: "bool",
        brief: "Does a text contain another?",
        example: "kprobe:vfs_read /strcontains(comm, \"ssh\")/ { @ = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "strlen",
        params: &[param("text", Kind::Text)],
        result: "uint64",
        brief: "Bytes of a text before its NUL.",
        example: "tracepoint:syscalls:sys_enter_openat { @ = hist(strlen(str(args.filename))); }",
        ..Function::PLAIN
    },
    Function {
        name: "bswap",
        params: &[param("n", Kind::Int)],
        result: "uint8/16/32/64",
        brief: "The bytes of an integer in the other order.",
        doc: "The width of the argument decides: cast it first where that matters.",
        example: "kprobe:tcp_connect { printf(\"%d\\n\", bswap(((struct sock *)arg0).__sk_common.skc_dport)); }",
        ..Function::PLAIN
    },
];

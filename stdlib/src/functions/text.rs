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
        name: "strstr",
        params: &[param("haystack", Kind::Text), param("needle", Kind::Text)],
        result: "int64",
        brief: "Where a text begins in another one, in bytes; -1 where it does not occur.",
        example: "begin { print(strstr(\"needle in a haystack\", \"in\")); }",
        ..Function::PLAIN
    },
    Function {
        name: "str_concat",
        params: &[param("a", Kind::Text), param("b", Kind::Text)],
        result: "string",
        brief: "Two texts as one.",
        example: "tracepoint:syscalls:sys_enter_openat { @[str_concat(comm, str(args.filename))] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "strcap",
        params: &[param("text", Kind::Any)],
        result: "uint64",
        brief: "Bytes that a text or an array of chars has room for; of a pointer, the length of the text there.",
        example: "begin { print(strcap(comm)); }",
        ..Function::PLAIN
    },
    Function {
        name: "assert_str",
        params: &[param("value", Kind::Any)],
        brief: "Ends compilation unless the argument is a text, or an array of chars or pointer to chars.",
        example: "begin { assert_str(comm); }",
        ..Function::PLAIN
    },
    Function {
        name: "default_str_length",
        result: "uint64",
        brief: "The most bytes of a text whose length nothing else says: config max_strlen.",
        example: "begin { print(default_str_length()); }",
        ..Function::PLAIN
    },
    Function {
        name: "path",
        params: &[param("path", Kind::Any), optional("size", Kind::ConstInt)],
        result: "string",
        probes: &["fentry", "fexit", "iter"],
        brief: "The whole path of a struct path.",
        doc: "It must lie in an argument of the function, and the function must be one of those in which the kernel allows \
              it (btf_allowlist_d_path: security_file_open, vfs_truncate, filp_close, …). In iter it must lie in what a \
              field of ctx leads to: path(ctx.vma.vm_file.f_path). Where there is none it is empty. A path that is longer than size, \
              max_strlen by default, is cut at its front.",
        example: "fentry:security_file_open { print(path(args.file.f_path)); }",
        ..Function::PLAIN
    },
    Function {
        name: "memcmp",
        params: &[param("a", Kind::Any), param("b", Kind::Any), param("n", Kind::Int)],
        result: "int32",
        brief: "0 when the first n bytes of two values are equal; below 0 when the first that differs is less in the first.",
        example: "begin { print(memcmp(\"abc\", \"abd\", 3)); }",
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

//! What prints, and what ends the program.

use super::{Function, Kind, optional, param};

const FORMAT: super::Param = param("format", Kind::Literal);

pub(super) const OUTPUT: &[Function] = &[
    Function {
        name: "printf",
        params: &[FORMAT],
        variadic: true,
        brief: "Prints text with values in it.",
        doc: "Conversions are those of printf(3): %d %i %u %x %X %o %p %c %s with flags, width, precision and the \
              lengths hh h l ll z j t. %s takes any value that print() takes. %r prints the bytes of buf(), %rx as \
              \\xNN each, %rh as hex digits separated by blanks, %gr allocation flags by name.",
        example: "kprobe:vfs_read { printf(\"%-16s %d\\n\", comm, pid); }",
        ..Function::PLAIN
    },
    Function {
        name: "print",
        params: &[
            param("value", Kind::Any),
            optional("top", Kind::ConstInt),
            optional("div", Kind::ConstInt),
        ],
        brief: "Prints a value, a map or a map's entry in its usual form.",
        doc: "A map is read when the event reaches user space. With top only the entries with the largest values \
              are printed; div divides integers before they are printed.",
        example: "interval:s:5 { print(@calls, 10); clear(@calls); }",
        ..Function::PLAIN
    },
    Function {
        name: "errorf",
        params: &[FORMAT],
        variadic: true,
        brief: "Prints text as an error, with the place in the script.",
        example: "begin { errorf(\"no such device: %d\", $1); }",
        ..Function::PLAIN
    },
    Function {
        name: "debugf",
        params: &[param("format", Kind::Literal)],
        variadic: true,
        brief: "Writes a line to the kernel's trace pipe (/sys/kernel/tracing/trace_pipe).",
        doc: "The kernel itself prints it: %d, %u, %x, %c, %p and %s of numbers and texts; more than three of them from Linux \
              5.16 on. For debugging only: it is slow, and everybody's trace pipe is one.",
        example: "interval:s:1 { debugf(\"alive on CPU %d\", cpu); }",
        ..Function::PLAIN
    },
    Function {
        name: "warnf",
        params: &[FORMAT],
        variadic: true,
        brief: "Prints text as a warning, with the place in the script.",
        doc: "--no-warnings silences it.",
        example: "begin { warnf(\"%s is slow\", \"this\"); }",
        ..Function::PLAIN
    },
    Function {
        name: "time",
        params: &[optional("format", Kind::Literal)],
        brief: "Prints the time of day, by default as %H:%M:%S and a line break.",
        doc: "The format is that of strftime(3). What is shown is when the event was read, not when it happened.",
        example: "interval:s:1 { time(\"%H:%M:%S \"); print(@n); }",
        ..Function::PLAIN
    },
    Function {
        name: "join",
        params: &[param("array", Kind::Any), optional("separator", Kind::Literal)],
        brief: "Prints the texts of an array of char pointers, such as argv, with blanks or a separator between them.",
        example: "tracepoint:syscalls:sys_enter_execve /uid == 0/ { join(args.argv); }",
        ..Function::PLAIN
    },
    Function {
        name: "cat",
        params: &[FORMAT],
        variadic: true,
        brief: "Prints a file; its name is made as by printf.",
        doc: "At most max_cat_bytes are printed.",
        example: "begin { cat(\"/proc/%d/status\", pid); }",
        ..Function::PLAIN
    },
    Function {
        name: "system",
        params: &[FORMAT],
        variadic: true,
        needs_unsafe: true,
        brief: "Runs a shell command, made as by printf, when the event is read.",
        example: "interval:s:10 { system(\"ss -s\"); }",
        ..Function::PLAIN
    },
    Function {
        name: "exit",
        params: &[optional("code", Kind::Int)],
        brief: "Leaves the probe and ends the trace, as Ctrl-C does.",
        doc: "The end probe still runs and maps are printed. The code is the exit status.",
        example: "interval:s:10 { exit(); }",
        ..Function::PLAIN
    },
];

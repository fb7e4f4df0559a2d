//! Clocks.

use super::{Function, Kind, optional, param};

pub(super) const TIME: &[Function] = &[
    Function {
        name: "nsecs",
        params: &[optional("clock", Kind::Word)],
        result: "uint64",
        brief: "Nanoseconds since boot; or of the clock boot, monotonic or tai.",
        doc: "boot (the default) counts while the machine is suspended, monotonic does not, tai counts from 1970.",
        example: "kprobe:vfs_read { @start[tid] = nsecs; }",
        ..Function::PLAIN
    },
    Function {
        name: "strftime",
        params: &[param("format", Kind::Literal), param("nanoseconds", Kind::Int)],
        result: "timestamp",
        brief: "A time since boot (nsecs) as text, in the format of strftime(3).",
        doc: "%f is the microsecond with six digits. The value can only be printed.",
        example: "kprobe:vfs_read { printf(\"%s\\n\", strftime(\"%H:%M:%S.%f\", nsecs)); }",
        ..Function::PLAIN
    },
];

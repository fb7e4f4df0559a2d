//! What works on whole maps and their entries.

use super::{Function, Kind, optional, param};

const MAP: super::Param = param("map", Kind::Map);

pub(super) const MAPS: &[Function] = &[
    Function {
        name: "clear",
        params: &[MAP],
        brief: "Removes all entries of a map.",
        example: "interval:s:1 { print(@n); clear(@n); }",
        ..Function::PLAIN
    },
    Function {
        name: "zero",
        params: &[MAP],
        brief: "Sets all values of a map to zero and keeps its keys.",
        example: "interval:s:1 { print(@n); zero(@n); }",
        ..Function::PLAIN
    },
    Function {
        name: "delete",
        params: &[MAP, optional("key", Kind::Any)],
        result: "bool",
        brief: "Removes one entry; gives whether there was one.",
        doc: "A map without keys is emptied: delete(@m). The older form delete(@m[key]) works too.",
        example: "kretprobe:vfs_read { delete(@start, tid); }",
        ..Function::PLAIN
    },
    Function {
        name: "has_key",
        params: &[MAP, optional("key", Kind::Any)],
        result: "bool",
        brief: "Is there an entry with this key?",
        example: "kretprobe:vfs_read /has_key(@start, tid)/ { @ = hist(nsecs - @start[tid]); }",
        ..Function::PLAIN
    },
    Function {
        name: "find",
        params: &[MAP, param("key", Kind::Any), param("result", Kind::Any)],
        result: "bool",
        brief: "Is there an entry with this key? Puts its value into a variable.",
        example: "kretprobe:vfs_read { let $t; if (find(@start, tid, $t)) { @ = hist(nsecs - $t); } }",
        ..Function::PLAIN
    },
    Function {
        name: "len",
        params: &[param("what", Kind::Any)],
        result: "int64",
        brief: "Entries of a map, frames of a stack, bytes of a text.",
        example: "interval:s:1 { print(len(@open)); }",
        ..Function::PLAIN
    },
    Function {
        name: "stack_len",
        params: &[param("stack", Kind::Any)],
        result: "int64",
        brief: "Frames of a stack.",
        example: "profile:hz:99 { @ = hist(stack_len(kstack)); }",
        ..Function::PLAIN
    },
];

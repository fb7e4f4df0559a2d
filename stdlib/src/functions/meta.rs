//! What is answered when the script is compiled.

use super::{Function, Kind, optional, param};

const VALUE: &[super::Param] = &[param("value", Kind::Any)];

/// An entry of the family `is_…`.
const fn question(name: &'static str, brief: &'static str, example: &'static str) -> Function {
    Function { name, params: VALUE, result: "bool", brief, example, ..Function::PLAIN }
}

pub(super) const META: &[Function] = &[
    Function {
        name: "sizeof",
        params: VALUE,
        result: "uint64",
        brief: "Bytes of a type or of an expression's value.",
        doc: "The expression is not evaluated.",
        example: "begin { print(sizeof(struct sk_buff)); }",
        ..Function::PLAIN
    },
    Function {
        name: "offsetof",
        params: &[param("struct", Kind::Any), param("field", Kind::Word)],
        result: "uint64",
        brief: "Bytes from a struct's start to a field, sub-fields included.",
        example: "begin { print(offsetof(struct sock, __sk_common.skc_daddr)); }",
        ..Function::PLAIN
    },
    Function {
        name: "getopt",
        params: &[
            param("name", Kind::Literal),
            optional("default", Kind::Any),
            optional("description", Kind::Literal),
        ],
        result: "bool, int64 or string",
        brief: "A named parameter, given after -- as --name=value.",
        doc: "The default's type is the parameter's; without one it is a bool.",
        example: "begin { print(getopt(\"port\", 80)); }",
        ..Function::PLAIN
    },
    Function {
        name: "kfunc_exist",
        params: &[param("name", Kind::Literal)],
        result: "bool",
        brief: "Does this kernel have a function of this name in its BTF?",
        example: "begin { print(kfunc_exist(\"bpf_task_from_pid\")); }",
        ..Function::PLAIN
    },
    Function {
        name: "kfunc_allowed",
        params: &[param("name", Kind::Literal)],
        result: "bool",
        brief: "May the programs of this kind of probe call a function of the kernel (a kfunc)?",
        doc: "Found by trying on the running kernel.",
        example: "kprobe:vfs_read { print(kfunc_allowed(\"bpf_task_from_pid\")); }",
        ..Function::PLAIN
    },
    Function {
        name: "fail",
        params: &[param("format", Kind::Literal)],
        variadic: true,
        brief: "Ends compilation with a message where it can be reached.",
        example: "begin { if ($# == 0) { fail(\"usage: script PORT\"); } }",
        ..Function::PLAIN
    },
    Function {
        name: "static_assert",
        params: &[param("condition", Kind::Bool), param("message", Kind::Literal)],
        brief: "Ends compilation with a message unless a constant condition holds.",
        example: "begin { static_assert(sizeof(struct page) == 64, \"unexpected struct page\"); }",
        ..Function::PLAIN
    },
    question("is_str", "Is it a text?", "begin { print(is_str(comm)); }"),
    question("is_ptr", "Is it a pointer?", "begin { print(is_ptr(curtask)); }"),
    question("is_array", "Is it an array?", "begin { print(is_array(pton(\"::1\"))); }"),
    question("is_integer", "Is it an integer?", "begin { print(is_integer(pid)); }"),
    question(
        "is_unsigned_integer",
        "Is it an unsigned integer?",
        "begin { print(is_unsigned_integer(pid)); }",
    ),
    Function {
        params: &[param("map", Kind::Map)],
        ..question("is_scalar", "Is it a map without keys?", "begin { @x = 1; print(is_scalar(@x)); }")
    },
    question("is_literal", "Is it a literal?", "begin { print(is_literal(1)); }"),
    Function {
        doc: "False where something in it does not exist here: a field, a struct, a constant, a symbol. What the script \
              does in the branch that is then never taken need not exist either.",
        ..question(
            "is_known",
            "Can it be compiled for this kernel?",
            "tracepoint:skb:kfree_skb { if (is_known(args.reason)) { @[args.reason] = count(); } }",
        )
    },
];

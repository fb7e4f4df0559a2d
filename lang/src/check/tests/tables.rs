//! The checker takes and gives what the library's table says.

use super::*;
use crate::Span;
use crate::types::Type;
use rbtrace_stdlib::{Function, Kind, supported_functions};

/// An argument that a parameter of this kind takes.
fn right(function: &Function, kind: Kind) -> &'static str {
    match (function.name, kind) {
        ("print", Kind::Any) => "@map",
        ("offsetof", Kind::Any) => "struct task_struct",
        ("len" | "ntop" | "macaddr" | "buf", Kind::Any) => "pton(\"::1\")",
        ("nsecs", Kind::Word) => "boot",
        ("signal", Kind::Any) => "9",
        ("hist", Kind::ConstInt) => "2",
        ("pton", Kind::Literal) => "\"::1\"",
        (_, Kind::Map) => "@map",
        (_, Kind::Any | Kind::Int | Kind::ConstInt | Kind::Address) => "1",
        (_, Kind::Text) => "comm",
        (_, Kind::Literal) => "\"x\"",
        (_, Kind::Word) => "raw",
        (_, Kind::Bool) => "true",
    }
}

/// One that it does not take; `None` where it takes all.
fn wrong(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Any => return None,
        Kind::Map => "17",
        Kind::Int | Kind::Address => "comm",
        Kind::ConstInt => "rand",
        Kind::Text | Kind::Literal => "(1, 2)",
        Kind::Word | Kind::Bool => "(1, 2)",
    })
}

/// A call whose argument number `n` is this, and the place of that argument.
fn call(function: &Function, n: usize, argument: &str) -> (String, Span) {
    let probe = if function.probes.is_empty() { "begin" } else { "kprobe:vfs_read" };
    let (mut text, mut place) =
        (format!("{probe} {{ @map[1] = 1; @result = {}(", function.name), Span::default());
    for (i, param) in function.params.iter().enumerate() {
        if i > n && param.optional {
            break;
        }
        text += if i > 0 { ", " } else { "" };
        let start = text.len();
        text += if i == n { argument } else { right(function, param.kind) };
        if i == n {
            place = Span::new(start, text.len());
        }
    }
    (text + "); }", place)
}

#[test]
fn parameters_take_what_the_table_says() {
    let options = Options { allow_unsafe: true, ..Options::default() };
    let mut accepted = vec![];
    // The fixture has no programs.
    let only_in_programs = |f: &Function| !f.probes.is_empty() && !f.probes.contains(&"kprobe");
    for function in supported_functions().filter(|f| !only_in_programs(f)) {
        for (n, param) in function.params.iter().enumerate() {
            let Some(argument) = wrong(param.kind) else { continue };
            let (text, place) = call(function, n, argument);
            let typed = crate::compile(Source::new("stdin", &text), &options, &Fixture::new());
            let inside = |s: Span| s.file == 0 && place.start <= s.start && s.end <= place.end;
            if !typed.diagnostics.iter().any(|d| d.span.is_some_and(inside)) {
                let said: String = typed.diagnostics.iter().map(|d| d.render(&typed.sources)).collect();
                accepted.push(format!("{} as {:?} {}:\n{text}\n{said}", argument, param.kind, param.name));
            }
        }
    }
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

/// Has a value of this type the type that the table names? Sizes are left open there, and literals are small.
fn is_named(ty: &Type, name: &str) -> bool {
    let shown = ty.to_string();
    match ty {
        Type::Int { .. } => name.contains("int"),
        Type::Ptr { .. } => name == "T *",
        Type::Str(_) | Type::Buf(_) => shown.split('[').next() == Some(name),
        _ => name.split(" or ").any(|one| one == shown),
    }
}

#[test]
fn results_are_what_the_table_says() {
    let options = Options { allow_unsafe: true, ..Options::default() };
    let mut other = vec![];
    for function in supported_functions().filter(|f| f.result != "void") {
        let (text, _) = call(function, usize::MAX, "");
        let typed = crate::compile(Source::new("stdin", &text), &options, &Fixture::new());
        // Some need arguments that mean something.
        let Some(program) = typed.program.filter(|_| typed.diagnostics.is_empty()) else { continue };
        let ty = &program.maps.iter().find(|m| &*m.name == "@result").unwrap().value;
        if !is_named(ty, function.result) {
            other.push(format!("{}: {} is {ty}", function.name, function.result));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

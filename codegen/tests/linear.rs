//! Compiling takes work in proportion to the text: twice the text, about twice the steps (`rbtrace_codegen::steps`).

mod common;

use common::{kernel_of, script};
use rbtrace_codegen::{compile, steps};

/// What twice the text may take; 2.0 is linear, 4.0 quadratic.
const MOST: f64 = 2.3;

/// The steps of compiling a text.
fn steps_of(text: &str) -> u64 {
    let program = script::typed(text);
    let before = steps::taken();
    compile(&program, &kernel_of(true)).unwrap();
    steps::taken() - before
}

/// `n` times what `part` gives for each number.
fn times(n: usize, part: impl Fn(usize) -> String) -> String {
    (0..n).map(part).collect()
}

/// Compares the text of `n` parts with that of twice as many.
fn check(name: &str, n: usize, text: impl Fn(usize) -> String) {
    let (once, twice) = (steps_of(&text(n)), steps_of(&text(2 * n)));
    let ratio = twice as f64 / once as f64;
    assert!(ratio < MOST, "{name}: {n} parts take {once} steps, twice as many take {twice}: {ratio:.2}");
}

#[test]
fn statements() {
    check("map assignments", 100, |n| {
        format!("begin {{ {} }}", times(n, |i| format!("@a[{i}] = nsecs + {i};\n")))
    });
    check("texts", 50, |n| {
        let part = |i| format!("@s = \"text {i}\"; if (@s == \"{i}\") {{ @n++; }}\n");
        format!("begin {{ @s = \"a\"; @n = 0; {} }}", times(n, part))
    });
}

#[test]
fn branches() {
    check("unrolled conditions", 10, |n| {
        let ifs = times(8, |k| format!("if ($x > {k}) {{ printf(\"%d {k}\\n\", $x); }}\n"));
        format!("begin {{ $x = nsecs; unroll({n}) {{ $x += 3; {ifs} }} }}")
    });
    check("alternatives", 60, |n| {
        let part = |i| format!("if ($x == {i}) {{ @[{i}] = 1; }} else ");
        format!("begin {{ $x = nsecs; {} {{ @[0] = 2; }} }}", times(n, part))
    });
}

#[test]
fn variables() {
    // More than registers and the stack hold.
    check("variables", 200, |n| {
        let (set, used) =
            (times(n, |i| format!("$v{i} = nsecs + {i};\n")), times(n, |i| format!("@s = $v{i};\n")));
        format!("begin {{ {set} {used} }}")
    });
    check("maps", 20, |n| {
        format!("begin {{ {} }}", times(n, |i| format!("@m{i}[comm, str(0, 64), {i}] = count();\n")))
    });
}

#[test]
fn probes() {
    check("probes", 20, |n| {
        times(n, |i| {
            format!(
                "interval:ms:{} {{ @c[comm] = count(); if (pid > {i}) {{ printf(\"%d %s\\n\", pid, comm); }} @h = hist(nsecs); delete(@c, comm); }}\n",
                i + 1
            )
        })
    });
}

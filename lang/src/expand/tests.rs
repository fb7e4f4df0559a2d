//! Snapshot tests of macro expansion.

use crate::ast::Macro;
use crate::{Source, expand, parse};
use expect_test::{Expect, expect};

fn library(text: &str) -> Vec<Macro> {
    let (script, diags) = parse(&Source::new("library.bt", text), 1);
    assert_eq!(diags, []);
    script.macros.into_iter().map(|m| Macro { from_stdlib: true, ..m }).collect()
}

/// The expanded script as a tree, or the messages.
fn check_with(text: &str, lib: &str, expected: &Expect) {
    let source = Source::new("stdin", text);
    let (script, diags) = parse(&source, 0);
    assert_eq!(diags, []);
    let (script, diags) = expand(script, &library(lib));
    let sources = [source, Source::new("library.bt", lib)];
    let mut shown: String = diags.iter().map(|d| d.render(&sources)).collect();
    if shown.is_empty() {
        shown = script.to_string();
    }
    expected.assert_eq(&shown);
}

fn check(text: &str, expected: &Expect) {
    check_with(text, "", expected);
}

#[test]
fn own_variables_are_renamed() {
    check(
        "macro twice($v, e) { let $t = e; $v = $t + $t; $v } begin { $t = 1; twice($t, $t + 1) }",
        &expect![[r#"
            probe
              begin
              body
                =
                  $t
                  int:1
                block
                  let $t@1
                    +
                      $t
                      int:1
                  =
                    $t
                    +
                      $t@1
                      $t@1
                  value
                    $t
        "#]],
    );
}

#[test]
fn maps_and_bare_words() {
    check(
        "macro one() { 1 } macro put(@m, k) { @m[k] = one } begin { put(@x, one()); put(@x, @y) }",
        &expect![[r#"
            probe
              begin
              body
                block
                  =
                    @x[]
                      block
                        value
                          int:1
                    block
                      value
                        int:1
                block
                  =
                    @x[]
                      block
                        value
                          @y
                    block
                      value
                        int:1
        "#]],
    );
}

#[test]
fn types_are_arguments() {
    check(
        "macro as(t, x) { (t *)x } macro size(t) { sizeof(t) + sizeof(struct t) } \
         begin { as(typeof(uint8), 1); size(typeof(foo)) }",
        &expect![[r#"
            probe
              begin
              body
                block
                  value
                    (uint8 *)
                      int:1
                block
                  value
                    +
                      sizeof
                        type typeof(foo)
                      sizeof
                        type struct foo
        "#]],
    );
}

#[test]
fn the_scripts_macro_wins_but_not_inside_the_library() {
    check_with(
        "macro base() { 1 } begin { base(); derived() }",
        "macro base() { 2 } macro derived() { base() }",
        &expect![[r#"
            probe
              begin
              body
                block
                  value
                    int:1
                block
                  value
                    block
                      value
                        int:2
        "#]],
    );
}

#[test]
fn defines_are_replaced() {
    check(
        "#define A (B + 1)\n#define B 2\n#define A_SELF A_SELF\nstruct s { char c[B]; }\n\
         begin { print(A, A_SELF, sizeof(B)); $x = (uint8[B])1 }",
        &expect![[r#"
            define A (B + 1)
              +
                B
                int:1
            define B 2
              int:2
            define A_SELF A_SELF
              A_SELF
            struct s
              c: char[2]
            probe
              begin
              body
                print()
                  +
                    int:2
                    int:1
                  A_SELF
                  sizeof
                    int:2
                =
                  $x
                  (uint8[2])
                    int:1
        "#]],
    );
}

#[test]
fn unhygienic_access() {
    check(
        "macro bad() { @x++; $y + 1 } begin { bad() }",
        &expect![[r#"
            stdin:1:15-17: ERROR: @x is not a parameter of the macro
            macro bad() { @x++; $y + 1 } begin { bad() }
                          ~~
            HINT: a macro sees only what it is passed: make @x a parameter
            stdin:1:21-23: ERROR: the macro has no variable $y of its own and no such parameter
            macro bad() { @x++; $y + 1 } begin { bad() }
                                ~~
            HINT: a macro sees only what it is passed: make $y a parameter
        "#]],
    );
}

#[test]
fn arguments_that_do_not_fit() {
    check(
        "macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }",
        &expect![[r#"
            stdin:1:31-39: ERROR: no definition of macro 'f' takes these arguments
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                                          ~~~~~~~~
            stdin:1:33-34: ERROR: $a of f() takes a variable, not an expression
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                                            ~
            stdin:1:9-11: NOTE: the parameter in the nearest definition
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                    ~~
            stdin:1:36-38: ERROR: @b of f() takes a map, not a variable
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                                               ~~
            stdin:1:13-15: NOTE: the parameter in the nearest definition
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                        ~~
            stdin:1:41-45: ERROR: no definition of macro 'f' takes these arguments
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                                                    ~~~~
            stdin:1:7-8: NOTE: the nearest definition: it takes 2, the call passes 1
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                  ~
            stdin:1:49-61: ERROR: g() takes no type: only a macro's parameter can be one
            macro f($a, @b) { 1 } begin { f(1, $x); f(1); g(typeof(int8)) }
                                                            ~~~~~~~~~~~~
        "#]],
    );
}

#[test]
fn recursion() {
    check(
        "macro a() { b() } macro b() { a() } begin { a() }",
        &expect![[r#"
            stdin:1:31-34: ERROR: macro 'a' calls itself: a > b > a
            macro a() { b() } macro b() { a() } begin { a() }
                                          ~~~
        "#]],
    );
}

#[test]
fn doubling_has_a_limit() {
    let calls = format!("{}1{}", "d(".repeat(30), ")".repeat(30));
    let (script, _) = parse(&Source::new("stdin", &format!("macro d(x) {{ x + x }} begin {{ {calls} }}")), 0);
    let (_, diags) = expand(script, &[]);
    let messages: Vec<_> = diags.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["macro expansion makes the program too large"]);
}

#[test]
fn defined_twice() {
    check(
        "macro f($a) { 1 } macro f($b) { 2 } macro g(x, x) { 3 } begin { }",
        &expect![[r#"
            stdin:1:25-26: ERROR: macro 'f' is already defined for parameters of these kinds
            macro f($a) { 1 } macro f($b) { 2 } macro g(x, x) { 3 } begin { }
                                    ~
            stdin:1:7-8: NOTE: the first definition
            macro f($a) { 1 } macro f($b) { 2 } macro g(x, x) { 3 } begin { }
                  ~
            stdin:1:48-49: ERROR: macro 'g' has two parameters called x
            macro f($a) { 1 } macro f($b) { 2 } macro g(x, x) { 3 } begin { }
                                                           ~
        "#]],
    );
}

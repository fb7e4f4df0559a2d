//! Snapshot tests of the parser.

use super::parse;
use crate::{Source, ast};
use expect_test::{Expect, expect};

/// The messages for a script, rendered.
fn check_errors(text: &str, expected: &Expect) {
    let source = Source::new("stdin", text);
    let (_, diags) = parse(&source, 0);
    let shown: String = diags.iter().map(|d| d.render(std::slice::from_ref(&source))).collect();
    expected.assert_eq(&shown);
}

/// The tree of a script that parses without a message.
fn script(text: &str) -> ast::Script {
    let source = Source::new("stdin", text);
    let (script, diags) = parse(&source, 0);
    let shown: String = diags.iter().map(|d| d.render(std::slice::from_ref(&source))).collect();
    assert_eq!(shown, "", "{text}");
    script
}

#[test]
fn spans_mark_the_call() {
    let s = script("begin { print(kaddr(\"asdfzzzzzzz\")) }");
    let ast::StmtKind::Expr(ast::Expr { kind: ast::ExprKind::Call { args, .. }, .. }) =
        &s.probes[0].body.stmts[0].kind
    else {
        panic!("no call");
    };
    assert_eq!((args[0].span.start, args[0].span.end), (14, 34));
}

#[test]
fn each_block_has_its_error() {
    check_errors(
        "k:a { 1 + }\nk:b { foo(; }\nk:c { $x = 1 $y = 2 }",
        &expect![[r#"
            stdin:1:11-12: ERROR: syntax: expected an expression
            k:a { 1 + }
                      ~
            stdin:2:11-12: ERROR: syntax: expected an expression
            k:b { foo(; }
                      ~
            stdin:3:14-16: ERROR: syntax: expected ';'
            k:c { $x = 1 $y = 2 }
                         ~~
        "#]],
    );
}

#[test]
fn deep_nests_have_an_answer() {
    script(&format!("begin {{ $x = {}1{}; }}", "(".repeat(100), ")".repeat(100)));
    let source = Source::new("stdin", &format!("begin {{ $x = {}1; }}", "(".repeat(200)));
    let (_, diags) = parse(&source, 0);
    assert_eq!(diags.len(), 1);
    assert_eq!(diags[0].message, "syntax: brackets are nested more than 128 deep");
}

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
    let s = script("begin { print(kaddr(\"nosuch_name\")) }");
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

#[test]
fn expressions_with_errors() {
    check_errors(
        "k:a { @x[1 = 2; }\nk:b { f(1,; }\nk:c { 1 = 3; }\nk:d { $x.foo = 3; }\nk:e { print(1, 2 }\nk:f { $a . }\n\
         k:g { 5++; &6; }\nk:h { (1 + ) }\nk:i { $0; f(39e2, \"\\q\") }\nk:j { @[] = 1 }",
        &expect![[r#"
            stdin:1:12-13: ERROR: syntax: expected ']'
            k:a { @x[1 = 2; }
                       ~
            stdin:2:11-12: ERROR: syntax: expected an expression
            k:b { f(1,; }
                      ~
            stdin:3:7-8: ERROR: syntax: only a variable ($x) or a map (@x) can be assigned to
            k:c { 1 = 3; }
                  ~
            stdin:4:7-17: ERROR: syntax: a single field cannot be assigned: only variables and maps can
            k:d { $x.foo = 3; }
                  ~~~~~~~~~~
            HINT: build the whole value again: $x = (1, 2)
            stdin:5:18-19: ERROR: syntax: expected ')'
            k:e { print(1, 2 }
                             ~
            stdin:6:12-13: ERROR: syntax: expected a name
            k:f { $a . }
                       ~
            stdin:7:8-10: ERROR: syntax: ++ and -- need a variable ($x) or a map (@x) to change
            k:g { 5++; &6; }
                   ~~
            stdin:7:13-14: ERROR: syntax: '&' needs a variable ($x) or a map (@x) to take the address of
            k:g { 5++; &6; }
                        ~
            stdin:8:12-13: ERROR: syntax: expected an expression
            k:h { (1 + ) }
                       ~
            stdin:9:7-9: ERROR: syntax: there is no parameter $0: they are numbered from $1 to $4294967295
            k:i { $0; f(39e2, "\q") }
                  ~~
            stdin:9:13-17: ERROR: syntax: one digit from 1 to 9 stands before the 'e': 39e2
            k:i { $0; f(39e2, "\q") }
                        ~~~~
            stdin:9:20-22: ERROR: syntax: unknown escape '\q'; a backslash itself is written '\\'
            k:i { $0; f(39e2, "\q") }
                               ~~
            stdin:10:9-10: ERROR: syntax: expected an expression
            k:j { @[] = 1 }
                    ~
        "#]],
    );
}

#[test]
fn statements_with_errors() {
    check_errors(
        "k:a { if (1) print(3) }\nk:b { for (x : 1..2) { } }\nk:c { for ($x : 1) { } }\nk:d { let x = 1; }\n\
         k:e { while { } }\nk:f { $x = if (1) { 2 }; }\nk:g { ) }\nk:h { import \"x\"; }\nk:i { let $x: = 1; }",
        &expect![[r#"
            stdin:1:14-19: ERROR: syntax: expected '{'
            k:a { if (1) print(3) }
                         ~~~~~
            stdin:2:12-13: ERROR: syntax: expected a variable ($name)
            k:b { for (x : 1..2) { } }
                       ~
            stdin:3:17-18: ERROR: syntax: a 'for' goes over a map (@name) or a range (FROM..TO)
            k:c { for ($x : 1) { } }
                            ~
            stdin:4:11-12: ERROR: syntax: expected a variable ($name)
            k:d { let x = 1; }
                      ~
            stdin:5:17-18: ERROR: syntax: expected '{'
            k:e { while { } }
                            ~
            stdin:6:12-24: ERROR: syntax: an 'if' that is used as a value needs a value in each branch and an 'else'
            k:f { $x = if (1) { 2 }; }
                       ~~~~~~~~~~~~
            stdin:7:7-8: ERROR: syntax: expected an expression
            k:g { ) }
                  ~
            stdin:8:7-17: ERROR: import does not stand in a block
            k:h { import "x"; }
                  ~~~~~~~~~~
            HINT: imports stand above all probes
            stdin:9:15-16: ERROR: syntax: expected a type
            k:i { let $x: = 1; }
                          ~
        "#]],
    );
}

#[test]
fn items_with_errors() {
    check_errors(
        "struct s { int x; int }\nconfig = { a=b c=d }\nlet $a = 2;\nmacro f { }\nmacro g(pid) { }\nfn h(): void { }\n\
         } begin { }\nstruct late { int x; };\nkprobe:f print(1);",
        &expect![[r#"
            stdin:1:23-24: ERROR: syntax: expected a name
            struct s { int x; int }
                                  ~
            stdin:2:16-17: ERROR: syntax: expected ';'
            config = { a=b c=d }
                           ~
            stdin:3:5-7: ERROR: syntax: expected a map (@name)
            let $a = 2;
                ~~
            stdin:4:9-10: ERROR: syntax: expected '('
            macro f { }
                    ~
            stdin:5:9-12: ERROR: syntax: a parameter cannot be called 'pid': that is a builtin
            macro g(pid) { }
                    ~~~
            stdin:6:1-3: ERROR: functions (fn) are not supported yet
            fn h(): void { }
            ~~
            HINT: use a macro
            stdin:7:1-2: ERROR: syntax: unexpected '}': no block is open here
            } begin { }
            ~
            stdin:8:1-7: ERROR: syntax: C declarations stand above all probes, macros and maps
            struct late { int x; };
            ~~~~~~
            stdin:9:10-15: ERROR: syntax: expected '{'
            kprobe:f print(1);
                     ~~~~~
        "#]],
    );
}

#[test]
fn directives_with_errors() {
    check_errors(
        "#define\n#include stdio\n#endif\n#nosuch\n#if F(x)\n#else\n#else\n#endif\n\
         #include <linux/tcp.h>\n#include <errno.h>\n#include \"my.h\"\n#include <lol/no.h>\n#warning old\n#ifdef X",
        &expect![[r#"
            stdin:1:1-8: ERROR: syntax: expected a name after #define
            #define
            ~~~~~~~
            stdin:2:1-15: ERROR: syntax: expected <FILE> or "FILE" after #include
            #include stdio
            ~~~~~~~~~~~~~~
            stdin:3:1-7: ERROR: syntax: #endif without #if
            #endif
            ~~~~~~
            stdin:4:1-8: ERROR: syntax: unknown directive '#nosuch'
            #nosuch
            ~~~~~~~
            stdin:5:1-9: ERROR: cannot decide '#if F(x)'
            #if F(x)
            ~~~~~~~~
            HINT: only numbers, #define names, defined(NAME) and operators can be tested
            stdin:7:1-6: ERROR: syntax: #else after #else
            #else
            ~~~~~
            stdin:11:1-16: ERROR: there is no header 'my.h'
            #include "my.h"
            ~~~~~~~~~~~~~~~
            HINT: headers of your own are found beside the script and in the folders of -I
            stdin:12:1-20: ERROR: there is no header 'lol/no.h'
            #include <lol/no.h>
            ~~~~~~~~~~~~~~~~~~~
            HINT: headers of your own are found beside the script and in the folders of -I
            stdin:13:1-13: WARNING: #warning old
            #warning old
            ~~~~~~~~~~~~
            stdin:14:1-9: ERROR: syntax: #if without #endif
            #ifdef X
            ~~~~~~~~
        "#]],
    );
}

#[test]
fn what_is_never_closed() {
    check_errors(
        "begin {\n  if (1) {\n  f();\n}\nend { 1 + }\n",
        &expect![[r#"
        stdin:5:11-12: ERROR: syntax: expected an expression
        end { 1 + }
                  ~
        stdin:6:1-1: ERROR: syntax: expected '}': the block opened at line 1 is never closed

        ~
        stdin:1:7-8: NOTE: the block begins here
        begin {
              ~
    "#]],
    );
    check_errors(
        "begin { print(\"abc }\n",
        &expect![[r#"
            stdin:1:15-21: ERROR: syntax: the string that begins here is never closed
            begin { print("abc }
                          ~~~~~~
        "#]],
    );
    check_errors(
        "begin { /* abc }",
        &expect![[r#"
            stdin:1:9-11: ERROR: syntax: the comment that begins here is never closed
            begin { /* abc }
                    ~~
        "#]],
    );
    check_errors(
        "begin { print((1); }",
        &expect![[r#"
        stdin:1:18-19: ERROR: syntax: expected ')'
        begin { print((1); }
                         ~
    "#]],
    );
    check_errors(
        "begin",
        &expect![[r#"
        stdin:1:6-6: ERROR: syntax: expected '{'
        begin
             ~
    "#]],
    );
}

#[test]
fn too_much() {
    check_errors(&format!("begin {{ $x = {}1 }}", "1 + ".repeat(20)), &expect![[r#""#]]);
    let (_, diags) = parse(&Source::new("stdin", &format!("begin {{ $x = {}1 }}", "1 + ".repeat(600))), 0);
    assert_eq!(diags[0].message, "syntax: expression with more than 500 operators");
    let (_, diags) =
        parse(&Source::new("stdin", &format!("begin {{ $x = {}1 }}", "1 ? 2 : ".repeat(20_000))), 0);
    assert_eq!(diags.len(), 1);
}

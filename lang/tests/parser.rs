//! What the parser makes of scripts: trees as text, one test for each part of the language.
//!
//! `UPDATE_EXPECT=1 cargo test -p rbtrace-lang` rewrites the expected text.

use expect_test::{Expect, expect};
use rbtrace_lang::ast::{Macro, MacroParam};
use rbtrace_lang::{Source, expand, parse};

fn tree(text: &str) -> String {
    let source = Source::new("stdin", text);
    let (script, diags) = parse(&source, 0);
    let messages: String = diags.iter().map(|d| d.render(std::slice::from_ref(&source))).collect();
    assert_eq!(messages, "", "{text}");
    script.to_string()
}

/// The tree of a whole script.
fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&tree(text));
}

/// The trees of the statements of one block.
fn check_block(text: &str, expected: &Expect) {
    let tree = tree(&format!("begin {{ {text} }}"));
    let lines = tree.lines().skip(3).map(|l| format!("{}\n", l.strip_prefix("    ").unwrap_or(l)));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_whole_script() {
    check(
        "#!/usr/bin/env rbtrace\n\
         /* counts\n reads */\n\
         #include <linux/fs.h>\n\
         config = { max_map_keys = 1_000; missing_probes = \"warn\" }\n\
         import \"helpers.bt\";\n\
         let @seen = lruhash(64);\n\
         macro half(x) { x / 2 }\n\
         BEGIN, // not a path\n\
         mine=tracepoint:sched:*,uprobe:\"/opt/a b\":x,\n\
         kprobe:vfs_read+0x10\n\
         / arg2 / 2 > 10 && comm == \"cat\" /\n\
         { @seen[tid] = half(arg2) }\n",
        &expect![[r#"
            include linux/fs.h
            config max_map_keys = 1000
            config missing_probes = warn
            import "helpers.bt"
            map @seen = lruhash(64)
            macro half(x)
              value
                /
                  x
                  int:2
            probe
              BEGIN
              mine=tracepoint:sched:*
              uprobe:"/opt/a b":x
              kprobe:vfs_read+0x10
              predicate
                &&
                  >
                    /
                      arg2
                      int:2
                    int:10
                  ==
                    comm
                    "cat"
              body
                =
                  @seen[]
                    tid
                  half()
                    arg2
        "#]],
    );
}

#[test]
fn attach_points_with_slashes() {
    check(
        "k:a/arg0/{ 1 } u:/bin/*:b,u:./x//y:z /1/ { 2 } kprobe@net/ipv4/arp.c:10 /3/ { 4 } end/5/{6}",
        &expect![[r#"
            probe
              k:a/arg0/
              body
                int:1
            probe
              u:/bin/*:b
              u:./x//y:z
              predicate
                int:1
              body
                int:2
            probe
              kprobe@net/ipv4/arp.c:10
              predicate
                int:3
              body
                int:4
            probe
              end
              predicate
                int:5
              body
                int:6
        "#]],
    );
}

#[test]
fn precedence() {
    check_block(
        "$a || $b && $c | $d ^ $e & $f == $g < $h << $i + $j * -$k++; 1 - 2 - 3; 8 / 4 % 3 * 2; !~*$p; -1 << 2;",
        &expect![[r#"
            ||
              $a
              &&
                $b
                |
                  $c
                  ^
                    $d
                    &
                      $e
                      ==
                        $f
                        <
                          $g
                          <<
                            $h
                            +
                              $i
                              *
                                $j
                                -
                                  _++
                                    $k
            -
              -
                int:1
                int:2
              int:3
            *
              %
                /
                  int:8
                  int:4
                int:3
              int:2
            !
              ~
                *
                  $p
            <<
              -
                int:1
              int:2
        "#]],
    );
}

#[test]
fn ternaries() {
    check_block(
        "$a ? 1 : $b ? 2 : 3; $x = $c ?: 4; f() ?: 5",
        &expect![[r#"
        ?:
          $a
          int:1
          ?:
            $b
            int:2
            int:3
        =
          $x
          ?:
            $c
            $c
            int:4
        block
          let $?:@43
            f()
          value
            ?:
              $?:@43
              $?:@43
              int:5
    "#]],
    );
}

#[test]
fn postfix_and_prefix() {
    check_block(
        "$x.a->b[1].0.1; @m[1][2]; ++@n; @n--; &$x; &@m; --$x; *$p.q; (int32)$x.y; $t .0;",
        &expect![[r#"
            .1
              .0
                []
                  ->b
                    .a
                      $x
                  int:1
            []
              @m[]
                int:1
              int:2
            ++_
              @n
            _--
              @n
            &
              $x
            &
              @m
            --_
              $x
            *
              .q
                $p
            (int32)
              .y
                $x
            .0
              $t
        "#]],
    );
}

#[test]
fn casts_and_groups() {
    check_block(
        "(foo)*$a; (pid)*tid; (foo); (struct sk_buff *)arg0; (uint8[8])$x; (int8[])$s; (unsigned  long)1; \
         (const char *)2; (typeof($x))3; (enum e)-4; (a)&$b; (a) & 3; (a) && 3; (b)->c;",
        &expect![[r#"
            (foo)
              *
                $a
            *
              pid
              tid
            foo
            (struct sk_buff *)
              arg0
            (uint8[8])
              $x
            (int8[])
              $s
            (unsigned long)
              int:1
            (char *)
              int:2
            (typeof($x))
              int:3
            (enum e)
              -
                int:4
            (a)
              &
                $b
            &
              a
              int:3
            &&
              a
              int:3
            ->c
              b
        "#]],
    );
}

#[test]
fn tuples_and_records() {
    check_block(
        "(); (1,); (1, \"a\", (2, 3)); (x = 1, y = (z = 2)); @m[1, 2] = (3,);",
        &expect![[r#"
        tuple
        tuple
          int:1
        tuple
          int:1
          "a"
          tuple
            int:2
            int:3
        tuple
          x =
            int:1
          y =
            tuple
              z =
                int:2
        =
          @m[]
            tuple
              int:1
              int:2
          tuple
            int:3
    "#]],
    );
}

#[test]
fn types() {
    check_block(
        "let $a: uint8; let $b: struct x *[4] = 1; let $c: (int8, string[16]); let $d: typeof(pid); \
         sizeof(foo); sizeof(pid); sizeof(foo[2]); sizeof((foo)[2]); sizeof(struct x *); sizeof($x + 1); \
         offsetof(struct x, a.b); offsetof($x, c);",
        &expect![[r#"
            let $a: uint8
            let $b: struct x *[4]
              int:1
            let $c: (int8, string[16])
            let $d: typeof(pid)
            sizeof
              type foo
            sizeof
              pid
            sizeof
              type foo[2]
            sizeof
              []
                foo
                int:2
            sizeof
              type struct x *
            sizeof
              +
                $x
                int:1
            offsetof .a.b
              type struct x
            offsetof .c
              $x
        "#]],
    );
}

#[test]
fn statements() {
    check_block(
        "$x = 1; @ += 2; @m[3] <<= 4; _ = f(); let $y; let $z = 5; break; continue; return; return 6; ; g()",
        &expect![[r#"
            =
              $x
              int:1
            +=
              @
              int:2
            <<=
              @m[]
                int:3
              int:4
            discard
              f()
            let $y
            let $z
              int:5
            break
            continue
            return
            return
              int:6
            g()
        "#]],
    );
}

#[test]
fn loops() {
    check_block(
        "while ($i < 10) { $i++ } unroll (3) { f() } unroll 2 { g() } for ($i : 0..$n) { } \
         for $kv : @map { print($kv) } for ($i : f(1)..(2 + 3)) { }",
        &expect![[r#"
            while
              <
                $i
                int:10
              body
                _++
                  $i
            unroll
              int:3
              body
                f()
            unroll
              int:2
              body
                g()
            for $i
              int:0
              $n
              body
            for $kv : @map
              print()
                $kv
            for $i
              f()
                int:1
              +
                int:2
                int:3
              body
        "#]],
    );
}

#[test]
fn conditions() {
    check_block(
        "if (1) { f() } else if 2 { } else { g(); } if $x { if (3) { 4 } else { 5 } }",
        &expect![[r#"
            if
              int:1
            then
              f()
            else
              if
                int:2
              then
              else
                g()
            if
              $x
            then
              if
                int:3
              then
                int:4
              else
                int:5
        "#]],
    );
}

#[test]
fn values_of_blocks() {
    check_block(
        "$x = { let $y = 1; $y + 1 }; $z = if (1) { 2 } else if (3) { 4 } else { 5 }; { 6 } { f(); }",
        &expect![[r#"
            =
              $x
              block
                let $y
                  int:1
                value
                  +
                    $y
                    int:1
            =
              $z
              ?:
                int:1
                block
                  value
                    int:2
                ?:
                  int:3
                  block
                    value
                      int:4
                  block
                    value
                      int:5
            block
              int:6
            block
              f()
        "#]],
    );
}

#[test]
fn values_of_macros() {
    check(
        "macro a() { 1; 2 } macro b() { if (1) { 2 } else { 3 } } macro c() { if (1) { 2 } }",
        &expect![[r#"
        macro a()
          int:1
          value
            int:2
        macro b()
          value
            ?:
              int:1
              block
                value
                  int:2
              block
                value
                  int:3
        macro c()
          if
            int:1
          then
            int:2
    "#]],
    );
}

#[test]
fn literals() {
    check_block(
        "0x1F; 0123; 1e3; 1_000; 10ms; 7ul; 18446744073709551615; true; $1; $#; \"a\\n\\x41\\101é\"; \"one\" \"two\"",
        &expect![[r#"
            int:31
            int:83
            int:1000
            int:1000
            int:10000000
            int:7
            int:18446744073709551615
            true
            $1
            $#
            "a\nAA\xc3\xa9"
            "onetwo"
        "#]],
    );
}

#[test]
fn words_that_look_like_keywords() {
    check_block(
        "iffy; format(1); let $letter = returned; args.if_index; $x.for; structure",
        &expect![[r#"
        iffy
        format()
          int:1
        let $letter
          returned
        .if_index
          args
        .for
          $x
        structure
    "#]],
    );
}

#[test]
fn c_declarations() {
    check(
        "struct a { int x : 3, y:5; unsigned long long z; struct a *next, **list[4]; char name[16][2]; };\n\
         union u { struct { u8 lo; u8 hi; }; u16 both; struct in { int i } inner; }\n\
         struct p { int (*call)(struct a *, int); void (*rows)[4]; const char * restrict s; } \
         __attribute__((packed))\n\
         enum color { RED, GREEN = 4, BLUE = GREEN << 1, };\n\
         enum { ANONYMOUS = 0xffUL };\n\
         typedef unsigned int word_t;\n\
         typedef struct { int q; } thing_t;\n\
         struct forward;\n\
         struct h { enum kind { A, B } k; };\n\
         struct:x { 1 }",
        &expect![[r#"
            struct a
              x: int : 3
              y: int : 5
              z: unsigned long long
              next: struct a *
              list: struct a * *[4]
              name: char[2][16]
            union u
              struct
                lo: u8
                hi: u8
              both: u16
              struct in inner
                i: int
            struct p packed
              call: void *
              rows: void[4] *
              s: char *
            enum color
              RED
              GREEN
                int:4
              BLUE
                <<
                  GREEN
                  int:1
            enum 
              ANONYMOUS
                int:255
            typedef word_t = unsigned int
            struct (anonymous at 0:390)
              q: int
            typedef thing_t = struct (anonymous at 0:390)
            struct h
              k: enum kind
            enum kind
              A
              B
            probe
              struct:x
              body
                int:1
        "#]],
    );
}

#[test]
fn preprocessor() {
    check(
        "// One line more.\n#!/usr/bin/env bpftrace\n\
         #ifndef BPFTRACE_HAVE_BTF :(\n\
         #include <linux/never.h>\n\
         struct never { \" };\n\
         #else\n\
         #include \"net/sock.h\"\n\
         #endif\n\
         #define ONE 1 // first\n\
         #define LONG (ONE + \\\n   2UL)\n\
         #define TEXT \"a // b\"\n\
         #define CALL(x) x\n\
         #if ONE == 1 && !defined(TWO)\n\
         #  if 0\n#error never\n#  elif LONG > 2\n\
         #define INNER\n\
         #  endif\n\
         #endif\n\
         #undef TEXT\n\
         struct s {\n\
         #ifdef ONE\n  int one;\n\
         #else\n  int other;\n\
         #endif\n\
         };",
        &expect![[r#"
            include net/sock.h
            define ONE 1
              int:1
            define LONG (ONE +      2UL)
              +
                ONE
                int:2
            define CALL x
            define INNER 
            struct s
              one: int
            macro CALL(x)
              value
                x
        "#]],
    );
}

#[test]
fn nested_to_the_limit() {
    for (open, close) in [("(", ")"), ("f(", ")"), ("@m[", "]"), ("{ ", " }"), ("(x=", ")"), ("sizeof(", ")")]
    {
        tree(&format!("begin {{ $x = {}1{}; }}", open.repeat(100), close.repeat(100)));
    }
    tree(&format!("begin {{ {} 1 {} }}", "if (1) {".repeat(100), "}".repeat(100)));
    tree(&format!("macro f() {{ {} 1 {} }}", "if (1) {".repeat(60), "} else { 2 }".repeat(60)));
    tree(&format!("begin {{ $x = {}1 }}", "(a)-!".repeat(100)));
}

/// A grammar that tries things twice takes for ever on large scripts; a sound one takes milliseconds.
#[test]
fn large_scripts() {
    let block = "kprobe:vfs_read /pid == 1/ { @bytes[comm, arg2 + 1] = sum(((uint64)arg2 * 2) / 3); }\n";
    let start = std::time::Instant::now();
    tree(&block.repeat(2000));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// Each macro of the library parses and expands: what it names are its parameters or its own.
#[test]
fn the_library() {
    let mut library: Vec<Macro> = vec![];
    for (name, text) in rbtrace_stdlib::LIBRARY {
        let (script, diags) = parse(&Source::new(name, text), 1);
        assert_eq!(diags, [], "{name}");
        library.extend(script.macros.into_iter().map(|m| Macro { from_stdlib: true, ..m }));
    }
    assert!(!library.is_empty());
    for m in &library {
        let args = m.params.iter().map(|p| match p {
            MacroParam::Var(_) => "$v",
            MacroParam::Map(_) => "@m",
            MacroParam::Expr(n) => match &*n.text {
                "type" => "typeof(uint64)",
                "member" => "m",
                _ => "1",
            },
        });
        let call = format!("begin {{ {}({}) }}", m.name.text, args.collect::<Vec<_>>().join(", "));
        let (_, diags) = expand(parse(&Source::new("stdin", &call), 0).0, &library);
        assert_eq!(diags, [], "{call}");
    }
}

//! Loops and branches.

use super::*;

#[test]
fn ranges_and_maps() {
    check(
        "begin { @m[1] = (uint16)2; for ($i : 0..300) { if ($i == 3) { continue; } print($i); } for ($kv : @m) { print($kv.0); @n[$kv.1]++; break; } }",
        expect![[r#"
            map @m[int8]: uint16 (4096 entries)
            map @n[uint16]: int64 (4096 entries)
            probe begin#0 (Unknown)
              local $i.0: int16
              local $kv.1: (int8,uint16)
              @m[1:int8] = (uint16)2:int8
              for $i.0 in 0:int16..300:int16
                if ($i.0 == 3:int16)
                  continue
                Print($i.0)
              for $kv.1 in @m
                Print($kv.1.0)
                (@n[$kv.1.1] +1)
                break
        "#]],
    );
    assert_eq!(
        messages("begin { for ($i : \"a\"..5) { } @s = 1; for ($k : @s) { } for ($k : @none) { } }"),
        "ERROR: the start of a range is an integer\n\
         ERROR: @s holds one value: a loop goes over maps with keys\n\
         ERROR: nothing is ever assigned to @none\n"
    );
}

#[test]
fn while_and_unroll() {
    check(
        "begin { $i = 0; while ($i < 5) { $i++; } unroll (3) { print(1); } }",
        expect![[r#"
            stdin:1:17-30: WARNING: the language may lose 'while': prefer 'for'
            begin { $i = 0; while ($i < 5) { $i++; } unroll (3) { print(1); } }
                            ~~~~~~~~~~~~~
            HINT: a counting loop is written: for ($i : 0..10) { print($i); }
            probe begin#0 (Unknown)
              local $i.0: int64
              $i.0 = 0:int64
              while ($i.0 <s 5:int64)
                ($i.0 +1)
              unroll 3
                Print(1:int8)
        "#]],
    );
    assert_eq!(
        messages("begin { unroll (0) { } unroll (101) { } unroll (pid) { } }"),
        "ERROR: unroll needs at least 1 round\n\
         ERROR: unroll makes at most 100 rounds\n\
         ERROR: the number of rounds of unroll must be a constant: its value is needed when the script is compiled\n"
    );
}

#[test]
fn jumps_need_a_loop() {
    assert_eq!(
        messages("begin { break; } end { if (1) { continue; } return \"a\"; }"),
        "ERROR: 'break' needs a loop around it\n\
         ERROR: 'continue' needs a loop around it\n\
         ERROR: a probe returns an integer, not string[2]\n"
    );
    assert_eq!(
        messages("begin { return; print(1); }"),
        "WARNING: Unreachable statement: the block ends before it\n"
    );
}

#[test]
fn conditions() {
    check(
        "begin { $x = pid; if ($x) { $x++; } else if (!$x && comm == \"a\") { } else { if ($x == 1 || $x) { $x--; } } print($x ? 1 : 300); $x ? print(1) : print(\"b\"); print($x ? \"a\" : \"abc\"); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $x.0: int64
              $x.0 = (int64)pid
              if (bool)$x.0
                ($x.0 +1)
              else
                if (!(bool)$x.0 && (comm == "a":string[2]))
                else
                  if (($x.0 == 1:int64) || (bool)$x.0)
                    ($x.0 -1)
              Print(((bool)$x.0 ? 1:int16 : 300:int16))
              if (bool)$x.0
                Print(1:int8)
              else
                Print("b":string[2])
              Print(((bool)$x.0 ? "a":string[4] : "abc":string[4]))
        "#]],
    );
    assert_eq!(
        messages("begin { if (\"a\") { } if ((1, 2)) { } print(1 ? \"a\" : 2); }"),
        "ERROR: string[2] cannot be a condition: it is neither true nor false\n\
         HINT: compare the text: TEXT != \"\"\n\
         ERROR: (int8,int8) cannot be a condition: it is neither true nor false\n\
         HINT: compare one of its fields or elements\n\
         ERROR: both values of '?:' need one type: these are 'string[2]' and 'int8'\n\
         HINT: use if and else, or convert one side\n"
    );
}

#[test]
fn scopes() {
    assert_eq!(
        messages("begin { if (1) { $y = 1; } print($y); $u++; }"),
        "ERROR: there is no variable $y here\n\
         ERROR: there is no variable $u here\n"
    );
    assert_eq!(
        messages("begin { $x = 1; let $x = 2; for ($x : 0..1) { } }"),
        "ERROR: there is a $x already: a second one would hide it\n\
         ERROR: there is a $x already: a second one would hide it\n"
    );
    check(
        "begin { let $a; if (pid) { $a = \"abc\"; $b = 1; } $b = \"x\"; print(($a, $b)); let $z; print($z); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $a.0: string[4]
              local $b.1: int8
              local $b.2: string[2]
              local $z.3: int8
              let $a.0
              if (bool)pid
                $a.0 = "abc":string[4]
                $b.1 = 1:int8
              $b.2 = "x":string[2]
              Print(($a.0, $b.2))
              let $z.3
              Print($z.3)
        "#]],
    );
}

#[test]
fn block_expressions_have_a_value() {
    check(
        "begin { let $a = { let $b = 1; $b + 1 }; print({ print(1); \"x\" }); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $b.0: int8
              local $a.1: int64
              $a.1 = { $b.0 = 1:int8; ((int64)$b.0 + 1:int64) }
              Print({ Print(1:int8); "x":string[2] })
        "#]],
    );
}

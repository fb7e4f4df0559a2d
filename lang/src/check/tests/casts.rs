//! Casts.

use super::*;

#[test]
fn between_integers_and_arrays() {
    check(
        "begin { $a = (int8[8])12345; print($a[0]); print((uint64)$a); print((bool[2])(uint16)1); print((uint16[])(uint64)5); \
         print((uint32)pton(\"127.0.0.1\")); print((int8[])\"abc\"); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $a.0: int8[8]
              $a.0 = as<int8[8]>((uint64)12345:int64)
              Print($a.0[0:int64])
              Print(as<uint64>($a.0))
              Print(as<bool[2]>((uint16)1:int8))
              Print(as<uint16[4]>((uint64)5:int8))
              Print(as<uint32>("\u{7f}\0\0\u{1}":uint8[4]))
              Print(as<int8[4]>("abc":string[4]))
        "#]],
    );
    assert!(messages("begin { print((int8[3])pid); }").contains("their sizes differ (4 and 3 bytes)"));
    assert!(
        messages("begin { print((uint64)pton(\"1.2.3.4\")); }")
            .contains("their sizes differ (4 and 8 bytes)")
    );
}

#[test]
fn between_integers_and_pointers() {
    check(
        "kprobe:vfs_read { $p = (struct task *)arg0; $q = (uint64)$p; $r = (int8 *)$p; print((uint8)arg0); print((bool)arg1); print((int32)-1); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
              local $p.0: struct task *
              local $q.1: uint64
              local $r.2: int8 *
              $p.0 = (struct task *)arg0
              $q.1 = (uint64)$p.0
              $r.2 = (int8 *)$p.0
              Print((uint8)arg0)
              Print((bool)arg1)
              Print((int32)-1:int8)
        "#]],
    );
}

#[test]
fn to_enums() {
    check(
        "begin { print((enum color)pid); print((enum color)7); }",
        expect![[r#"
            probe begin#0 (Unknown)
              Print((enum color)pid)
              Print((enum color)7:int8)
        "#]],
    );
    assert_eq!(
        messages("begin { print((enum color)5); print((enum nosuch)1); }"),
        "ERROR: no constant of enum color has the value 5\n\
         HINT: its constants are RED, GREEN, BLUE\n\
         ERROR: there is no type 'enum nosuch'\n"
    );
}

#[test]
fn of_texts() {
    check(
        "kprobe:vfs_read { print((string[64])arg0); print((string[16])\"abc\"); print((bool)comm); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
              Print(str((int8 *)arg0):string[64])
              Print("abc":string[16])
              Print((comm != "":string[1]))
        "#]],
    );
    assert_eq!(
        messages("begin { print((uint64)\"abcd\"); }"),
        "ERROR: 'string[5]' cannot be cast to 'uint64'\n\
         HINT: a text can only be cast to int8[]\n"
    );
}

#[test]
fn to_unknown_types() {
    assert_eq!(
        messages("begin { print((task *)0); print((struct nosuch *)0); let $x: nosuch_t; }"),
        "ERROR: there is no type 'task'\n\
         HINT: did you mean 'struct task'?\n\
         ERROR: there is no type 'struct nosuch'\n\
         ERROR: there is no type 'nosuch_t'\n"
    );
    assert!(messages("begin { print((struct task)1); }").contains("'int8' cannot be cast to 'struct task'"));
}

#[test]
fn a_cast_ends_being_a_literal() {
    assert_eq!(
        maps("begin { @a = (uint8)1; @b = (int8)1; @c = (uint64)5; @c = 1; }"),
        "@a: uint8, @b: int8, @c: uint64"
    );
}

#[test]
fn arrays_of_chars_stand_for_their_address() {
    check(
        "struct cb { int seq; } kprobe:vfs_read { $t = (struct task *)arg0; $c = (struct cb *)$t.comm; print(*(uint8 *)$t.comm); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
              local $t.0: struct task *
              local $c.1: struct cb *
              $t.0 = (struct task *)arg0
              $c.1 = (struct cb *)($t.0 + 4:int64*1)
              Print(*(uint8 *)($t.0 + 4:int64*1))
        "#]],
    );
    assert!(messages("begin { $x = comm; print((uint8 *)$x); }").contains("cannot be cast to 'uint8 *'"));
}

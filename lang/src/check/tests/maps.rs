//! Maps: keys, values, conflicts, declarations.

use super::*;

#[test]
fn keys_widen_field_by_field() {
    assert_eq!(maps("begin { @a[1, \"a\"] = 1; @a[(1000, \"abc\")] = 2; }"), "@a[(int16,string[4])]: int8");
    assert_eq!(maps("begin { @a[1] = 1; print(@a[(uint64)5]); }"), "@a[uint64]: int8");
    assert_eq!(
        maps("begin { @a[1] = 1; delete(@a, 1000); has_key(@a, -70000) }").lines().next(),
        Some("@a[int32]: int8")
    );
}

#[test]
fn records_join_by_name() {
    assert_eq!(
        maps("begin { @a = (x=1, y=\"a\"); @a = (y=\"abc\", x=(uint16)5); }"),
        "@a: (x=uint16,y=string[4])"
    );
}

#[test]
fn conflicts_name_both_types() {
    check(
        "begin { @x = 1; @x = \"ab\"; }",
        expect![[r#"
            stdin:1:17-26: ERROR: @x holds 'int8': 'string[3]' cannot be assigned to it
            begin { @x = 1; @x = "ab"; }
                            ~~~~~~~~~
            stdin:1:9-15: NOTE: @x is 'int8' since here
            begin { @x = 1; @x = "ab"; }
                    ~~~~~~
        "#]],
    );
    check(
        "begin { @x[1] = 1; @x[\"a\"] = 2; }",
        expect![[r#"
            stdin:1:20-27: ERROR: the keys of @x are 'int8': 'string[2]' cannot be one
            begin { @x[1] = 1; @x["a"] = 2; }
                               ~~~~~~~
            stdin:1:9-14: NOTE: 'int8' since here
            begin { @x[1] = 1; @x["a"] = 2; }
                    ~~~~~
        "#]],
    );
    check(
        "begin { @x[1] = 1; @x = 2; }",
        expect![[r#"
            stdin:1:20-22: ERROR: @x is used without a key here, with a key before
            begin { @x[1] = 1; @x = 2; }
                               ~~
            stdin:1:9-14: NOTE: used with a key here
            begin { @x[1] = 1; @x = 2; }
                    ~~~~~
        "#]],
    );
    check(
        "begin { @x = count(); @x = 5; @x++; @x += 2; }",
        expect![[r#"
            stdin:1:23-29: ERROR: @x holds 'count_t': 'int8' cannot be assigned to it
            begin { @x = count(); @x = 5; @x++; @x += 2; }
                                  ~~~~~~
            stdin:1:9-21: NOTE: @x is 'count_t' since here
            begin { @x = count(); @x = 5; @x++; @x += 2; }
                    ~~~~~~~~~~~~
            stdin:1:31-35: ERROR: '++' does not work on count_t
            begin { @x = count(); @x = 5; @x++; @x += 2; }
                                          ~~~~
            stdin:1:37-44: ERROR: '+=' does not work on count_t
            begin { @x = count(); @x = 5; @x++; @x += 2; }
                                                ~~~~~~~
            HINT: assign count(), sum(n) and their kin with =
        "#]],
    );
    check(
        "begin { @x = sum(5); @x = hist(1); }",
        expect![[r#"
            stdin:1:22-34: ERROR: @x holds 'sum_t': 'hist_t' cannot be assigned to it
            begin { @x = sum(5); @x = hist(1); }
                                 ~~~~~~~~~~~~
            stdin:1:9-20: NOTE: @x is 'sum_t' since here
            begin { @x = sum(5); @x = hist(1); }
                    ~~~~~~~~~~~
        "#]],
    );
}

#[test]
fn undefined_maps_are_errors_and_poison_is_silent() {
    assert_eq!(
        messages("begin { @count = 1; print(@cuont); }"),
        "ERROR: nothing is ever assigned to @cuont\n\
         HINT: did you mean '@count'?\n"
    );
    assert_eq!(
        messages("begin { print(@z); @z = nosuch(1); clear(@z); $t = @z + 1; print($t.0); }"),
        "ERROR: there is no function 'nosuch'\n"
    );
}

#[test]
fn declarations_choose_the_kernel_object() {
    check(
        "let @a = lruhash(10); let @b = hash(5); begin { @a[1] = 1; }",
        expect![[r#"
            stdin:1:23-40: WARNING: Unused map: @b is declared, but no probe uses it
            let @a = lruhash(10); let @b = hash(5); begin { @a[1] = 1; }
                                  ~~~~~~~~~~~~~~~~~
            map @a[int8]: int8 (10 entries)
            probe begin#0 (Unknown)
              @a[1:int8] = 1:int8
        "#]],
    );
    assert_eq!(
        messages("let @a = tree(10); begin { @a[1] = 1; }"),
        "ERROR: there is no map type 'tree'\n\
         HINT: map types are hash, lruhash, percpuhash, percpulruhash\n"
    );
    assert_eq!(
        messages("let @a = hash(1); let @a = hash(2); begin { @a[1] = 1; }"),
        "ERROR: @a is declared twice\n"
    );
}

#[test]
fn delete_has_key_and_len_know_scalar_maps() {
    assert_eq!(
        messages("begin { @a[1] = 1; @u = 1; delete(@u, 3); has_key(@u, 1); len(@u); delete(@a); }"),
        "ERROR: delete(@x, key) needs a map with keys\n\
         ERROR: has_key() needs a map with keys\n\
         ERROR: len() needs a map with keys\n\
         ERROR: delete() needs the key of an entry: this map has keys\n\
         HINT: delete(@map, key) removes one entry, clear(@map) all\n"
    );
    check(
        "begin { @a[1, 2] = 1; delete(@a, (1, 2)); delete(@a[1, 2]); if (has_key(@a, (1, 2))) { } print(len(@a)); @u = 1; delete(@u); }",
        expect![[r#"
            map @a[(int8,int8)]: int8 (4096 entries)
            map @u: int8 (4096 entries)
            probe begin#0 (Unknown)
              @a[(1:int8, 2:int8)] = 1:int8
              delete @a[(1:int8, 2:int8)]
              delete @a[(1:int8, 2:int8)]
              if has_key @a[(1:int8, 2:int8)]
              Print(len @a)
              @u = 1:int8
              delete @u
        "#]],
    );
}

#[test]
fn find_puts_the_value_into_a_variable() {
    check(
        "begin { @a[1] = (uint16)2; let $v; if (find(@a, 1, $v)) { print($v); } }",
        expect![[r#"
            map @a[int8]: uint16 (4096 entries)
            probe begin#0 (Unknown)
              local $v.0: uint16
              local $found.1: bool
              @a[1:int8] = (uint16)2:int8
              let $v.0
              if { $found.1 = has_key @a[1:int8]; if $found.1;   $v.0 = @a[1:int8]; $found.1 }
                Print($v.0)
        "#]],
    );
}

#[test]
fn structs_and_stacks_may_be_keys_and_values() {
    check(
        "kprobe:vfs_read { @t[*(struct task *)arg0] = kstack; @s[kstack, ustack(3)] = (struct task *)arg0; print(@s[kstack, ustack(3)].pid); }",
        expect![[r#"
            map @t[struct task]: kstack (4096 entries)
            map @s[(kstack,ustack)]: struct task * (4096 entries)
            probe kprobe:vfs_read#0 (Kernel)
              @t[*(struct task *)arg0] = kstack(Bpftrace, 127)
              @s[(kstack(Bpftrace, 127), ustack(Bpftrace, 3))] = (struct task *)arg0
              Print(*@s[(kstack(Bpftrace, 127), ustack(Bpftrace, 3))]@0:uint32)
        "#]],
    );
}

#[test]
fn records_are_evaluated_as_they_are_written() {
    check(
        "begin { @a = (x=pid, y=tid); @a = (y={ print(1); 2 }, x={ print(2); 3 }); let $v; if (find(@b, 1, $v)) { } $w = \"a\"; print($w); @b[1] = 5; }",
        expect![[r#"
            map @a: (x=int64,y=int64) (4096 entries)
            map @b[int8]: int8 (4096 entries)
            probe begin#0 (Unknown)
              local $field.0: int8
              local $field.1: int8
              local $v.2: int8
              local $found.3: bool
              local $w.4: string[2]
              @a = ((int64)pid, (int64)tid)
              @a = { $field.0 = { Print(1:int8); 2:int8 }; $field.1 = { Print(2:int8); 3:int8 }; ((int64)$field.1, (int64)$field.0) }
              let $v.2
              if { $found.3 = has_key @b[1:int8]; if $found.3;   $v.2 = @b[1:int8]; $found.3 }
              $w.4 = "a":string[2]
              Print($w.4)
              @b[1:int8] = 5:int8
        "#]],
    );
}

#[test]
fn a_map_that_is_only_fed_by_itself() {
    check(
        "begin { @y = sum((int64)@y); print(1); }",
        expect![[r#"
        stdin:1:9-11: ERROR: @y gets its values only from itself
        begin { @y = sum((int64)@y); print(1); }
                ~~
        HINT: assign something else to @y first, for example in begin
    "#]],
    );
}

#[test]
fn a_declared_map_holds_what_its_kind_is_for() {
    assert_eq!(
        messages("let @a = percpuhash(2); begin { @a = 1; }"),
        "ERROR: @a keeps a value for all CPUs, not one for each\n\
         HINT: declare it as hash or lruhash\n"
    );
    assert_eq!(
        messages("let @a = lruhash(2); begin { @a = count(); }"),
        "ERROR: @a keeps a value of its own for each CPU, which a hash has not\n\
         HINT: declare it as percpuhash or percpulruhash\n"
    );
    assert_eq!(
        messages("let @a = lruhash(2); let @b = percpuhash(2); begin { @a[1] = 1; @b[1] = sum(1); }"),
        ""
    );
}

#[test]
fn typeof_of_a_map_with_keys_is_the_type_of_its_keys() {
    assert_eq!(
        maps(
            "begin { @a[\"hi\", 2] = 1; let $x: typeof(@a) = (\"hello\", (int16)1); @a[\"hello\", (int32)2] = 2; @b = $x; }"
        ),
        "@a[(string[6],int32)]: int8, @b: (string[6],int32)"
    );
}

//! Map-value functions.

use super::*;

#[test]
fn each_kind_collects_64_bits() {
    check(
        "begin { @c = count(); @s = sum(pid); @s = sum(-1); @m[1] = min((uint8)1); @h = hist(pid); @k = hist(-1, 3); \
         @l = lhist(5, 0, 100, 10); @a = avg(3); @st = stats(pid); }",
        expect![[r#"
            map @c: count_t (4096 entries)
            map @s: sum_t (4096 entries)
            map @m[int8]: min_t (4096 entries)
            map @h: hist_t (4096 entries)
            map @k: hist_t (4096 entries)
            map @l: lhist_t (4096 entries)
            map @a: avg_t (4096 entries)
            map @st: stats_t (4096 entries)
            probe begin#0 (Unknown)
              @c = count()
              @s = sum((int64)pid)
              @s = sum(-1:int64)
              @m[1:int8] = min((uint64)(uint8)1:int8)
              @h = hist((int64)pid)
              @k = hist(-1:int64)
              @l = lhist(5:int64)
              @a = avg(3:int64)
              @st = stats((uint64)pid)
        "#]],
    );
}

#[test]
fn scalars_are_read_in_expressions() {
    check(
        "begin { @c = count(); @a[1] = avg(5); if (@c > 5) { $x = @c; } printf(\"%d\", @a[1]); print((int64)@c); print(@c); print(@a[1]); for ($kv : @a) { print($kv); } }",
        expect![[r#"
            map @c: count_t (4096 entries)
            map @a[int8]: avg_t (4096 entries)
            probe begin#0 (Unknown)
              local $x.0: uint64
              local $kv.1: (int8,int64)
              @c = count()
              @a[1:int8] = avg(5:int64)
              if (@c > 5:uint64)
                $x.0 = @c
              Printf([Conv(Conv { left: false, zero: false, plus: false, space: false, alt: false, width: None, precision: None, size: 4, kind: Signed })])(@a[1:int8])
              Print((int64)@c)
              print @c top 0 div 0
              print @a entry (1:int8, @a[1:int8])
              for $kv.1 in @a
                Print($kv.1)
        "#]],
    );
}

#[test]
fn what_has_no_scalar_can_only_be_printed() {
    assert_eq!(
        messages(
            "begin { @h = hist(1); print(@h + 1); print(@h); @s[1] = stats(1); print(@s[1]); for ($kv : @s) { } }"
        ),
        "ERROR: @h holds 'hist_t', which has no single value\n\
         HINT: print(@h) prints it\n\
         ERROR: a loop cannot read @s: its values are 'stats_t'\n"
    );
}

#[test]
fn they_stand_only_where_a_map_is_assigned() {
    assert_eq!(
        messages("begin { $x = count(); print(sum(1)); }"),
        "ERROR: count() collects in a map: write @x = count(…)\n\
         ERROR: sum() collects in a map: write @x = sum(…)\n"
    );
    check(
        "begin { @ = { let $a = 100; avg($a) }; }",
        expect![[r#"
            map @: avg_t (4096 entries)
            probe begin#0 (Unknown)
              local $a.0: int8
              block
                $a.0 = 100:int8
                @ = avg((int64)$a.0)
        "#]],
    );
}

#[test]
fn arguments_are_checked() {
    let one = |call: &str| messages(&format!("begin {{ @x = {call}; }}"));
    assert_eq!(
        one("count(1)"),
        "ERROR: count() takes no arguments, not 1\n\
                                 HINT: count_t count()\n"
    );
    assert_eq!(one("sum(\"a\")"), "ERROR: sum() takes an integer, not string[2]\n");
    assert_eq!(one("hist(1, 6)"), "ERROR: hist() takes 0 to 5 bits, not 6\n");
    assert!(one("hist(1, pid)").contains("must be a constant"));
    assert_eq!(one("lhist(1, 5, 1, 1)"), "ERROR: lhist() counts from min up to max: 5 is not below 1\n");
    assert_eq!(one("lhist(1, 0, 10, 0)"), "ERROR: lhist() needs a step of at least 1, not 0\n");
    assert!(one("lhist(1, 0, 10000, 1)").contains("at most 1000 buckets"));
}

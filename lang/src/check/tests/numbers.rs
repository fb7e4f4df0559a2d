//! Integers: literals, widening, signs, arithmetic, comparisons.

use super::*;

/// The type of an expression, as a map that it is assigned to gets it.
fn of(expr: &str) -> String {
    let out =
        maps(&format!("begin {{ $u8 = (uint8)200; $i32 = (int32)-7; $u64 = (uint64)1; @r = {expr}; }}"));
    out.strip_prefix("@r: ").map_or(out.clone(), str::to_string)
}

#[test]
fn literals_take_the_smallest_signed_type() {
    assert_eq!(of("1"), "int8");
    assert_eq!(of("-129"), "int16");
    assert_eq!(of("1 + 2"), "int8");
    assert_eq!(of("9223372036854775807"), "int64");
    assert_eq!(of("9223372036854775808"), "uint64");
    assert_eq!(of("1 << 40"), "int64");
}

#[test]
fn arithmetic_is_64_bits_wide() {
    assert_eq!(of("$u8 + $u8"), "uint64");
    assert_eq!(of("$u8 + 1"), "uint64");
    assert_eq!(of("$u8 + -1"), "int64");
    assert_eq!(of("$u8 - 1"), "int64");
    assert_eq!(of("$u8 * $i32"), "int64");
    assert_eq!(of("$i32 / 2"), "int64");
    assert_eq!(of("true + true"), "uint64");
    assert_eq!(of("(uint8)255 + (uint8)1"), "uint64");
}

#[test]
fn negation_is_signed() {
    assert_eq!(of("-$u8"), "int64");
    assert_eq!(of("-$u64"), "int64");
    assert_eq!(of("~$i32"), "int64");
    assert_eq!(of("~$u64"), "uint64");
    assert_eq!(of("-5"), "int8");
    assert_eq!(of("~5"), "int8");
}

#[test]
fn shifts_keep_the_sign_of_their_left_side() {
    check(
        "begin { $u = (uint64)1; $i = (int32)-8; print($u >> 1); print($i >> 1); print($u << $i); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $u.0: uint64
              local $i.1: int32
              $u.0 = (uint64)1:int8
              $i.1 = (int32)-8:int8
              Print(($u.0 >> 1:uint64))
              Print(((int64)$i.1 >>s 1:uint64))
              Print((int64)($u.0 << (uint64)$i.1))
        "#]],
    );
}

#[test]
fn assigned_maps_and_variables_widen() {
    assert_eq!(maps("begin { @a = 1; @a = 1000; @a = (uint8)1; }"), "@a: uint16");
    assert_eq!(maps("begin { @a = (uint8)255; @a++; }"), "@a: uint64");
    assert_eq!(maps("begin { @a = (uint8)255; @a--; }"), "@a: int64");
    assert_eq!(maps("begin { @a = 1; @a = (uint64)2; }"), "@a: uint64");
    assert_eq!(maps("begin { @a = (uint64)2; @a = -1; }"), "@a: int64");
    assert_eq!(maps("begin { $x = 1; @a = $x; } end { @a = (int16)1; }"), "@a: int16");
    assert_eq!(maps("begin { @a = @b; } end { @b = (uint32)1; }"), "@a: uint32, @b: uint32");
}

#[test]
fn maps_that_are_only_counted_are_int64() {
    assert_eq!(maps("begin { @a++; @b += 5; @c[1]--; }"), "@a: int64, @b: int64, @c[int8]: int64");
    assert_eq!(maps("begin { @a += 5; @a = (uint64)1; }"), "@a: uint64");
}

#[test]
fn declared_variables_keep_their_type() {
    check(
        "begin { let $x: uint8 = 255; $x++; $x = pid; let $y: int16 = (int8)5; }",
        expect![[r#"
            stdin:1:41-44: WARNING: a uint32 becomes uint8 here, which may change its value: cast it to uint8 if that is meant
            begin { let $x: uint8 = 255; $x++; $x = pid; let $y: int16 = (int8)5; }
                                                    ~~~
            probe begin#0 (Unknown)
              local $x.0: uint8
              local $y.1: int16
              $x.0 = 255:uint8
              ($x.0 +1)
              $x.0 = (uint8)pid
              $y.1 = (int16)(int8)5:int8
        "#]],
    );
    assert_eq!(
        messages("begin { let $x: uint8 = 300; }"),
        "ERROR: $x holds 'uint8': 'int16' cannot be assigned to it\n"
    );
}

#[test]
fn comparisons_compare_values() {
    check(
        "begin { $u8 = (uint8)255; $i8 = (int8)-1; $b = true; print($u8 == $i8); print($u8 == 5); print($u8 < 300); \
         print($u8 > -1); print($b == 1); print($b == true); print(1 < 2); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $u8.0: uint8
              local $i8.1: int8
              local $b.2: bool
              $u8.0 = (uint8)255:int16
              $i8.1 = (int8)-1:int8
              $b.2 = true
              Print(((int64)$u8.0 == (int64)$i8.1))
              Print(($u8.0 == 5:uint8))
              Print(((int64)$u8.0 <s 300:int64))
              Print(((int64)$u8.0 >s -1:int64))
              Print(((uint8)$b.2 == 1:uint8))
              Print(($b.2 == true))
              Print(true)
        "#]],
    );
}

#[test]
fn mixed_signs_at_full_width_are_warned_of() {
    assert_eq!(
        messages("begin { $u = (uint64)1; $i = (int64)1; print($u < $i); print($u < 5); print(pid < $i); }"),
        "WARNING: a uint64 becomes int64 here, which may change its value: cast it to int64 if that is meant\n"
    );
}

#[test]
fn constants_must_not_divide_by_zero() {
    assert_eq!(messages("begin { print(5 / 0); }"), "ERROR: division by zero: the right side of / is 0\n");
    assert_eq!(messages("begin { print(pid % 0); }"), "ERROR: division by zero: the right side of % is 0\n");
    assert_eq!(
        messages("begin { print(18446744073709551615 * 2); }"),
        "ERROR: the result does not fit 64 bits\n"
    );
}

#[test]
fn sizeof_sees_the_final_type() {
    check(
        "begin { $a = 1; $b = (uint8)1; $b++; print((sizeof($a), sizeof($b), sizeof(1 + 2), sizeof(pid))); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $a.0: int8
              local $b.1: uint64
              $a.0 = 1:int8
              $b.1 = (uint64)(uint8)1:int8
              ($b.1 +1)
              Print((1:int8, 8:int8, 1:int8, 4:int8))
        "#]],
    );
}

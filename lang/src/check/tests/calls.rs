//! Functions.

use super::*;

#[test]
fn texts_and_bytes() {
    check(
        "kprobe:vfs_read { print(str(arg0)); print(str(arg0, 16)); print(str(arg0, arg1)); print(str(\"abc\", 2)); \
         print(buf(arg0, 8)); print(buf(((struct sk_buff *)arg0).data)); print(buf(\"abc\")); print(strncmp(comm, \"ab\", 2)); \
         print(strcontains(comm, \"x\")); print(len(\"abc\")); print(len(comm)); print(strlen(\"abc\")); print(bswap((uint16)1)); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (PtRegs)
              Print(str((int8 *)arg0):string[1024])
              Print(str((int8 *)arg0, 16:uint64):string[16])
              Print(str((int8 *)arg0, arg1):string[1024])
              Print("ab":string[3])
              Print(buf((uint8 *)arg0):buffer[8])
              Print(buf(*(struct sk_buff *)arg0@16:uint8[8]):buffer[8])
              Print(buf("abc":string[4]):buffer[4])
              Print(strncmp(comm, "ab":string[3]):2)
              Print(strcontains(comm, "x":string[2]))
              Print(3:int8)
              Print(strlen(comm))
              Print(3:int8)
              Print(bswap((uint16)1:int8))
        "#]],
    );
    assert_eq!(
        messages("begin { print(str((1, 2))); print(buf(1)); print(str(1, -1)); print(str(1, 5000)); }"),
        "ERROR: str() expects a string, integer or a pointer type as first argument ((int8,int8) provided)\n\
         ERROR: buf() expects a length argument for non-array type int8\n\
         ERROR: str() cannot use negative length (-1)\n\
         WARNING: length param (5000) is too long and will be shortened to 1024 bytes (see max_strlen)\n"
    );
}

#[test]
fn formats_are_checked_against_their_arguments() {
    assert_eq!(
        messages(
            "begin { printf(\"%d %s\\n\", 1); printf(\"%d\", \"a\"); printf(\"%d\", 1, 2); printf(comm); printf(\"%r\", 1); printf(\"%x\", kstack); }"
        ),
        "ERROR: not enough arguments for format string (1 supplied, 2 expected)\n\
         ERROR: unsupported format specifier for type 'string[2]': d\nHINT: %s prints it\n\
         ERROR: too many arguments for format string (2 supplied, 1 expected)\n\
         ERROR: printf() expects a string literal (string[16] provided)\n\
         ERROR: unsupported format specifier for type 'int8': r\nHINT: buf(x, n) makes bytes of it\n\
         ERROR: unsupported format specifier for type 'kstack': x\nHINT: %s prints it\n"
    );
    assert_eq!(
        messages("begin { printf(\"%s %s %s %s %p %c\", 1, true, (1, \"a\"), kstack, curtask, 65); }"),
        ""
    );
}

#[test]
fn stacks() {
    check(
        "begin { @[kstack, ustack(perf, 3), kstack(5), ustack(build_id)] = count(); print(len(kstack)); }",
        expect![[r#"
            map @[(kstack,ustack,kstack,ustack)]: count_t (4096 entries)
            probe begin#0 (None)
              @[(kstack(Bpftrace, 127), ustack(Perf, 3), kstack(Bpftrace, 5), ustack(BuildId, 127))] = count()
              Print(stack_len(kstack(Bpftrace, 127)))
        "#]],
    );
    assert_eq!(
        messages("begin { kstack(foo); kstack(perf, 1000); kstack(build_id); kstack(0); kstack(3, 4); kstack(\"a\"); }")
            .replace("WARNING: Return value discarded.\n", ""),
        "ERROR: Unknown stack mode: 'foo'\nHINT: modes are bpftrace, perf, raw and, for ustack, build_id\n\
         ERROR: kstack([int limit]): limit shouldn't exceed 127, 1000 given\n\
         ERROR: 'build_id' stack mode can only be used for ustack\n\
         ERROR: kstack: invalid limit value: 0\n\
         ERROR: Expected stack mode as first argument\n\
         ERROR: the limit of kstack() must be a constant: its value is needed when the script is compiled\n"
    );
}

#[test]
fn network_addresses() {
    check(
        "kprobe:vfs_read { print(ntop(arg0)); print(ntop(10, pton(\"::1\"))); print(ntop(pton(\"1.2.3.4\"))); print(macaddr(((struct sk_buff *)arg0).data)); print(macaddr((uint8 *)arg0)); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (PtRegs)
              Print(ntop((uint32)arg0))
              Print(ntop(10:int64, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\u{1}":uint8[16]))
              Print(ntop("\u{1}\u{2}\u{3}\u{4}":uint8[4]))
              Print(macaddr(*(struct sk_buff *)arg0@16:uint8[8]))
              Print(macaddr((uint8 *)arg0))
        "#]],
    );
    assert_eq!(
        messages(
            "begin { print(pton(\"1.2.3\")); print(ntop(\"abc\")); print(macaddr(\"abcdef\")); print(macaddr(1)); }"
        ),
        "ERROR: pton() expects a valid IPv4/IPv6 address, got 1.2.3\n\
         ERROR: macaddr() does not support literal string arguments\n\
         ERROR: macaddr() only supports array or pointer arguments (int8 provided)\n"
    );
}

#[test]
fn time_and_symbols() {
    check(
        "kprobe:vfs_read { time(); time(\"%H\"); print(strftime(\"%H\", nsecs)); print(nsecs(tai)); print(ksym(arg0)); print(usym(arg1)); print(reg(\"ip\")); print(kaddr(\"vfs_read\")); print(strerror(2)); print(cgroup_path(cgroup)); print(username); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (PtRegs)
              Time("%H:%M:%S\n")()
              Time("%H")()
              Print(strftime(nsecsboot))
              Print(nsecstai)
              Print(ksym(arg0))
              Print(usym(arg1))
              Print(reg@128:8)
              Print(18446744071578845440:uint64)
              Print(strerror(2:int32))
              Print(cgroup_path(cgroup))
              Print(uid)
        "#]],
    );
    assert_eq!(
        messages(
            "begin { print(strftime(\"%H\", -1)); print(strftime(\"%H\", nsecs(monotonic))); print(nsecs(foo)); print(kaddr(\"nosuch\")); }"
        ),
        "ERROR: strftime() does not accept negative timestamps\nERROR: strftime() can not take a monotonic timestamp\n\
         ERROR: Invalid timestamp mode: foo\nHINT: clocks are boot, monotonic, tai, sw_tai\n\
         ERROR: Failed to resolve kernel symbol: nosuch\n"
    );
}

#[test]
fn unsafe_functions_need_the_flag() {
    assert_eq!(
        messages("begin { system(\"ls\"); }"),
        "ERROR: system() is an unsafe function being used in safe mode\nHINT: --unsafe allows it\n"
    );
    let options = Options { allow_unsafe: true, ..Options::default() };
    assert_eq!(
        messages_with(
            "kprobe:vfs_read { system(\"ls %d\", pid); signal(\"KILL\"); signal(9); override(5); }",
            &options
        ),
        ""
    );
    assert_eq!(
        messages_with("kprobe:vfs_read { signal(\"NOSUCH\"); }", &options),
        "ERROR: NOSUCH is not a valid signal\n"
    );
}

#[test]
fn unknown_names_offer_near_ones() {
    assert_eq!(
        messages("begin { prinft(\"a\"); print(comn); print(pids); skboutput(1); }"),
        "ERROR: Unknown function: 'prinft'\nHINT: did you mean 'print' or 'printf'?\n\
         ERROR: Unknown identifier: 'comn'\nHINT: did you mean 'comm'?\n\
         ERROR: Unknown identifier: 'pids'\nHINT: did you mean 'pid'?\n\
         ERROR: function 'skboutput' is not supported yet\n"
    );
}

#[test]
fn numbers_of_arguments() {
    assert_eq!(
        messages(
            "begin { print(); print(1, 2, 3, 4); zero(); clear(1); pid(1); str(); print(1, 2); exit(\"a\"); }"
        ),
        "ERROR: print() requires at least one argument (0 provided)\nHINT: void print(any value, [const int top], [const int div])\n\
         ERROR: print() takes up to 3 arguments (4 provided)\nHINT: void print(any value, [const int top], [const int div])\n\
         ERROR: zero() requires one argument (0 provided)\nHINT: void zero(map map)\n\
         ERROR: clear() expects a map argument\n\
         ERROR: pid() requires no arguments (1 provided)\n\
         ERROR: str() requires at least one argument (0 provided)\nHINT: string str(any pointer, [int size])\n\
         ERROR: Non-map print() only takes 1 argument, 2 found\n\
         ERROR: exit() only supports integer arguments (string[2] provided)\n"
    );
}

#[test]
fn discarded_values_are_warned_of() {
    assert_eq!(
        messages("begin { 1; pid; @x = 1; @x; _ = pid; @x++; delete(@x); exit(); }"),
        "WARNING: Return value discarded.\nWARNING: Return value discarded.\nWARNING: Return value discarded.\n"
    );
}

#[test]
fn parameters() {
    let options = Options {
        params: vec!["42".into(), "hello".into(), "-0x10".into()],
        named_params: vec![("n".into(), Some("7".into())), ("v".into(), None)],
        ..Options::default()
    };
    let out = outcome(
        "begin { print(($1, $2, $3, $#)); print((str($1), str($2 + 1))); print(config().max_strlen); print((getopt(\"n\", 1), getopt(\"v\"), getopt(\"w\"), getopt(\"s\", \"d\"))); }",
        &options,
    );
    expect![[r#"
        probe begin#0 (None)
          Print((42:int8, "hello":string[6], -16:int8, 3:int8))
          Print(("42":string[3], "ello":string[5]))
          Print((true, false, "GPL":string[4], 1000000:uint64, 1024:uint64, 10240:uint64, 4096:uint64, 1024:uint64, 1024:uint64, 32:uint64, true, true, "bpftrace":string[9], "..":string[3]).8)
          Print((7:int8, true, false, "d":string[2]))
    "#]]
    .assert_eq(&out);
    assert_eq!(
        messages_with("begin { print(getopt(\"n\", 1)); }", &options),
        "ERROR: unexpected program command line options: --v\nHINT: expected program options: --n\n"
    );
    let options = Options { named_params: vec![], ..options };
    assert_eq!(
        messages_with("begin { print($4); }", &options),
        "WARNING: Positional parameter $4 is empty or not provided.\n"
    );
    assert!(messages_with("begin { print($2 + 1); }", &options).contains("operator can not be used"));
}

#[test]
fn compile_time_questions() {
    check(
        "begin { print((is_str(comm), is_ptr(curtask), is_array(pton(\"::1\")), is_integer(pid), is_unsigned_integer(pid), is_literal(1), is_literal(pid))); }",
        expect![[r#"
            probe begin#0 (None)
              Print((true, true, true, true, true, true, false))
        "#]],
    );
    assert_eq!(
        messages(
            "begin { if ($# == 0) { fail(\"give %d, %s\", 1, \"x\"); } if (0) { fail(\"never\"); } static_assert(1 == 2, \"no\"); }"
        ),
        "ERROR: give 1, x\nERROR: no\n"
    );
}

#[test]
fn library_macros() {
    check(
        "kprobe:vfs_read { print(is_err((void *)arg0)); assert(pid > 1, \"no\"); }",
        expect![[r#"
        probe kprobe:vfs_read#0 (PtRegs)
          Print(((uint64)(void *)arg0 >= (uint64)-4095:int16))
          block
            if !(pid > 1:uint32)
              Errorf([Text("assert failed: "), Conv(Conv { left: false, zero: false, plus: false, space: false, alt: false, width: None, precision: None, size: 4, kind: Str })], false)("no":string[3])
              exit(1:int64)
    "#]],
    );
}

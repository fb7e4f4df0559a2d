//! Functions.

use super::*;

#[test]
fn texts_and_bytes() {
    check(
        "kprobe:vfs_read { print(str(arg0)); print(str(arg0, 16)); print(str(arg0, arg1)); print(str(\"abc\", 2)); \
         print(buf(arg0, 8)); print(buf(((struct sk_buff *)arg0).data)); print(buf(\"abc\")); print(strncmp(comm, \"ab\", 2)); \
         print(strcontains(comm, \"x\")); print(len(\"abc\")); print(len(comm)); print(strlen(\"abc\")); print(bswap((uint16)1)); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
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
        "ERROR: str() takes a pointer, an integer or a text, not (int8,int8)\n\
         ERROR: buf() needs a length: int8 does not have one\n\
         ERROR: the length of str() is negative: -1\n\
         WARNING: 1024 bytes are read, not 5000: config max_strlen is the limit\n"
    );
}

#[test]
fn formats_are_checked_against_their_arguments() {
    assert_eq!(
        messages(
            "begin { printf(\"%d %s\\n\", 1); printf(\"%d\", \"a\"); printf(\"%d\", 1, 2); printf(comm); printf(\"%r\", 1); printf(\"%x\", kstack); }"
        ),
        "ERROR: the format takes 2 arguments, not 1\n\
         ERROR: %d cannot print string[2]\n\
         HINT: %s prints it\n\
         ERROR: the format takes one argument, not 2\n\
         ERROR: printf() takes a text in quotes here, not string[16]\n\
         ERROR: %r cannot print int8\n\
         HINT: buf(x, n) makes bytes of it\n\
         ERROR: %x cannot print kstack\n\
         HINT: %s prints it\n"
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
            probe begin#0 (Unknown)
              @[(kstack(Bpftrace, 127), ustack(Perf, 3), kstack(Bpftrace, 5), ustack(BuildId, 127))] = count()
              Print(stack_len(kstack(Bpftrace, 127)))
        "#]],
    );
    assert_eq!(
        messages(
            "begin { kstack(foo); kstack(perf, 1000); kstack(build_id); kstack(0); kstack(3, 4); kstack(\"a\"); }"
        ),
        "ERROR: there is no stack mode 'foo'\n\
         HINT: modes are bpftrace, perf, raw and, for ustack, build_id\n\
         ERROR: kstack() takes 1 to 127 frames, not 1000\n\
         ERROR: kstack has no build_id: that mode belongs to ustack\n\
         ERROR: kstack() takes 1 to 127 frames, not 0\n\
         ERROR: the mode stands first, then the limit\n\
         ERROR: the limit of kstack() must be a constant: its value is needed when the script is compiled\n"
    );
}

#[test]
fn network_addresses() {
    check(
        "kprobe:vfs_read { print(ntop(arg0)); print(ntop(10, pton(\"::1\"))); print(ntop(pton(\"1.2.3.4\"))); print(macaddr(((struct sk_buff *)arg0).data)); print(macaddr((uint8 *)arg0)); print(macaddr(arg1)); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
              Print(ntop((uint32)arg0))
              Print(ntop(10:int64, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\u{1}":uint8[16]))
              Print(ntop("\u{1}\u{2}\u{3}\u{4}":uint8[4]))
              Print(macaddr(*(struct sk_buff *)arg0@16:uint8[8]))
              Print(macaddr((uint8 *)arg0))
              Print(macaddr((uint8 *)arg1))
        "#]],
    );
    assert_eq!(
        messages(
            "begin { print(pton(\"1.2.3\")); print(ntop(\"abc\")); print(macaddr(\"abcdef\")); print(macaddr(comm == \"\")); }"
        ),
        "ERROR: '1.2.3' is neither an IPv4 nor an IPv6 address\n\
         ERROR: macaddr() takes bytes in memory, not a text in quotes\n\
         ERROR: macaddr() takes an array or a pointer, not bool\n"
    );
}

#[test]
fn time_and_symbols() {
    check(
        "kprobe:vfs_read { time(); time(\"%H\"); print(strftime(\"%H\", nsecs)); print(nsecs(tai)); print(ksym(arg0)); print(usym(arg1)); print(reg(\"ip\")); print(kaddr(\"vfs_read\")); print(strerror(2)); print(cgroup_path(cgroup)); print(username); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
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
        "ERROR: strftime() takes a time after 0, not a negative one\n\
         ERROR: strftime() cannot date nsecs(monotonic): that clock stops while the machine sleeps\n\
         ERROR: there is no clock 'foo'\n\
         HINT: clocks are boot, monotonic, tai, sw_tai\n\
         ERROR: there is no kernel symbol 'nosuch'\n"
    );
}

#[test]
fn unsafe_functions_need_the_flag() {
    assert_eq!(
        messages("begin { system(\"ls\"); }"),
        "ERROR: system() acts on the system, which a script may not do unasked\n\
         HINT: --unsafe allows it\n"
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
        "ERROR: there is no signal 'NOSUCH'\n"
    );
}

#[test]
fn unknown_names_offer_near_ones() {
    assert_eq!(
        messages("begin { prinft(\"a\"); print(comn); print(pids); skboutput(1); }"),
        "ERROR: there is no function 'prinft'\n\
         HINT: did you mean 'print' or 'printf'?\n\
         ERROR: nothing here is called 'comn'\n\
         HINT: did you mean 'comm'?\n\
         ERROR: nothing here is called 'pids'\n\
         HINT: did you mean 'pid'?\n\
         ERROR: function 'skboutput' is not supported yet\n"
    );
}

#[test]
fn numbers_of_arguments() {
    assert_eq!(
        messages(
            "begin { print(); print(1, 2, 3, 4); zero(); clear(1); pid(1); str(); print(1, 2); exit(\"a\"); }"
        ),
        "ERROR: print() takes at least one argument, not 0\n\
         HINT: void print(any value, [const int top], [const int div])\n\
         ERROR: print() takes at most 3 arguments, not 4\n\
         HINT: void print(any value, [const int top], [const int div])\n\
         ERROR: zero() takes one argument, not 0\n\
         HINT: void zero(map map)\n\
         ERROR: clear() needs a map\n\
         ERROR: pid() takes no arguments, not 1\n\
         ERROR: str() takes at least one argument, not 0\n\
         HINT: string str(any pointer, [int size])\n\
         ERROR: print() takes top and div for a whole map only: print(@x, top, div)\n\
         ERROR: exit() takes an integer, not string[2]\n"
    );
}

#[test]
fn discarded_values_are_warned_of() {
    assert_eq!(
        messages("begin { 1; pid; @x = 1; @x; _ = pid; @x++; delete(@x); exit(); }"),
        "WARNING: the value of this is not used\n\
         WARNING: the value of this is not used\n\
         WARNING: the value of this is not used\n"
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
        probe begin#0 (Unknown)
          Print((42:int8, "hello":string[6], -16:int8, 3:int8))
          Print(("42":string[3], "ello":string[5]))
          Print((true, false, "GPL":string[4], 1000000:uint64, 1024:uint64, 10240:uint64, 4096:uint64, 1024:uint64, 1024:uint64, 32:uint64, true, true, "bpftrace":string[9], "..":string[3]).8)
          Print((7:int8, true, false, "d":string[2]))
    "#]]
    .assert_eq(&out);
    assert_eq!(
        messages_with("begin { print(getopt(\"n\", 1)); }", &options),
        "ERROR: the script does not take --v\n\
         HINT: its options are --n\n"
    );
    let options = Options { named_params: vec![], ..options };
    assert_eq!(
        messages_with("begin { print($4); }", &options),
        "WARNING: parameter $4 was not given: it counts as 0\n"
    );
    assert!(messages_with("begin { print($2 + 1); }", &options).contains("does not work on"));
}

#[test]
fn compile_time_questions() {
    check(
        "begin { print((is_str(comm), is_ptr(curtask), is_array(pton(\"::1\")), is_integer(pid), is_unsigned_integer(pid), is_literal(1), is_literal(pid))); }",
        expect![[r#"
            probe begin#0 (Unknown)
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
            probe kprobe:vfs_read#0 (Kernel)
              Print(((uint64)(void *)arg0 >= (uint64)-4095:int16))
              block
                if !(pid > 1:uint32)
                  Errorf([Text("assert failed: "), Conv(Conv { left: false, zero: false, plus: false, space: false, alt: false, width: None, precision: None, size: 4, kind: Str })], false, [Span { file: 0, start: 47, end: 68 }])("no":string[3])
                  exit(1:int64)
        "#]],
    );
}

#[test]
fn what_is_asked_when_compiling() {
    assert_eq!(
        messages(
            "begin { @k[1] = 1; @s = 1; static_assert(is_scalar(@s) && !is_scalar(@k), \"no\"); \
             static_assert(comptime (1, 5).1 == 5, \"no\"); static_assert(~0xfffffffffffffffe == 1, \"no\"); \
             static_assert(sizeof(@k[1]) == 1, \"no\"); }"
        ),
        ""
    );
    assert_eq!(messages("begin { print(is_scalar(pid)); }"), "ERROR: is_scalar() needs a map\n");
    assert_eq!(
        messages("begin { print(1 << 64); print(1 >> -1); }"),
        "ERROR: a number of 64 bits is shifted by 0 to 63 bits, not 64\n\
         ERROR: a number of 64 bits is shifted by 0 to 63 bits, not -1\n"
    );
}

#[test]
fn a_named_parameter_is_one_for_the_whole_script() {
    assert_eq!(messages("begin { print(getopt(\"n\", -1)); print(getopt(\"n\", -1)); }"), "");
    assert_eq!(
        messages("begin { print(getopt(\"n\", 1)); print(getopt(\"n\", \"x\")); }"),
        "ERROR: --n has another default elsewhere in the script\n\
         HINT: a macro keeps it in one place: macro NAME() { getopt(\"n\", …) }\n"
    );
    assert!(
        messages("begin { print(getopt(\"n\", 1, \"a\")); print(getopt(\"n\", 1, \"b\")); }")
            .contains("--n has another description")
    );
}

#[test]
fn what_a_script_forbids_itself() {
    let forbidden = "ERROR: this is forbidden here: ";
    for text in [
        "config = { unstable_tseries = error } begin { @ = tseries(4, 1s, 10); }",
        "config = { unstable_map_decl = error } let @a = hash(3); begin { @a = 1; }",
        "config = { unstable_typeinfo = error } begin { print(typeinfo(uint8)); }",
    ] {
        assert!(messages(text).starts_with(forbidden), "{text}: {}", messages(text));
        assert_eq!(messages(&text.replace("error", "enable")), "", "{text}");
    }
}

//! Groups of attach points; what depends on the kind of probe.

use super::*;

#[test]
fn equal_typing_shares_a_body() {
    check(
        "kprobe:vfs_* { @[func] = count(); } tracepoint:sched:* { @p[probe] = count(); }",
        expect![[r#"
            map @[ksym_t]: count_t (4096 entries)
            map @p[probe_t]: count_t (4096 entries)
            probe kprobe:vfs_open#0, kprobe:vfs_read#1, kprobe:vfs_write#2 (Kernel)
              @[func] = count()
            probe tracepoint:sched:sched_switch#3, tracepoint:sched:sched_wakeup#4 (Kernel)
              @p[probe] = count()
        "#]],
    );
    check(
        "tracepoint:sched:sched_wakeup, tracepoint:syscalls:sys_exit_openat { @[probe]++; }",
        expect![[r#"
            map @[probe_t]: int64 (4096 entries)
            probe tracepoint:sched:sched_wakeup#0 (Kernel)
              (@[probe] +1)
            probe tracepoint:syscalls:sys_exit_openat#1 (User)
              (@[probe] +1)
        "#]],
    );
}

#[test]
fn other_types_of_args_make_other_bodies() {
    check(
        "kprobe:vfs_read, kprobe:vfs_open { print(args.file); }",
        expect![[r#"
            stdin:1:42-51: ERROR: the function has no parameter 'file'
            kprobe:vfs_read, kprobe:vfs_open { print(args.file); }
                                                     ~~~~~~~~~
        "#]],
    );
}

#[test]
fn probe_as_a_text_makes_one_body_each() {
    check(
        "kprobe:vfs_read, kprobe:vfs_open { if (probe == \"kprobe:vfs_read\") { @ = 1; } print(probetype); }",
        expect![[r#"
            map @: int8 (4096 entries)
            probe kprobe:vfs_read#0 (Kernel)
              if ("kprobe:vfs_read":string[16] == "kprobe:vfs_read":string[16])
                @ = 1:int8
              Print("kprobe":string[7])
            probe kprobe:vfs_open#1 (Kernel)
              if ("kprobe:vfs_open":string[16] == "kprobe:vfs_read":string[16])
                @ = 1:int8
              Print("kprobe":string[7])
        "#]],
    );
    check(
        "kprobe:vfs_read { @[probe] = 1; } begin { @[\"x\"] = 2; }",
        expect![[r#"
            map @[string[16]]: int8 (4096 entries)
            probe kprobe:vfs_read#0 (Kernel)
              @["kprobe:vfs_read":string[16]] = 1:int8
            probe begin#1 (Unknown)
              @["x":string[16]] = 2:int8
        "#]],
    );
}

#[test]
fn places_of_a_static_probe_share_a_body_as_far_as_their_arguments_lie_alike() {
    check(
        "usdt:/bin/app:open { @[probe] = count(); }",
        expect![[r#"
        map @[probe_t]: count_t (4096 entries)
        probe usdt:/bin/app:shop:open#0, usdt:/bin/app:shop:open#0, usdt:/bin/app:shop:open#0 (User)
          @[probe] = count()
    "#]],
    );
    check(
        "usdt:/bin/app:open { @ = arg0; }",
        expect![[r#"
        map @: int64 (4096 entries)
        probe usdt:/bin/app:shop:open#0, usdt:/bin/app:shop:open#0 (User)
          @ = (int64)(int32)reg@80:4
        probe usdt:/bin/app:shop:open#0 (User)
          @ = (int64)constant@0x7
    "#]],
    );
    check(
        "usdt:/bin/app:open /arg0 == 7/ { @ = str(arg0); }",
        expect![[r#"
        map @: string[1024] (4096 entries)
        probe usdt:/bin/app:shop:open#0, usdt:/bin/app:shop:open#0 (User)
          if not ((int64)(int32)reg@80:4 == 7:int64): return
          @ = str((int8 *)(uint64)(int64)(int32)reg@80:4):string[1024]
        probe usdt:/bin/app:shop:open#0 (User)
          if not ((int64)constant@0x7 == 7:int64): return
          @ = str((int8 *)(uint64)(int64)constant@0x7):string[1024]
    "#]],
    );
}

#[test]
fn arguments_of_static_probes_that_cannot_be_read_are_named() {
    assert_eq!(
        messages("usdt:/bin/app:weigh { print(arg1); }"),
        "ERROR: arg1 cannot be read: it is a floating-point number (8f@%xmm0 of usdt:/bin/app:bakery:weigh)\n"
    );
    assert_eq!(
        messages("usdt:/bin/app:* { print(arg0); }"),
        "ERROR: arg0 does not exist: usdt:/bin/app:shop:close has no arguments\n"
    );
    assert_eq!(
        messages("usdt:/bin/app:close { print(args.x); print(retval); }"),
        "ERROR: args exists only in tracepoint, rawtracepoint, kprobe, uprobe, fentry and fexit probes\n\
         HINT: the arguments of static probes have no names: use arg0, arg1, …\n\
         ERROR: retval exists only in kretprobe, uretprobe and fexit probes\n"
    );
}

#[test]
fn builtins_are_bound_to_kinds_of_probes() {
    assert_eq!(
        messages(
            "begin { print(arg0); print(retval); print(func); print(args); print(reg(\"ip\")); print(ctx); }"
        ),
        "ERROR: arg0 exists only in kprobe, uprobe, usdt and rawtracepoint probes\n\
         ERROR: retval exists only in kretprobe, uretprobe and fexit probes\n\
         ERROR: func exists only in kprobe, kretprobe, uprobe, uretprobe, fentry and fexit probes\n\
         ERROR: args exists only in tracepoint, rawtracepoint, kprobe, uprobe, fentry and fexit probes\n\
         ERROR: reg() does not work in begin probes\n\
         HINT: it works in kprobe, kretprobe, uprobe, uretprobe, usdt, profile, software, hardware, watchpoint\n\
         ERROR: there is no context in this kind of probe\n"
    );
    assert!(
        messages("kretprobe:vfs_read { print(arg0); }")
            .contains("HINT: store it in a map at the function's entry")
    );
    assert!(messages("kprobe:vfs_read { print(arg7); }").contains("arg7 is not passed in a register"));
}

#[test]
fn tracepoint_records() {
    check(
        "tracepoint:net:netif_rx { print(args.len); print(str(args.name)); print(args.skbaddr); print(args); }",
        expect![[r#"
            probe tracepoint:net:netif_rx#0 (Kernel)
              Print(field@16:uint32)
              Print(str(data_loc@20):string[1024])
              Print(field@8:void *)
              Print(field@0:struct _tracepoint_net_netif_rx)
        "#]],
    );
    assert_eq!(
        messages("tracepoint:net:netif_rx { print(args.lenn); print(args.common_pid); print(retval); }"),
        "ERROR: 'struct _tracepoint_net_netif_rx' has no field 'lenn'\n\
         HINT: did you mean 'len'?\n\
         ERROR: args.common_pid cannot be read: the kernel keeps the common_ fields of tracepoints from programs\n\
         ERROR: retval exists only in kretprobe, uretprobe and fexit probes\n\
         HINT: the result of a system call is args.ret\n"
    );
}

#[test]
fn raw_tracepoint_parameters() {
    check(
        "rawtracepoint:kfree_skb { print(args.skb.len); printf(\"%s\", args.reason); print(arg1); }",
        expect![[r#"
            probe rawtracepoint:vmlinux:kfree_skb#0 (Kernel)
              Print(*(struct sk_buff *)word@0@8:uint32)
              Printf([Conv(Conv { left: false, zero: false, plus: false, space: false, alt: false, width: None, precision: None, size: 4, kind: Str })])((enum color)word@16)
              Print(word@8)
        "#]],
    );
    assert!(
        messages("rawtracepoint:kfree_skb { print(args.x); }").contains("the function has no parameter 'x'")
    );
}

#[test]
fn config_variables() {
    assert_eq!(
        messages("config = { max_strlne=64; stack_mode=foo } begin { print(1); }"),
        "ERROR: there is no config variable 'max_strlne'\n\
         HINT: did you mean 'max_strlen'?\n\
         ERROR: stack_mode cannot be 'foo': it takes bpftrace, perf, raw, build_id\n"
    );
    check(
        "config = { max_strlen=64; stack_mode=perf; max_map_keys=7 } begin { @[str(1)] = kstack; }",
        expect![[r#"
            map @[string[64]]: kstack (7 entries)
            probe begin#0 (Unknown)
              @[str((int8 *)1:uint64):string[64]] = kstack(Perf, 127)
        "#]],
    );
    assert_eq!(
        messages(
            "config = { lazy_symbolication=1; cache_user_symbols=PER_PID; on_stack_limit=64 } begin { print(1); }"
        ),
        "WARNING: lazy_symbolication has no effect here: symbols are always resolved when they are printed\n\
         WARNING: on_stack_limit has no effect here: the compiler finds a place for values of any size\n"
    );
    assert!(
        messages("config = { max_probes=2 } kprobe:vfs_* { }")
            .contains("the script needs 3 probes: the limit is 2")
    );
    assert_eq!(messages("config = { missing_probes=ignore } kprobe:nosuch { } begin { print(1); }"), "");
    assert!(
        messages("config = { missing_probes=warn } kprobe:nosuch { } begin { print(1); }")
            .starts_with("WARNING: ")
    );
}

#[test]
fn blocks_of_bench_and_test_have_names_of_their_own() {
    assert_eq!(
        messages("bench:a { } bench:a { } test:a { }"),
        "ERROR: there are two blocks called bench:a\n"
    );
    assert_eq!(messages("bench: { }"), "ERROR: a bench block has a name\nHINT: forms: bench:NAME\n");
}

//! Attach points against the made-up system.

use super::{Refusal, resolve};
use crate::fixture::Fixture;
use crate::{Options, Source, parse};
use expect_test::{Expect, expect};

/// Resolves all attach points of a script: names and what they attach to, or the messages.
fn shown(text: &str, options: &Options) -> String {
    let source = Source::new("stdin", &format!("{text} {{}}"));
    let (script, diags) = parse(&source, 0);
    assert_eq!(diags, []);
    let mut next = 1;
    let mut out = String::new();
    for spec in &script.probes[0].attach {
        match resolve(spec, &Fixture::new(), options, &mut next) {
            Ok(points) => {
                for p in points {
                    out += &format!("{} {} {:?}\n", p.id.0, p.name, p.target);
                }
            }
            Err(e) => out += &e.into_diagnostic().render(std::slice::from_ref(&source)),
        }
    }
    out
}

fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&shown(text, &Options::default()));
}

/// First lines of the messages only.
fn check_errors(specs: &[&str], expected: &Expect) {
    let lines = specs.iter().map(|s| {
        let text = shown(s, &Options::default());
        let hints = text.lines().filter(|l| l.starts_with("HINT"));
        let message = text.lines().next().unwrap_or_default();
        format!("{}\n", std::iter::once(message).chain(hints).collect::<Vec<_>>().join("\n  "))
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn kernel_functions() {
    check(
        "kprobe:vfs_read,k:vfs_*,kr:nft:nf_hook,kprobe:vmlinux:vfs_o*,kprobe:vfs_read+0x8",
        &expect![[r#"
            1 kprobe:vfs_read Kprobe { func: "vfs_read", module: None, offset: 0, ret: false }
            2 kprobe:vfs_open Kprobe { func: "vfs_open", module: None, offset: 0, ret: false }
            3 kprobe:vfs_read Kprobe { func: "vfs_read", module: None, offset: 0, ret: false }
            4 kprobe:vfs_write Kprobe { func: "vfs_write", module: None, offset: 0, ret: false }
            5 kretprobe:nft:nf_hook Kprobe { func: "nf_hook", module: Some("nft"), offset: 0, ret: true }
            6 kprobe:vmlinux:vfs_open Kprobe { func: "vfs_open", module: None, offset: 0, ret: false }
            7 kprobe:vfs_read+8 Kprobe { func: "vfs_read", module: None, offset: 8, ret: false }
        "#]],
    );
}

#[test]
fn functions_by_the_type_of_an_argument() {
    check(
        "kprobe:*(struct task *),fentry:vfs_w*( struct sk_buff*),kretprobe:nft:(struct task*)",
        &expect![[r#"
        1 kprobe:vfs_open Kprobe { func: "vfs_open", module: None, offset: 0, ret: false }
        2 kprobe:vfs_read Kprobe { func: "vfs_read", module: None, offset: 0, ret: false }
        3 kprobe:vfs_write Kprobe { func: "vfs_write", module: None, offset: 0, ret: false }
        4 kprobe:nf_hook Kprobe { func: "nf_hook", module: None, offset: 0, ret: false }
        5 fentry:vmlinux:vfs_write KernelFunction { func: "vfs_write", module: "vmlinux", id: 3, ret: false }
        6 kretprobe:nft:nf_hook Kprobe { func: "nf_hook", module: Some("nft"), offset: 0, ret: true }
    "#]],
    );
    check_errors(
        &["kprobe:vfs_*(struct)", "kprobe:vfs_*(struct nosuch *)", "kprobe:vfs_*(struct net_device *)"],
        &expect![[r#"
            stdin:1:1-21: ERROR: 'struct' is not a type that functions can be found by: write for example (struct sk_buff *)
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
            stdin:1:1-30: ERROR: nothing matches kprobe:vfs_*(struct nosuch *)
              HINT: no struct or union 'nosuch'
            stdin:1:1-34: ERROR: nothing matches kprobe:vfs_*(struct net_device *)
              HINT: no function that matches 'vfs_*' takes a struct net_device * in a register
        "#]],
    );
}

#[test]
fn source_lines() {
    check(
        "kprobe@fs/read_write.c:10,kprobe@vmlinux:read_write.c:10:3,kprobe:vfs_write@read_write.c:10",
        &expect![[r#"
            1 kprobe:vfs_read+8 Kprobe { func: "vfs_read", module: None, offset: 8, ret: false }
            2 kprobe:vfs_write+16 Kprobe { func: "vfs_write", module: None, offset: 16, ret: false }
            3 kprobe:vmlinux:vfs_read+8 Kprobe { func: "vfs_read", module: None, offset: 8, ret: false }
            4 kprobe:vmlinux:vfs_write+16 Kprobe { func: "vfs_write", module: None, offset: 16, ret: false }
            5 kprobe:vfs_write+16 Kprobe { func: "vfs_write", module: None, offset: 16, ret: false }
        "#]],
    );
}

#[test]
fn the_rest() {
    check(
        "BEGIN,end,self:signal:SIGUSR1,t:sched:*,tracepoint:syscalls:sys_enter_openat,rt:kfree_skb,\
         i:s:1,interval:1s,profile:hz:99,p:ms:10,software:faults,s:cpu-clock:1e6,h:cycles:5000",
        &expect![[r#"
            1 begin Begin
            2 end End
            3 self:signal:SIGUSR1 SelfSignal(10)
            4 tracepoint:sched:sched_switch Tracepoint { category: "sched", event: "sched_switch", id: 1, syscall: None }
            5 tracepoint:sched:sched_wakeup Tracepoint { category: "sched", event: "sched_wakeup", id: 2, syscall: None }
            6 tracepoint:syscalls:sys_enter_openat Tracepoint { category: "syscalls", event: "sys_enter_openat", id: 3, syscall: Some(SystemCall { number: 257, edge: Enter }) }
            7 rawtracepoint:vmlinux:kfree_skb RawTracepoint { event: "kfree_skb", module: Some("vmlinux") }
            8 interval:s:1 Interval(Nanos(1000000000))
            9 interval:us:1000000 Interval(Nanos(1000000000))
            10 profile:hz:99 Profile(Hertz(99))
            11 profile:ms:10 Profile(Nanos(10000000))
            12 software:faults PerfEvent { perf_type: 1, config: 2, period: 100 }
            13 software:cpu-clock:1000000 PerfEvent { perf_type: 1, config: 0, period: 1000000 }
            14 hardware:cycles:5000 PerfEvent { perf_type: 0, config: 0, period: 5000 }
        "#]],
    );
}

#[test]
fn programs() {
    check(
        "u:/bin/app:main,ur:/bin/app:*,uprobe:/bin/app:work+16,uprobe:/bin/app:0x1010",
        &expect![[r#"
        1 uprobe:/bin/app:main Uprobe { path: "/bin/app", symbol: "main", offset: 4096, ret: false, pid: None }
        2 uretprobe:/bin/app:main Uprobe { path: "/bin/app", symbol: "main", offset: 4096, ret: true, pid: None }
        3 uretprobe:/bin/app:work Uprobe { path: "/bin/app", symbol: "work", offset: 4352, ret: true, pid: None }
        4 uprobe:/bin/app:work+16 Uprobe { path: "/bin/app", symbol: "work", offset: 4368, ret: false, pid: None }
        5 uprobe:/bin/app:4112 Uprobe { path: "/bin/app", symbol: "", offset: 4112, ret: false, pid: None }
    "#]],
    );
    let options = Options { pid: Some(7), ..Options::default() };
    expect![[r#"
        1 uprobe:/bin/app:main Uprobe { path: "/bin/app", symbol: "main", offset: 4096, ret: false, pid: Some(7) }
        stdin:1:15-26: ERROR: nothing matches uprobe:/proc/7/exe:main
        uprobe:*:main,uprobe:main {}
                      ~~~~~~~~~~~
        HINT: failed to open '/proc/7/exe': No such file or directory
    "#]].assert_eq(&shown("uprobe:*:main,uprobe:main", &options));
}

#[test]
fn static_probes_with_all_their_places() {
    check(
        "usdt:/bin/app:shop:open,U:/bin/app:sh*:*",
        &expect![[r#"
            1 usdt:/bin/app:shop:open Usdt { path: "/bin/app", place: StaticPlace { offset: 4096, address: 4198400, semaphore: None, arguments: "-4@%eax 8@-8(%rsp,%rax,4)" }, pid: None }
            1 usdt:/bin/app:shop:open Usdt { path: "/bin/app", place: StaticPlace { offset: 4352, address: 4198656, semaphore: Some(12288), arguments: "-4@$7 8@main+8(%rip)" }, pid: None }
            1 usdt:/bin/app:shop:open Usdt { path: "/bin/app", place: StaticPlace { offset: 4480, address: 4198784, semaphore: Some(12288), arguments: "-4@%eax 8@%rsp" }, pid: None }
            2 usdt:/bin/app:shop:close Usdt { path: "/bin/app", place: StaticPlace { offset: 4608, address: 4198912, semaphore: None, arguments: "" }, pid: None }
            3 usdt:/bin/app:shop:open Usdt { path: "/bin/app", place: StaticPlace { offset: 4096, address: 4198400, semaphore: None, arguments: "-4@%eax 8@-8(%rsp,%rax,4)" }, pid: None }
            3 usdt:/bin/app:shop:open Usdt { path: "/bin/app", place: StaticPlace { offset: 4352, address: 4198656, semaphore: Some(12288), arguments: "-4@$7 8@main+8(%rip)" }, pid: None }
            3 usdt:/bin/app:shop:open Usdt { path: "/bin/app", place: StaticPlace { offset: 4480, address: 4198784, semaphore: Some(12288), arguments: "-4@%eax 8@%rsp" }, pid: None }
        "#]],
    );
    let pid = Options { pid: Some(7), ..Options::default() };
    expect![[r#"
        1 usdt:/bin/app:shop:close Usdt { path: "/bin/app", place: StaticPlace { offset: 4608, address: 4198912, semaphore: None, arguments: "" }, pid: Some(7) }
        2 usdt:/bin/app:shop:close Usdt { path: "/bin/app", place: StaticPlace { offset: 4608, address: 4198912, semaphore: None, arguments: "" }, pid: Some(7) }
        3 usdt:/bin/app:shop:close Usdt { path: "/bin/app", place: StaticPlace { offset: 4608, address: 4198912, semaphore: None, arguments: "" }, pid: Some(7) }
    "#]].assert_eq(&shown("usdt:close,usdt::shop:close,usdt:*:close", &pid));
    let command = Options { command: Some("/bin/made".into()), ..Options::default() };
    expect![[r#"
        1 usdt:/bin/made:shop:close Usdt { path: "/bin/made", place: StaticPlace { offset: 4608, address: 4198912, semaphore: None, arguments: "" }, pid: None }
        2 usdt:/bin/made:shop:close Usdt { path: "/bin/made", place: StaticPlace { offset: 4608, address: 4198912, semaphore: None, arguments: "" }, pid: None }
    "#]].assert_eq(&shown("usdt:close,usdt:*::close", &command));
    expect![[r#"
        1 usdt:/bin/app:shop:close Usdt { path: "/bin/app", place: StaticPlace { offset: 4608, address: 4198912, semaphore: None, arguments: "" }, pid: None }
    "#]].assert_eq(&shown("usdt:*:close", &Options::default()));
}

#[test]
fn lists_of_objects() {
    let iterators = "iter:task,it:task:list,iter:task:/mnt/list";
    check(
        iterators,
        &expect![[r#"
        1 iter:task Iterator { name: "task", function: BtfFunction { module: "vmlinux", id: 5 }, pin: None, pid: None }
        2 iter:task:/sys/fs/bpf/list Iterator { name: "task", function: BtfFunction { module: "vmlinux", id: 5 }, pin: Some("/sys/fs/bpf/list"), pid: None }
        3 iter:task:/mnt/list Iterator { name: "task", function: BtfFunction { module: "vmlinux", id: 5 }, pin: Some("/mnt/list"), pid: None }
    "#]],
    );
    let pid = Options { pid: Some(7), ..Options::default() };
    expect![[r#"
        1 iter:task Iterator { name: "task", function: BtfFunction { module: "vmlinux", id: 5 }, pin: None, pid: Some(7) }
    "#]].assert_eq(&shown("iter:task", &pid));
    check_errors(
        &["iter", "iter:", "iter:task:", "iter:t*", "iter:task:a*", "iter:a:b:c", "iter:nosuch"],
        &expect![[r#"
            stdin:1:1-5: ERROR: iter takes 1 or 2 parts after its colon, not 0
              HINT: forms: iter:NAME[:PIN]
            stdin:1:1-6: ERROR: iter: a name is empty
              HINT: forms: iter:NAME[:PIN]
            stdin:1:1-11: ERROR: iter: a name is empty
              HINT: forms: iter:NAME[:PIN]
            stdin:1:1-8: ERROR: iter takes no wildcards: each list has objects of its own kind
              HINT: forms: iter:NAME[:PIN]
            stdin:1:1-13: ERROR: iter takes no wildcards: each list has objects of its own kind
              HINT: forms: iter:NAME[:PIN]
            stdin:1:1-11: ERROR: iter takes 1 or 2 parts after its colon, not 3
              HINT: forms: iter:NAME[:PIN]
            stdin:1:1-12: ERROR: nothing matches iter:nosuch
              HINT: no struct or union 'bpf_iter__nosuch'
        "#]],
    );
    expect![[r#"
        stdin:1:1-9: ERROR: -p leaves nothing of iter:map: its objects belong to no process
        iter:map {}
        ~~~~~~~~
        HINT: forms: iter:NAME[:PIN]
    "#]]
    .assert_eq(&shown("iter:map", &pid));
}

#[test]
fn places_in_memory() {
    check(
        "watchpoint:0x1000:8:w,w:4096:1:rw,w:0xffffffff81000000:4:x",
        &expect![[r#"
        1 watchpoint:0x1000:8:w Watchpoint { address: 4096, length: 8, access: Write }
        2 watchpoint:4096:1:rw Watchpoint { address: 4096, length: 1, access: ReadWrite }
        3 watchpoint:0xffffffff81000000:4:x Watchpoint { address: 18446744071578845184, length: 4, access: Execute }
    "#]],
    );
    check_errors(
        &["w:1:1", "w:0:8:w", "w:x:8:w", "w:8:3:w", "w:8:x:w", "w:8:8:r", "w:8:8:wx", "w:8:8:"],
        &expect![[r#"
            stdin:1:1-6: ERROR: watchpoint takes 3 parts after its colon, not 2
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
            stdin:1:1-8: ERROR: watchpoint: the address is 0
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
            stdin:1:1-8: ERROR: the address cannot be read: not a number: x
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
            stdin:1:1-8: ERROR: watchpoint: 3 bytes cannot be watched, but 1, 2, 4 or 8 can
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
            stdin:1:1-8: ERROR: the length cannot be read: not a number: x
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
            stdin:1:1-8: ERROR: x86-64 cannot watch reads alone
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
              HINT: rw watches reads and writes
            stdin:1:1-9: ERROR: there is no mode 'wx'
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
              HINT: w writes, rw reads and writes, x executes
            stdin:1:1-7: ERROR: there is no mode ''
              HINT: forms: watchpoint:ADDRESS:LENGTH:MODE
              HINT: w writes, rw reads and writes, x executes
        "#]],
    );
}

#[test]
fn labels_and_parameters() {
    let options =
        Options { params: vec!["vfs_read".into(), "5".into()], allow_unsafe: true, ..Options::default() };
    expect![[r#"
        1 mine Kprobe { func: "vfs_read", module: None, offset: 0, ret: false }
        2 interval:s:5 Interval(Nanos(5000000000))
        3 kprobe:65535 Kprobe { func: "", module: None, offset: 65535, ret: false }
    "#]]
    .assert_eq(&shown("mine=kprobe:$1,interval:s:$2,kprobe:0xffff", &options));
}

#[test]
fn wrong_kernel_functions() {
    check_errors(
        &[
            "kprobe:nosuch",
            "kprobe:nft:vfs_read",
            "kprobe:vfs_read+5",
            "kprobe:vfs_read+x",
            "kprobe:vfs_read+1+2",
            "kprobe:vfs_*+4",
            "kprobe:a:b:c",
            "kprobe:",
            "kprobe:0x1234",
            "kretprobe:vfs_read+4",
            "kretprobe@a.c:1",
            "kprobe@a.c:10",
            "kprobe@a.c:x",
            "kprobe@a.c",
        ],
        &expect![[r#"
            stdin:1:1-14: ERROR: nothing matches kprobe:nosuch
            stdin:1:1-20: ERROR: nothing matches kprobe:nft:vfs_read
            stdin:1:1-18: ERROR: vfs_read+5 is in the middle of an instruction
              HINT: the nearest are +4 and +8
            stdin:1:1-18: ERROR: the offset cannot be read: not a number: x
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
            stdin:1:1-20: ERROR: more than one offset is given
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
            stdin:1:1-15: ERROR: with an offset the function is named in full, without wildcards
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
            stdin:1:1-13: ERROR: kprobe takes 1 or 2 parts after its colon, not 3
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
            stdin:1:1-8: ERROR: kprobe: no function or address is named
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
            stdin:1:1-14: ERROR: nothing checks a bare address: only --unsafe allows it
              HINT: name the function instead, with an offset where needed: FUNC+OFFSET
            stdin:1:1-21: ERROR: kretprobe takes no offset
              HINT: forms: kretprobe[:MODULE]:FUNC, kretprobe:ADDRESS
              HINT: return probes fire where the function returns
            stdin:1:1-16: ERROR: kretprobe takes no source line
              HINT: forms: kretprobe[:MODULE]:FUNC, kretprobe:ADDRESS
            stdin:1:1-14: ERROR: nothing matches kprobe:a.c:10
              HINT: no code at a.c:10
            stdin:1:1-13: ERROR: the line cannot be read: not a number: x
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
            stdin:1:1-11: ERROR: a source line is written @FILE:LINE or @FILE:LINE:COLUMN
              HINT: forms: kprobe[:MODULE]:FUNC, kprobe[:MODULE]:FUNC+OFFSET, kprobe:ADDRESS, kprobe@FILE:LINE[:COLUMN], kprobe@MODULE:FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC@FILE:LINE[:COLUMN], kprobe[:MODULE]:FUNC(TYPE)
        "#]],
    );
}

#[test]
fn wrong_others() {
    check_errors(
        &[
            "kprob:f",
            "foo:bar",
            "k*:f",
            "fentry:f",
            "kfunc:f",
            "begin:x",
            "self:signal:SIGFOO",
            "self:x:y",
            "interval:s:0",
            "interval:x:1",
            "interval:99",
            "interval:s",
            "i:s:10000000000000",
            "profile:hz:x",
            "software:nosuch",
            "hardware:*",
            "tracepoint:sched",
            "tracepoint:sched:nosuch",
            "tracepoint:no*:*",
            "rawtracepoint:nosuch",
            "uprobe:/bin/nosuch:f",
            "uprobe:/bin/app:nosuch",
            "uprobe:f",
            "uretprobe:/bin/app:main+4",
            "uprobe:/bin/app@a.c:1",
            "usdt:/bin/nosuch:f",
            "usdt:/bin/app:nosuch",
            "usdt:open",
            "usdt::shop:open",
            "usdt:/bin/app:",
            "usdt:/bin/app:shop:open:more",
            "usdt:/bin/app:open@a.c:1",
            "interval:s:$x",
        ],
        &expect![[r#"
            stdin:1:1-8: ERROR: there is no probe type 'kprob'
              HINT: did you mean 'kprobe'?
            stdin:1:1-8: ERROR: there is no probe type 'foo'
            stdin:1:1-5: ERROR: there is no probe type 'k*'
              HINT: wildcards in the type of a probe are for listing only
            stdin:1:1-9: ERROR: nothing matches fentry:f
              HINT: no kernel function 'f'
              HINT: kprobe and kretprobe need no types
            stdin:1:1-8: ERROR: nothing matches fentry:f
              HINT: no kernel function 'f'
              HINT: kprobe and kretprobe need no types
            stdin:1:1-8: ERROR: begin takes 0 parts after its colon, not 1
              HINT: forms: begin
            stdin:1:1-19: ERROR: self cannot wait for the signal 'SIGFOO'
              HINT: forms: self:signal:SIGUSR1
            stdin:1:1-9: ERROR: self waits for signals, not for 'x'
              HINT: forms: self:signal:SIGUSR1
            stdin:1:1-13: ERROR: interval needs a number above 0
              HINT: forms: interval:TIME, interval:us:N, interval:ms:N, interval:s:N, interval:hz:N
            stdin:1:1-13: ERROR: 'x' is not a unit of time: they are s, ms, us and hz
              HINT: forms: interval:TIME, interval:us:N, interval:ms:N, interval:s:N, interval:hz:N
            stdin:1:1-12: ERROR: interval every 99 nanoseconds is too often: at least 1000 lie between two
              HINT: forms: interval:TIME, interval:us:N, interval:ms:N, interval:s:N, interval:hz:N
              HINT: write interval:hz:99 for a frequency
            stdin:1:1-11: ERROR: the time of interval cannot be read: not a number: s
              HINT: forms: interval:TIME, interval:us:N, interval:ms:N, interval:s:N, interval:hz:N
            stdin:1:1-19: ERROR: interval period is too long: 10000000000000s
              HINT: forms: interval:TIME, interval:us:N, interval:ms:N, interval:s:N, interval:hz:N
            stdin:1:1-13: ERROR: the time of profile cannot be read: not a number: x
              HINT: forms: profile:TIME, profile:us:N, profile:ms:N, profile:s:N, profile:hz:N
            stdin:1:1-16: ERROR: no software event is called 'nosuch'
              HINT: events: alignment-faults, bpf-output, context-switches, cpu-clock, cpu-migrations, dummy, emulation-faults, major-faults, minor-faults, page-faults, task-clock
            stdin:1:1-11: ERROR: hardware takes no wildcards
              HINT: forms: hardware:EVENT[:COUNT]
            stdin:1:1-17: ERROR: tracepoint takes 2 parts after its colon, not 1
              HINT: forms: tracepoint:CATEGORY:EVENT
            stdin:1:1-24: ERROR: nothing matches tracepoint:sched:nosuch
              HINT: no tracepoint 'sched:nosuch'
            stdin:1:1-17: ERROR: nothing matches tracepoint:no*:*
            stdin:1:1-21: ERROR: nothing matches rawtracepoint:nosuch
            stdin:1:1-21: ERROR: nothing matches uprobe:/bin/nosuch:f
              HINT: failed to open '/bin/nosuch': No such file or directory
            stdin:1:1-23: ERROR: nothing matches uprobe:/bin/app:nosuch
            stdin:1:1-9: ERROR: uprobe takes 2 or 3 parts after its colon, not 1
              HINT: forms: uprobe:BINARY:FUNC, uprobe:BINARY:FUNC+OFFSET, uprobe:BINARY:ADDRESS, uprobe:BINARY@FILE:LINE[:COL]
            stdin:1:1-26: ERROR: uretprobe takes no offset
              HINT: forms: uretprobe:BINARY:FUNC, uretprobe:BINARY:ADDRESS
              HINT: return probes fire where the function returns
            stdin:1:1-22: ERROR: nothing matches uprobe:/bin/app@a.c:1
              HINT: there is no code on a.c:1
            stdin:1:1-19: ERROR: nothing matches usdt:/bin/nosuch:f
              HINT: no program or library is found at '/bin/nosuch'
            stdin:1:1-21: ERROR: nothing matches usdt:/bin/app:nosuch
            stdin:1:1-10: ERROR: usdt takes 2 or 3 parts after its colon, not 1
              HINT: forms: usdt:BINARY[:PROVIDER]:NAME, usdt:NAME
              HINT: without a binary the probe is looked for in the process of -p or the program of -c
            stdin:1:1-16: ERROR: usdt: no program or library is named
              HINT: forms: usdt:BINARY[:PROVIDER]:NAME, usdt:NAME
              HINT: usdt:*:PROVIDER:NAME looks into every file that a process runs
            stdin:1:1-15: ERROR: usdt: no probe is named
              HINT: forms: usdt:BINARY[:PROVIDER]:NAME, usdt:NAME
            stdin:1:1-29: ERROR: usdt takes 2 or 3 parts after its colon, not 4
              HINT: forms: usdt:BINARY[:PROVIDER]:NAME, usdt:NAME
            stdin:1:1-25: ERROR: usdt takes no source line
              HINT: forms: usdt:BINARY[:PROVIDER]:NAME, usdt:NAME
            stdin:1:1-14: ERROR: a number belongs after the '$' of '$x', as in $1; for a plain '$' put this part in quotes
        "#]],
    );
}

#[test]
fn what_does_not_exist_is_told_from_what_is_wrong() {
    let error = |text: &str| {
        let (script, _) = parse(&Source::new("stdin", &format!("{text} {{}}")), 0);
        let spec = &script.probes[0].attach[0];
        resolve(spec, &Fixture::new(), &Options::default(), &mut 0).unwrap_err()
    };
    assert!(matches!(error("kprobe:nosuch"), Refusal::Missing(_)));
    assert!(matches!(error("kprobe:a:b:c"), Refusal::Wrong(_)));
    assert!(matches!(error("kprobe:vfs_read+5"), Refusal::Wrong(_)));
}

#[test]
fn every_supported_kind_has_a_provider() {
    for kind in rbtrace_stdlib::PROBES {
        let provided = super::PROVIDERS.iter().any(|p| p.names().contains(&kind.name));
        assert!(provided, "{}", kind.name);
    }
}

#[test]
fn one_attach_point_for_each_parameter() {
    let given = Options { params: vec!["vfs_read".into(), "vfs_open".into()], ..Options::default() };
    expect![[r#"
        1 kretprobe:vfs_read Kprobe { func: "vfs_read", module: None, offset: 0, ret: true }
        2 kretprobe:vfs_open Kprobe { func: "vfs_open", module: None, offset: 0, ret: true }
    "#]]
    .assert_eq(&shown("kretprobe:$*", &given));
    expect![[r#"
        stdin:1:1-13: ERROR: $* stands for the script's parameters: none was given
        kretprobe:$* {}
        ~~~~~~~~~~~~
    "#]]
    .assert_eq(&shown("kretprobe:$*", &Options::default()));
}

#[test]
fn source_lines_of_programs() {
    check(
        "uprobe:/bin/app@work.c:10,u:/bin/app:work@work.c:10:3",
        &expect![[r#"
        1 uprobe:/bin/app:work+4 Uprobe { path: "/bin/app", symbol: "work", offset: 4356, ret: false, pid: None }
        2 uprobe:/bin/app:work+4 Uprobe { path: "/bin/app", symbol: "work", offset: 4356, ret: false, pid: None }
    "#]],
    );
    check_errors(
        &[
            "uprobe:/bin/app@work.c:11",
            "uretprobe:/bin/app@work.c:10",
            "uprobe:/bin/*@work.c:10",
            "uprobe:/bin/app@work.c",
            "uprobe@work.c:10",
        ],
        &expect![[r#"
            stdin:1:1-26: ERROR: nothing matches uprobe:/bin/app@work.c:11
              HINT: there is no code on work.c:11
            stdin:1:1-29: ERROR: uretprobe takes no source line
              HINT: forms: uretprobe:BINARY:FUNC, uretprobe:BINARY:ADDRESS
            stdin:1:1-24: ERROR: with a source line the program and the function are named in full, without wildcards
              HINT: forms: uprobe:BINARY:FUNC, uprobe:BINARY:FUNC+OFFSET, uprobe:BINARY:ADDRESS, uprobe:BINARY@FILE:LINE[:COL]
            stdin:1:1-23: ERROR: a source line is written @FILE:LINE or @FILE:LINE:COLUMN
              HINT: forms: uprobe:BINARY:FUNC, uprobe:BINARY:FUNC+OFFSET, uprobe:BINARY:ADDRESS, uprobe:BINARY@FILE:LINE[:COL]
            stdin:1:1-17: ERROR: uprobe takes 1 or 2 parts after its colon, not 0
              HINT: forms: uprobe:BINARY:FUNC, uprobe:BINARY:FUNC+OFFSET, uprobe:BINARY:ADDRESS, uprobe:BINARY@FILE:LINE[:COL]
        "#]],
    );
}

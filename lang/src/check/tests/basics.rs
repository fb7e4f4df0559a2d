//! The first programs.

use super::*;

#[test]
fn hello() {
    check(
        "begin { printf(\"hello %d %s\\n\", pid, comm); exit(); }",
        expect![[r#"
            probe begin#0 (Unknown)
              Printf([Text("hello "), Conv(Conv { left: false, zero: false, plus: false, space: false, alt: false, width: None, precision: None, size: 4, kind: Signed }), Text(" "), Conv(Conv { left: false, zero: false, plus: false, space: false, alt: false, width: None, precision: None, size: 4, kind: Str }), Text("\n")])(pid, comm)
              exit()
        "#]],
    );
}

#[test]
fn count_by_comm() {
    check(
        "kprobe:vfs_read /pid == 5/ { @[comm] = count(); }",
        expect![[r#"
            map @[string[16]]: count_t (4096 entries)
            probe kprobe:vfs_read#0 (Kernel)
              if not (pid == 5:uint32): return
              @[comm] = count()
        "#]],
    );
}

#[test]
fn tracepoint_arguments() {
    check(
        "tracepoint:syscalls:sys_enter_openat { printf(\"%s\\n\", str(args.filename)); @[args.flags & 3]++ }",
        expect![[r#"
            map @[uint64]: int64 (4096 entries)
            probe tracepoint:syscalls:sys_enter_openat#0 (User)
              Printf([Conv(Conv { left: false, zero: false, plus: false, space: false, alt: false, width: None, precision: None, size: 4, kind: Str }), Text("\n")])(str(field@24:int8 *):string[1024])
              (@[(field@32:uint64 & 3:uint64)] +1)
        "#]],
    );
}

#[test]
fn latency() {
    check(
        "kprobe:vfs_read { @start[tid] = nsecs; }
kretprobe:vfs_read /@start[tid]/ { @ns[comm] = hist(nsecs - @start[tid]); delete(@start, tid); }",
        expect![[r#"
            map @start[uint32]: uint64 (4096 entries)
            map @ns[string[16]]: hist_t (4096 entries)
            probe kprobe:vfs_read#0 (Kernel)
              @start[tid] = nsecsboot
            probe kretprobe:vfs_read#1 (Kernel)
              if not (bool)@start[tid]: return
              @ns[comm] = hist(((int64)nsecsboot - (int64)@start[tid]))
              delete @start[tid]
        "#]],
    );
}

//! Structs, unions, bit fields, arrays, pointers, tuples.

use super::*;

#[test]
fn members_are_found_through_pointers_and_anonymous_structs() {
    check(
        "kprobe:vfs_read { $t = (struct task *)arg0; print($t.pid); print($t->parent->pid); print($t.parent.comm); \
         print($t.flag_b); print($t.u.half); print($t.list[2]); print(str($t.name)); print((*$t).pid); $c = *$t; print($c.comm); print($t.comm[0]); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
              local $t.0: struct task *
              local $c.1: struct task
              $t.0 = (struct task *)arg0
              Print(*$t.0@0:uint32)
              Print(**$t.0@24:struct task *@0:uint32)
              Print(as<string[16]>(**$t.0@24:struct task *@4:int8[16]))
              Print(*$t.0@32/1:3:uint8)
              Print(*$t.0@40:union @0:uint32)
              Print(*$t.0@48:int32[4][2:int64])
              Print(str(*$t.0@64:int8 *):string[1024])
              Print(*$t.0@0:uint32)
              $c.1 = *$t.0
              Print(as<string[16]>($c.1@4:int8[16]))
              Print(*$t.0@4:int8[16][0:int64])
        "#]],
    );
}

#[test]
fn unknown_members_offer_near_ones() {
    assert_eq!(
        messages(
            "kprobe:vfs_read { $t = (struct task *)arg0; print($t.pidd); print(arg0.x); print($t.pid.x); }"
        ),
        "ERROR: 'struct task' has no field 'pidd'\n\
         HINT: did you mean 'pid'?\n\
         ERROR: 'uint64' has no fields, so no 'x'\n\
         HINT: cast it first: ((struct NAME *)x).x\n\
         ERROR: 'uint32' has no fields, so no 'x'\n\
         HINT: cast it first: ((struct NAME *)x).x\n"
    );
}

#[test]
fn structs_of_the_script_are_laid_out_as_c_does() {
    check(
        "struct B { char a; struct { int y; char z; }; int bf:3; int bg:30; unsigned long long h:40; char s[8]; struct B *next; } \
         struct P { char a; int b; } __attribute__((packed)); union U { int i; char c[6]; } \
         kprobe:vfs_read { $b = (struct B *)arg0; print(sizeof(struct B)); print(sizeof(struct P)); print(sizeof(union U)); \
         print($b.y); print($b.bf); print($b.bg); print($b.h); print($b.s); print($b.next.a); print(offsetof(struct B, next)); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
              local $b.0: struct B *
              $b.0 = (struct B *)arg0
              Print(48:int8)
              Print(5:int8)
              Print(8:int8)
              Print(*$b.0@4:int32)
              Print(*$b.0@12/0:3:int32)
              Print(*$b.0@16/0:30:int32)
              Print(*$b.0@24/0:40:uint64)
              Print(as<string[8]>(*$b.0@29:int8[8]))
              Print(**$b.0@40:struct B *@0:int8)
              Print(40:int8)
        "#]],
    );
}

#[test]
fn a_struct_cannot_hold_itself() {
    assert!(
        messages("struct A { struct A x; } begin { print(sizeof(struct A)); }").contains("contains itself")
    );
}

#[test]
fn indices_are_checked_where_they_are_known() {
    assert_eq!(
        messages(
            "kprobe:vfs_read { $t = (struct task *)arg0; print($t.list[5]); print((1, 2)[7]); print((1, 2).2); print(pid[0]); }"
        ),
        "ERROR: there is no element 5: the array has 4, counted from 0\n\
         ERROR: there is no field 7: the tuple has 2, counted from 0\n\
         ERROR: there is no field 2: the tuple has 2, counted from 0\n\
         ERROR: uint32 has no elements: arrays, pointers, texts and tuples have\n"
    );
    check(
        "kprobe:vfs_read { $t = (struct task *)arg0; $i = (uint8)arg1; print($t.list[$i]); print($t[1].pid); print((1, \"a\")[1 - 1]); }",
        expect![[r#"
            probe kprobe:vfs_read#0 (Kernel)
              local $t.0: struct task *
              local $i.1: uint8
              $t.0 = (struct task *)arg0
              $i.1 = (uint8)arg1
              Print(*$t.0@48:int32[4][(int64)$i.1])
              Print(*($t.0 + 1:int64*72)@0:uint32)
              Print((1:int8, "a":string[2]).0)
        "#]],
    );
}

#[test]
fn pointers_step_by_what_they_point_to() {
    check(
        "begin { $p = (int32 *)1000; $q = $p + 2; $q -= 1; $q++; print(*$q); print($q - $p); print($p == 0); if ($p && !$q) { } print(&$p); }",
        expect![[r#"
            probe begin#0 (Unknown)
              local $p.0: int32 *
              local $q.1: int32 *
              $p.0 = (int32 *)1000:int16
              $q.1 = ($p.0 + 2:int64*4)
              $q.1 = ($q.1 + -1:int64*4)
              ($q.1 +4)
              Print(*$q.1)
              Print(($q.1 - $p.0)/4)
              Print(((uint64)$p.0 == 0:uint64))
              if ((bool)$p.0 && !(bool)$q.1)
              Print(&$p.0)
        "#]],
    );
    assert_eq!(
        messages("begin { $p = (int32 *)1; print($p * 2); print(*(void *)1); print(*\"a\"); }"),
        "ERROR: '*' does not work on int32 * and int8\n\
         HINT: cast the pointer to uint64 to compute with its address\n\
         ERROR: '*' cannot read from 'void *': what it points to is not known\n\
         HINT: cast it first: *(uint64 *)x\n\
         ERROR: '*' reads where a pointer points: 'string[2]' is not one\n"
    );
}

#[test]
fn address_spaces_follow_the_probe_and_the_functions() {
    use crate::types::AddrSpace;
    let space = |script: &str| {
        let source = Source::new("stdin", script);
        let (ast, _) = crate::parse(&source, 0);
        let program = crate::check(&ast, vec![source], &Fixture::new(), &Options::default()).0;
        match &program.map(crate::hir::MapId(0)).value {
            crate::types::Type::Ptr { space, .. } => *space,
            other => panic!("{other} is no pointer"),
        }
    };
    assert_eq!(space("kprobe:vfs_read { @ = (int8 *)arg0; }"), AddrSpace::Kernel);
    assert_eq!(space("uprobe:/bin/app:main { @ = (int8 *)arg0; }"), AddrSpace::User);
    assert_eq!(space("kprobe:vfs_read { @ = uptr((int8 *)arg0); }"), AddrSpace::User);
    assert_eq!(space("uprobe:/bin/app:main { @ = (int8 *)kptr(arg0); }"), AddrSpace::Kernel);
    assert_eq!(space("uprobe:/bin/app:main { @ = ((struct task *)arg0).parent; }"), AddrSpace::User);
    assert_eq!(space("kprobe:vfs_read { @ = ((struct task *)uptr(arg0)).parent.parent; }"), AddrSpace::User);
    assert_eq!(space("tracepoint:syscalls:sys_enter_openat { @ = args.filename; }"), AddrSpace::User);
    // What lies in a map the verifier does not follow.
    assert_eq!(space("begin { @ = &@x; @x = 1; }"), AddrSpace::Kernel);
    assert_eq!(space("kprobe:vfs_read { @ = ctx; }"), AddrSpace::Kernel);
    assert_eq!(space("kprobe:vfs_read { $c = ctx; $c++; @ = &$c; }"), AddrSpace::Kernel);
}

#[test]
fn arguments_of_functions_of_programs_lie_where_the_system_says() {
    check(
        "uprobe:/bin/app:work { print(args.n); print(args.dev.name); print(args.pair.name); print(args.large.name); \
         print(((struct order *)arg0).count); }",
        expect![[r#"
            probe uprobe:/bin/app:work#0 (User)
              Print((int32)arg0)
              Print(as<string[16]>(*(struct net_device *)arg1@0:int8[16]))
              Print(as<string[16]>(as<struct net_device>((arg2, arg3))@0:int8[16]))
              Print(as<string[16]>(*(struct net_device *)(reg@152:8 + 8:uint64)@0:int8[16]))
              Print(*(struct order *)arg0@0:int32)
        "#]],
    );
    assert_eq!(
        messages("uprobe:/bin/app:work { print(args.ratio); print(args.m); print((struct ordr *)arg0); }"),
        "ERROR: args.ratio cannot be read: it is passed in a floating-point register\n\
         ERROR: the function has no parameter 'm'\n\
         HINT: did you mean 'n'?\n\
         ERROR: there is no type 'struct ordr'\n"
    );
    assert_eq!(
        messages("uprobe:/bin/app:main { print(args.n); }"),
        "ERROR: the parameters of this function of /bin/app are not known\n"
    );
    assert!(messages("uretprobe:/bin/app:work { print(args.n); }").contains("HINT: store it in a map"));
    // What is of the program is so in its probes only.
    assert_eq!(
        messages("kprobe:vfs_read { print(((struct order *)arg0).count); }"),
        "ERROR: there is no type 'struct order'\n"
    );
}

//! Each `tests/lower/*.bt` has beside it what it is lowered to; `BLESS=1` rewrites that.

mod common;

use common::{kernel_of, script};
use rbtrace_codegen::compile;
use rbtrace_codegen::disasm;
use rbtrace_codegen::ir::Helper;
use rbtrace_codegen::kernel::{Feature, Kernel, PidNamespace, TaskIds};
use rbtrace_codegen::lower::{Unit, Units, lower};
use rbtrace_codegen::object::ProgramType;
use rbtrace_codegen::verify::verify;
use rbtrace_lang::hir::ProbeId;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn cases() -> Vec<(PathBuf, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lower");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "bt"));
    files.sort();
    files.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).unwrap())).collect()
}

/// The attach points that a program serves.
fn points(unit: &Unit) -> impl Iterator<Item = &ProbeId> {
    unit.attach.iter().flat_map(|a| &a.points)
}

/// The IR, and what goes with it where there is any.
fn dump(units: &Units) -> String {
    let mut out = String::new();
    for map in &units.maps {
        let (name, kind, key, value) = (&map.name, map.kind, map.key_size, map.value_size);
        writeln!(out, "map {name}: {kind:?} {key} -> {value}, {} entries", map.max_entries).unwrap();
    }
    for (n, record) in units.records.iter().enumerate() {
        let fields: Vec<String> = record.fields.iter().map(|f| format!("{} {}", f.offset, f.ty)).collect();
        writeln!(out, "record {n}: {} bytes: {}", record.size, fields.join(", ")).unwrap();
    }
    for (n, counter) in units.counters.iter().enumerate() {
        writeln!(out, "counter {n}: {:?}", counter.what).unwrap();
    }
    for unit in &units.units {
        let ids: Vec<String> = points(unit).map(|id| id.0.to_string()).collect();
        writeln!(out, "\nprogram {}: {:?} for {}", unit.name, unit.load.ty, ids.join(" ")).unwrap();
        if unit.wants_cookie {
            writeln!(out, "wants a cookie").unwrap();
        }
        out += &unit.module.to_string();
    }
    out
}

#[test]
fn snapshots() {
    let mut failed = vec![];
    for (file, text) in cases() {
        let newest = !text.contains("// old kernel");
        let units = lower(&script::typed(&text), &kernel_of(newest)).unwrap();
        let actual = dump(&units);
        let expected = file.with_extension("ir");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &actual).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != actual {
            failed.push(format!("{}:\n{actual}", expected.display()));
        }
    }
    assert!(failed.is_empty(), "not as expected (BLESS=1 accepts):\n{}", failed.join("\n"));
}

/// What is lowered keeps the invariants of the IR and can be encoded.
#[test]
fn lowered_programs_are_sound() {
    for (file, text) in cases() {
        let newest = !text.contains("// old kernel");
        let program = script::typed(&text);
        for unit in lower(&program, &kernel_of(newest)).unwrap().units {
            verify(&unit.module).unwrap_or_else(|e| panic!("{}: {e}\n{}", file.display(), unit.module));
        }
        let object = compile(&program, &kernel_of(newest)).unwrap();
        assert!(object.programs.iter().all(|p| !p.insns.is_empty()));
    }
}

/// What this kernel cannot do is an error at its place.
#[test]
fn missing_features_are_told() {
    let told = |text: &str| {
        let errors = compile(&script::typed(text), &kernel_of(false)).unwrap_err();
        errors.iter().map(|e| e.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        told("begin { @a[1] = 1; for ($kv : @a) { print($kv.0); } }"),
        ["This kernel cannot loop over maps (5.13 or newer can)"]
    );
    assert_eq!(
        told("begin { @a = max(1); print(@a + 1); }"),
        ["@a is collected per CPU, and this kernel cannot sum it up in a probe"]
    );
}

/// Attach points of one body share a program where the kernel tells them apart.
#[test]
fn programs_for_attach_points() {
    let programs = |text: &str, newest| {
        let units = lower(&script::typed(text), &kernel_of(newest)).unwrap().units;
        units.into_iter().map(|u| (points(&u).count(), u.wants_cookie)).collect::<Vec<_>>()
    };
    assert_eq!(programs("kprobe:vfs_* { @[probe] = count(); }", true), [(3, true)]);
    assert_eq!(programs("kprobe:vfs_* { @[probe] = count(); }", false), [(1, false); 3]);
    assert_eq!(programs("kprobe:vfs_* { @ = count(); }", false), [(3, false)]);
    assert_eq!(programs("kprobe:vfs_read, kretprobe:vfs_read { @ = count(); }", true), [(1, false); 2]);
    assert_eq!(programs("begin, end { @ = 1; }", true), [(1, false); 2]);
}

/// Linux 5.10, where every function begins at one address.
struct Old;

impl Kernel for Old {
    fn can_call(&self, program: ProgramType, helper: Helper) -> bool {
        kernel_of(false).can_call(program, helper)
    }

    fn has(&self, feature: Feature) -> bool {
        kernel_of(false).has(feature)
    }

    fn ncpus(&self) -> u32 {
        2
    }

    fn pid_namespace(&self) -> Option<PidNamespace> {
        None
    }

    fn function(&self, _module: Option<&str>, _name: &str) -> Option<u64> {
        Some(0xffff_ffff_8100_0000)
    }
}

/// Before 5.15 the kernel does not say which function a return probe belongs to.
#[test]
fn functions_that_return_on_old_kernels() {
    let text = "kretprobe:vfs_* { @[func] = count(); }";
    let units = lower(&script::typed(text), &Old).unwrap().units;
    assert_eq!(units.len(), 3);
    assert!(units[0].module.to_string().contains("const -2130706432"), "{}", units[0].module);
    let errors = compile(&script::typed(text), &kernel_of(false)).unwrap_err();
    assert!(errors[0].message.contains("5.15"), "{}", errors[0].message);
}

/// A kernel that has everything and remembers what it was asked.
#[derive(Default)]
struct Asked(RefCell<BTreeSet<String>>);

impl Kernel for Asked {
    fn can_call(&self, program: ProgramType, helper: Helper) -> bool {
        self.0.borrow_mut().insert(format!("{program:?} {}", helper.0));
        true
    }

    fn has(&self, feature: Feature) -> bool {
        self.0.borrow_mut().insert(format!("{feature:?}"));
        true
    }

    fn ncpus(&self) -> u32 {
        2
    }

    fn pid_namespace(&self) -> Option<PidNamespace> {
        self.0.borrow_mut().insert("namespace".into());
        None
    }

    fn task_ids(&self) -> Option<TaskIds> {
        self.0.borrow_mut().insert("ids".into());
        Some(TaskIds { tgid: 1268, pid: 1264 })
    }
}

const OPENAT: &str = "tracepoint:syscalls:sys_enter_openat { printf(\"%d %d\", pid, tid); }";

/// A program that fetches the task to recognize 32-bit callers also reads `pid` and `tid` from it.
#[test]
fn the_task_gives_its_numbers() {
    let text = |kernel: &dyn Kernel| {
        let object = compile(&script::typed(OPENAT), kernel).unwrap();
        disasm::disassemble(&object.programs[0].insns)
    };
    let with = text(&Asked::default());
    assert!(with.contains("+1268)") && with.contains("+1264)") && !with.contains("pid_tgid"), "{with}");
    assert_eq!(with.matches("get_current_task_btf").count(), 1, "{with}");
    let without = text(&kernel_of(true));
    assert!(without.contains("get_current_pid_tgid"), "{without}");
}

/// Every answer is a program that is loaded: what a script does not use is not asked.
#[test]
fn only_what_is_used_is_asked() {
    let asked = |text: &str| {
        let kernel = Asked::default();
        compile(&script::typed(text), &kernel).unwrap();
        kernel.0.take().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(asked("begin { printf(\"hi\\n\"); exit(); }"), [] as [&str; 0]);
    assert_eq!(asked("begin { @ = nsecs; }"), ["TestRun 125"]);
    assert_eq!(asked("kprobe:vfs_read { @[pid] = 1; }"), ["namespace"]);
    assert_eq!(
        asked("begin { @[1] = count(); for ($kv : @) { print($kv.0); } }"),
        ["IsaV4", "TestRun 164", "TestRun 195"]
    );
    assert_eq!(asked(OPENAT), ["RawTracepoint 158", "ids", "namespace"]);
    assert_eq!(asked("begin { $i = 0; while ($i < 5) { $i++; } }"), ["TestRun 181"]);
    assert_eq!(asked("begin { $x = (int64)cpu; print(-$x / 3); }"), ["IsaV4"]);
}

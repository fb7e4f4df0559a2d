//! Emitted code passes this machine's verifier and computes what the IR means. Needs the right to load BPF.

mod common;

use common::{kernel, kernel_of, random, run_ir};
use rbtrace_codegen::backend::Code;
use rbtrace_codegen::emit::task_stack;
use rbtrace_codegen::ir::Scratch;
use rbtrace_codegen::object::ObjMapId;
use rbtrace_codegen::{backend, btf, disasm, text};

/// May this test load programs?
fn permitted() -> bool {
    kernel::map(kernel::ARRAY, 8, 1).is_some()
}

/// Does this kernel have instruction set v4? Found by loading a sign extension.
fn has_v4() -> bool {
    let body = "func main(v0: *ctx) {\nb0:\n  v1: i64 = load.b8 v0[0]\n  v2: i64 = sext.b1 v1\n  ret v2\n}\n";
    let code = backend::finish(&mut text::parse(body).unwrap(), &kernel_of(true)).unwrap();
    kernel::load(&code, &[], None).is_ok()
}

#[test]
fn random_programs_run_in_the_kernel() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    if !permitted() {
        return;
    }
    let v4 = has_v4();
    for seed in number("SEED").map_or(0..number("FUZZ").unwrap_or(150), |s| s..s + 1) {
        let module = random::module(seed, (seed % 5) as usize);
        let mut compiled = module.clone();
        let code = backend::finish(&mut compiled, &kernel_of(v4 && seed % 2 == 0)).unwrap();
        let listing = || format!("SEED={seed}\n{}", disasm::disassemble(&code.insns));
        let prog = kernel::load(&code, &[], None).unwrap_or_else(|e| panic!("{}\n{e}", listing()));
        let ctx = [seed, 0x8000_0000_1234_5678, !seed, 0xffff_ffff];
        let wanted = run_ir::run(&module, &ctx) as u32;
        assert_eq!(kernel::run(&prog, &ctx), Ok(wanted), "{}", listing());
    }
}

/// Slots that do not fit the stack lie in a per-CPU map's value.
#[test]
fn large_slots_live_in_scratch_memory() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let Some(map) = kernel::map(kernel::PERCPU_ARRAY, 16384, 2) else { return };
    let Some(counter) = kernel::map(2, 8, 1) else { return };
    let maps = [map, counter];
    let mut moved = 0;
    let v4 = has_v4();
    for seed in number("SEED").map_or(0..number("FUZZ").unwrap_or(100), |s| s..s + 1) {
        let mut module = random::module_of(seed, 3 + (seed % 5) as usize, 1 + (seed % 19) as u32);
        let preemptible = seed % 2 == 0;
        let crowded = (ObjMapId(1), 0);
        module.scratch = Some(Scratch { map: ObjMapId(0), places: 2, preemptible, crowded });
        let mut compiled = module.clone();
        let code = backend::finish(&mut compiled, &kernel_of(v4 && seed % 2 == 0)).unwrap();
        moved += u32::from(code.scratch_bytes > 0);
        let listing = || format!("SEED={seed}\n{module}\n{}", disasm::disassemble(&code.insns));
        let prog = kernel::load(&code, &maps, None).unwrap_or_else(|e| panic!("{}\n{e}", listing()));
        let ctx = [seed, 0x8000_0000_1234_5678, !seed, 0xffff_ffff];
        let wanted = run_ir::run(&module, &ctx) as u32;
        assert_eq!(kernel::run(&prog, &ctx), Ok(wanted), "{}", listing());
    }
    assert!(moved > 0 || number("SEED").is_some(), "no program used it");
}

#[test]
fn counts_in_a_per_cpu_array() {
    let Some(map) = kernel::map(kernel::PERCPU_ARRAY, 8, 1) else { return };
    let mut module = text::parse(include_str!("ir/count.ir")).unwrap();
    let code = backend::finish(&mut module, &kernel_of(has_v4())).unwrap();
    let maps = [map];
    let prog = kernel::load(&code, &maps, None).unwrap();
    for _ in 0..5 {
        kernel::run(&prog, &[0]).unwrap();
    }
    let values = kernel::element(&maps[0], 8 * 64);
    let sum: u64 = values.chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).sum();
    assert_eq!(sum, 5);
}

/// A callback that adds its index to a sum in its caller's slot, run by `bpf_loop`.
const LOOP: &str = "
func main(v0: *ctx) {
slot s0: 8 align 8
slot s1: 8 align 8 stack
b0:
  v1: *stack = slot s0
  v2: *stack = slot s1
  v3: i64 = const 0
  store.b8 v1[0], v3
  store.b8 v2[0], v1
  v4: i64 = const 10
  v5: *func = func f1
  v6: i64 = call 181(v4, v5, v2, v3)
  v7: i64 = load.b8 v1[0]
  ret v7
}
func add(v0: i64, v1: *callback) {
b0:
  v2: *stack = load.b8 v1[0]
  v3: i64 = load.b8 v2[0]
  v4: i64 = add v3, v0
  store.b8 v2[0], v4
  v5: i64 = const 0
  ret v5
}
";

#[test]
fn callbacks_load_with_btf() {
    if !permitted() {
        return;
    }
    let mut module = text::parse(LOOP).unwrap();
    let code = backend::finish(&mut module, &kernel_of(has_v4())).unwrap();
    let source = rbtrace_lang::Source::new("stdin", "BEGIN { }");
    let (btf, infos) = btf::build(&[("begin_1", &code)], &[source]);
    let info = kernel::Info { btf: &btf, funcs: &infos[0].0, lines: &infos[0].1 };
    let prog = kernel::load(&code, &[], Some(&info)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(kernel::run(&prog, &[0]), Ok(45));
}

/// A function that claims scratch memory while the one that calls it has some.
const NESTED: &str = "
func main(v0: *ctx) {
slot s0: 600 align 8
b0:
  v1: *stack = slot s0
  v2: i64 = load.b8 v0[0]
  store.b8 v1[592], v2
  v3: i64 = const 16
  v4: i64 = call 16(v1, v3)
  v5: i64 = call f1(v0)
  v6: i64 = load.b8 v1[592]
  v7: i64 = add v5, v6
  ret v7
}
func inner(v0: *ctx) {
slot s0: 600 align 8
b0:
  v1: *stack = slot s0
  v2: i64 = load.b8 v0[8]
  store.b8 v1[592], v2
  v3: i64 = const 16
  v4: i64 = call 16(v1, v3)
  v5: i64 = load.b8 v1[592]
  ret v5
}
";

#[test]
fn who_finds_no_place_is_counted() {
    for (places, preemptible) in [(1, true), (1, false), (2, true), (2, false)] {
        let Some(map) = kernel::map(kernel::PERCPU_ARRAY, 4096, places) else { return };
        let Some(counter) = kernel::map(2, 8, 1) else { return };
        let maps = [map, counter];
        let mut module = text::parse(NESTED).unwrap();
        let crowded = (ObjMapId(1), 0);
        module.scratch = Some(Scratch { map: ObjMapId(0), places, preemptible, crowded });
        let code = backend::finish(&mut module, &kernel_of(has_v4())).unwrap();
        let prog = kernel::load(&code, &maps, None).unwrap_or_else(|e| panic!("{e}"));
        for runs in 1..4 {
            let (wanted, missed) = if places == 1 { (7, runs) } else { (107, 0) };
            assert_eq!(kernel::run(&prog, &[7, 100]), Ok(wanted));
            assert_eq!(kernel::element(&maps[1], 8), u64::to_le_bytes(missed));
        }
    }
}

/// A function with 512 bytes of stack that calls another with as many: a chain that only stacks of the CPU can hold.
const TWO_FULL_STACKS: [u64; 7] = [0xfe00_0a7a, 0x2_0000_1085, 0xb7, 0x95, 0xfe00_0a7a, 0xb7, 0x95];

#[test]
fn a_program_stays_on_the_stack_of_its_task() {
    let funcs = vec![(0, "main".to_owned()), (4, "inner".to_owned())];
    let spans = vec![rbtrace_lang::Span::default(); 7];
    let mut code = Code { insns: TWO_FULL_STACKS.to_vec(), spans, funcs, ..Code::default() };
    if kernel::load(&code, &[], None).is_err() {
        println!("skipped: no BPF here, or no stacks of the CPU");
        return;
    }
    task_stack::keep(&mut code);
    assert_eq!(code.funcs[1].0, 7);
    let refusal = kernel::load(&code, &[], None).unwrap_err();
    assert!(refusal.contains("combined stack size"), "{refusal}");
    // What fits the task's stack runs as before.
    (code.insns[3], code.insns[7]) = (0xff00_0a7a, 0xff00_0a7a);
    kernel::load(&code, &[], None).unwrap_or_else(|e| panic!("{e}"));
}

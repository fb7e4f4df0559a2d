//! Random functions: what the IR means, what the emitted code computes, and that the allocation checker agrees.
//!
//! `FUZZ=N` tries N programs, `SEED=N` only that one, and prints it.

mod common;

use common::{kernel_of, random, run_bpf, run_ir};
use rbtrace_codegen::passes::demote;
use rbtrace_codegen::{backend, disasm, verify};

#[test]
fn numbers_in_memory_are_the_same_numbers() {
    for seed in 0..400 {
        let module = random::module(seed, (seed % 5) as usize);
        let mut demoted = module.clone();
        demoted.funcs.iter_mut().for_each(|f| demote::run(f, (seed % 4) as usize));
        verify::verify(&demoted).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{demoted}"));
        for input in INPUTS {
            let (wanted, got) = (run_ir::run(&module, &input), run_ir::run(&demoted, &input));
            assert_eq!(got, wanted, "SEED={seed}, input {input:x?}\n{module}\n{demoted}");
        }
    }
}

const INPUTS: [[u64; 4]; 3] = [
    [0; 4],
    [1, 2, 0xffff_ffff_ffff_fffe, 77],
    [0x8000_0000_0000_0000, 0x1234_5678_9abc_def0, 0xffff_ffff, 5],
];

#[test]
fn emitted_code_computes_what_the_ir_means() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seeds = number("SEED").map_or(0..number("FUZZ").unwrap_or(400), |s| s..s + 1);
    for seed in seeds {
        for newest in [false, true] {
            check(seed, newest, number("SEED").is_some());
        }
    }
}

fn check(seed: u64, newest: bool, show: bool) {
    let module = random::module(seed, (seed % 5) as usize);
    let mut compiled = module.clone();
    if show {
        println!("{module}");
    }
    let code = match backend::finish(&mut compiled, &kernel_of(newest)) {
        Ok(code) => code,
        Err(e) => panic!("seed {seed}: {e}\n{module}"),
    };
    if show {
        println!("{compiled}\n{}", disasm::disassemble(&code.insns));
    }
    for input in INPUTS {
        let wanted = run_ir::run(&module, &input);
        let got = run_bpf::run(&code.insns, &input);
        assert_eq!(got, Ok(wanted), "SEED={seed}, newest {newest}, input {input:x?}");
    }
}

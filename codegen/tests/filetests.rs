//! Each `tests/ir/*.ir` has its expected BPF beside it; `BLESS=1` rewrites that.

mod common;

use rbtrace_codegen::{backend, disasm, text};
use std::path::Path;

#[test]
fn disassembly() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ir");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut failed = vec![];
    for file in files.iter().filter(|p| p.extension().is_some_and(|e| e == "ir")) {
        let input = std::fs::read_to_string(file).unwrap();
        let actual = compile(&input, !input.contains("# old kernel"));
        let expected = file.with_extension("bpf");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &actual).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != actual {
            failed.push(format!("{}:\n{actual}", expected.display()));
        }
    }
    assert!(failed.is_empty(), "not as expected (BLESS=1 accepts):\n{}", failed.join("\n"));
}

fn compile(input: &str, newest: bool) -> String {
    let mut module = match text::parse(input) {
        Ok(m) => m,
        Err(e) => return format!("parse error: {e}\n"),
    };
    let again = text::parse(&module.to_string()).expect("printed IR parses");
    assert_eq!(again, module, "printing and parsing gives the same");
    match backend::finish(&mut module, &common::features(newest)) {
        Ok(code) => disasm::disassemble(&code.insns),
        Err(e) => format!("error: {e}\n"),
    }
}

//! Each `tests/ir/*.ir` has what becomes of it beside it, in `*.out`; `BLESS=1` rewrites that.
//!
//! Comment lines say what is shown: `# after: gvn dce` the IR after these passes, otherwise the BPF that is
//! emitted; `# kernel: old` for a kernel like 5.10 instead of the newest.

mod common;

use rbtrace_codegen::{backend, disasm, passes, text, verify};
use std::path::Path;

#[test]
fn files() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ir");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut failed = vec![];
    for file in files.iter().filter(|p| p.extension().is_some_and(|e| e == "ir")) {
        let actual = result(&std::fs::read_to_string(file).unwrap());
        let expected = file.with_extension("out");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &actual).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != actual {
            failed.push(format!("{}:\n{actual}", expected.display()));
        }
    }
    assert!(failed.is_empty(), "not as expected (BLESS=1 accepts):\n{}", failed.join("\n"));
}

fn directive<'a>(input: &'a str, name: &str) -> Option<&'a str> {
    input.lines().find_map(|l| l.strip_prefix("# ")?.strip_prefix(name)).map(str::trim)
}

fn result(input: &str) -> String {
    let mut module = match text::parse(input) {
        Ok(m) => m,
        Err(e) => return format!("parse error: {e}\n"),
    };
    let again = text::parse(&module.to_string()).expect("printed IR parses");
    assert_eq!(again, module, "printing and parsing gives the same");
    let Some(after) = directive(input, "after:") else {
        let newest = directive(input, "kernel:") != Some("old");
        return match backend::finish(&mut module, &common::kernel_of(newest)) {
            Ok(code) => disasm::disassemble_named(&code.insns, &code.relocs, |m| format!("m{}", m.0)),
            Err(e) => format!("error: {e}\n"),
        };
    };
    for name in after.split_whitespace() {
        let pass = passes::by_name(name).unwrap_or_else(|| panic!("no pass {name}"));
        module.funcs.iter_mut().for_each(|f| _ = pass(f, &common::kernel_of(true)));
        verify::verify(&module).unwrap_or_else(|e| panic!("after {name}: {e}"));
    }
    module.to_string()
}

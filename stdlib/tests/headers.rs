//! The constants' values, compared with the headers that are installed here. The kernel's own headers need a
//! configured kernel to be compiled and are not compared.

use rbtrace_stdlib::constants::{Listed, listed};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the compiler says of a C text.
fn compile(text: &str) -> Option<String> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut child = Command::new(compiler)
        .args(["-x", "c", "-w", "-fsyntax-only", "-fmax-errors=0", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn installed(header: &str) -> bool {
    ["/usr/include", "/usr/include/x86_64-linux-gnu"].iter().any(|dir| Path::new(dir).join(header).exists())
}

/// A C text that the compiler takes where the constants have these values. What the header does not define is not
/// compared: it may be older than the list.
fn comparison(header: &str, constants: &[Listed]) -> String {
    // Some headers count on others.
    let before = "#define _GNU_SOURCE\n#include <limits.h>\n#include <time.h>\n#include <sys/socket.h>\n\
                  #include <linux/types.h>\n";
    // Where a macro is not defined, an enum may have the name: that cannot be asked.
    let asserts = constants.iter().map(|c| {
        format!(
            "#ifdef {0}\n_Static_assert((long long)({0}) == {1}LL, \"wrong: {0}\");\n#endif\n",
            c.name, c.value
        )
    });
    format!("{before}#include <{header}>\n{}", asserts.collect::<String>())
}

#[test]
fn values_are_those_of_the_headers() {
    let mut by_header: BTreeMap<&str, Vec<Listed>> = BTreeMap::new();
    for constant in listed().filter(|c| installed(c.header)) {
        by_header.entry(constant.header).or_default().push(constant);
    }
    if compile("int x;").is_none() {
        eprintln!("skipped: no C compiler");
        return;
    }
    let mut compared = 0;
    for (header, constants) in &by_header {
        let said = compile(&comparison(header, constants)).unwrap_or_default();
        assert!(!said.contains("wrong: "), "<{header}>: {said}");
        // A header that cannot be included alone decides nothing.
        compared += if said.contains("error") { 0 } else { constants.len() };
    }
    println!("{compared} constants of {} headers", by_header.len());
    assert!(by_header.is_empty() || compared > 0, "no header could be compiled");
}

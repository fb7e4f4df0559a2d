//! The tables as Markdown, as they stand in docs/ between `<!-- NAME -->` and `<!-- /NAME -->`.

use crate::config::ConfigVar;
use crate::{
    BUILTINS, Builtin, CONFIG, Function, PROBES, ProbeKind, functions, library, supported_functions,
};

/// What makes a table.
pub type Make = fn() -> String;

/// Names of the tables, and what makes each.
pub const TABLES: &[(&str, Make)] = &[
    ("probes", probes),
    ("builtins", builtins),
    ("functions", all_functions),
    ("library", macros),
    ("config", config),
    ("functions not yet", functions_not_yet),
];

/// A Markdown table.
fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    let rule = format!("|{}\n", "---|".repeat(heads.len()));
    row(&heads) + &rule + &rows.map(|cells| row(&cells)).collect::<String>()
}

/// Text in a cell.
fn plain(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Code in a cell.
fn code(text: &str) -> String {
    format!("`{}`", plain(text))
}

fn codes<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

/// A sentence of where something can be used, to follow others.
fn limits(probes: &[&str], kernel: Option<&str>) -> String {
    let mut out = String::new();
    if !probes.is_empty() {
        out += &format!(" Only in {}.", probes.join(", "));
    }
    if let Some(kernel) = kernel {
        out += &format!(" Linux {kernel} and newer.");
    }
    out
}

fn probes() -> String {
    let row = |p: &ProbeKind| {
        vec![
            codes(p.forms.iter().copied()),
            codes(p.short.iter().copied()),
            plain(p.brief) + &limits(&[], p.kernel),
        ]
    };
    table(&["form", "also", "fires"], PROBES.iter().map(row))
}

fn builtins() -> String {
    let row = |b: &Builtin| vec![code(b.name), code(b.ty), plain(b.brief) + &limits(b.probes, None)];
    table(&["name", "type", "what it is"], BUILTINS.iter().map(row))
}

fn all_functions() -> String {
    let row = |f: &Function| {
        let needs = if f.needs_unsafe { " Needs `--unsafe`." } else { "" };
        vec![code(&f.signature()), plain(f.brief) + needs + &limits(f.probes, f.kernel)]
    };
    table(&["function", "what it does"], supported_functions().map(row))
}

fn macros() -> String {
    let brief = |doc: &str| doc.lines().next().unwrap_or("").trim_start_matches('/').trim().to_owned();
    table(
        &["macro", "what it does"],
        library::macros().map(|m| vec![code(m.signature), plain(&brief(m.doc))]),
    )
}

fn config() -> String {
    let row = |c: &ConfigVar| vec![code(c.name), plain(&c.expects()), code(c.default), plain(c.brief)];
    table(&["variable", "takes", "default", "what it is"], CONFIG.iter().map(row))
}

fn functions_not_yet() -> String {
    let row = |f: &Function| vec![code(f.name), plain(f.brief)];
    table(&["function", "what it does in bpftrace"], functions().filter(|f| !f.supported).map(row))
}

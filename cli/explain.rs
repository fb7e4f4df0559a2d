//! `rbtrace help NAME`: what the tables say of a function, builtin, probe kind, config variable or
//! library macro, and what a bundled script says of itself; without a name, all of them by kind.

use crate::scripts::{self, Script};
use rbtrace_runtime::near;
use rbtrace_stdlib::library::LibraryMacro;
use rbtrace_stdlib::probes::{PROBES, ProbeKind};
use rbtrace_stdlib::{BUILTINS, Builtin, CONFIG, ConfigVar, Function, library, supported_functions};
use std::fmt::Write as _;

/// The text for a name, `None` where no table has it. The empty name gives the overview.
pub(crate) fn explain(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some(overview());
    }
    let mut parts = vec![];
    parts.extend(rbtrace_stdlib::function(name).map(function));
    parts.extend(builtin_named(name).map(builtin));
    parts.extend(rbtrace_stdlib::probe_kind(name).map(probe));
    parts.extend(rbtrace_stdlib::config_var(name).map(config_var));
    parts.extend(library::macros().filter(|m| macro_name(m) == name).map(|m| library_macro(&m)));
    parts.extend(scripts::find(name).map(Script::help));
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// Names that resemble one that is not explained, as a question.
pub(crate) fn resembling(name: &str) -> Option<String> {
    let macros: Vec<LibraryMacro> = library::macros().collect();
    let names = supported_functions()
        .map(|f| f.name)
        .chain(BUILTINS.iter().map(|b| b.name))
        .chain(PROBES.iter().map(|p| p.name))
        .chain(CONFIG.iter().map(|c| c.name))
        .chain(macros.iter().map(macro_name))
        .chain(scripts::SCRIPTS.iter().map(|s| s.name));
    near::hint(name, names)
}

/// Every name that a script may use, for completion.
pub(crate) fn words() -> Vec<String> {
    let mut words: Vec<String> = supported_functions().map(|f| format!("{}(", f.name)).collect();
    words.extend(BUILTINS.iter().filter(|b| b.name != "argN").map(|b| b.name.into()));
    words.extend((0..6).map(|n| format!("arg{n}")));
    words.extend(PROBES.iter().map(|p| match p.forms {
        [form] if *form == p.name => p.name.to_string(),
        _ => format!("{}:", p.name),
    }));
    words.extend(library::macros().map(|m| macro_name(&m).to_string()));
    words.sort_unstable();
    words
}

/// `arg3` is explained by `argN`.
fn builtin_named(name: &str) -> Option<&'static Builtin> {
    let numbered = name.strip_prefix("arg").is_some_and(|n| n.parse::<u8>().is_ok());
    rbtrace_stdlib::builtin(if numbered { "argN" } else { name })
}

fn macro_name<'a>(m: &LibraryMacro) -> &'a str
where
    LibraryMacro: 'a,
{
    m.signature.split('(').next().unwrap_or(m.signature).trim()
}

fn overview() -> String {
    let mut out = String::new();
    let mut section = |head: &str, rows: Vec<(&str, &str)>| {
        let _ = writeln!(out, "{head}");
        for (name, brief) in rows {
            let _ = writeln!(out, "  {name:<22} {brief}");
        }
    };
    section("Probes", PROBES.iter().map(|p| (p.name, p.brief)).collect());
    section("Builtins", BUILTINS.iter().map(|b| (b.name, b.brief)).collect());
    section("Functions", supported_functions().map(|f| (f.name, f.brief)).collect());
    section("Library", library::macros().map(|m| (m.signature, first_line(m.doc))).collect());
    section("Config variables", CONFIG.iter().map(|c| (c.name, c.brief)).collect());
    section("Scripts", scripts::SCRIPTS.iter().map(|s| (s.name, s.brief())).collect());
    out
}

fn first_line(doc: &str) -> &str {
    doc.lines().next().unwrap_or("").trim_start_matches('/').trim()
}

fn function(f: &Function) -> String {
    if !f.supported {
        return format!("{}\n  {}\n  Not supported yet.\n", f.name, f.brief);
    }
    let mut out = format!("{}\n  {}\n", f.signature(), f.brief);
    paragraph(&mut out, f.doc);
    if f.needs_unsafe {
        out += "  Needs --unsafe.\n";
    }
    limits(&mut out, f.probes, f.kernel);
    let _ = writeln!(out, "  Example: {}", f.example);
    out
}

fn builtin(b: &Builtin) -> String {
    let mut out = format!("{} {}\n  {}\n", b.ty, b.name, b.brief);
    limits(&mut out, b.probes, None);
    let _ = writeln!(out, "  Example: {}", b.example);
    out
}

fn probe(p: &ProbeKind) -> String {
    let mut out = String::new();
    for form in p.forms {
        let _ = writeln!(out, "{form}");
    }
    let _ = writeln!(out, "  {}", p.brief);
    if !p.short.is_empty() {
        let _ = writeln!(out, "  Also: {}", p.short.join(", "));
    }
    paragraph(&mut out, p.doc);
    limits(&mut out, &[], p.kernel);
    if !p.example.is_empty() {
        let _ = writeln!(out, "  Example: {}", p.example);
    }
    out
}

fn config_var(c: &ConfigVar) -> String {
    format!("config {} (default {})\n  {}\n", c.name, c.default, c.brief)
}

fn library_macro(m: &LibraryMacro) -> String {
    let mut out = format!("{}\n", m.signature);
    for line in m.doc.lines() {
        let _ = writeln!(out, "  {}", line.trim_start_matches('/').trim());
    }
    out
}

fn paragraph(out: &mut String, doc: &str) {
    if !doc.is_empty() {
        let _ = writeln!(out, "  {doc}");
    }
}

fn limits(out: &mut String, probes: &[&str], kernel: Option<&str>) {
    if !probes.is_empty() {
        let _ = writeln!(out, "  Only in: {}", probes.join(", "));
    }
    if let Some(kernel) = kernel {
        let _ = writeln!(out, "  Needs Linux {kernel}.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_tables_are_explained() {
        for name in ["printf", "pid", "arg3", "kprobe", "k", "max_strlen", "BEGIN", "skbdrop"] {
            assert!(explain(name).is_some_and(|t| t.contains("  ")), "{name}");
        }
        assert_eq!(explain("nosuch"), None);
    }

    #[test]
    fn the_overview_has_every_function() {
        let all = explain("").expect("an overview");
        assert!(supported_functions().all(|f| all.contains(f.name)));
    }

    #[test]
    fn completion_offers_calls_and_providers() {
        let words = words();
        assert!(words.iter().any(|w| w == "printf("));
        assert!(words.iter().any(|w| w == "kprobe:"));
        assert!(words.iter().any(|w| w == "begin"));
    }
}

//! The checker through its front door: a script's text in, the typed program or the messages out.

use crate::fixture::Fixture;
use crate::{Options, Source};
use expect_test::{Expect, expect};
use rbtrace_stdlib::LIBRARY;

mod aggregations;
mod basics;
mod calls;
mod casts;
mod errors;
mod fields;
mod loops;
mod maps;
mod numbers;
mod probes;

/// What the checker makes of a script: messages, then the program where there is one.
fn outcome(text: &str, options: &Options) -> String {
    let mut sources = vec![Source::new("stdin", text)];
    let (script, mut diags) = crate::parse(&sources[0], 0);
    let mut library = vec![];
    for (name, text) in LIBRARY {
        let source = Source::new(name, text);
        library.extend(crate::parse(&source, sources.len() as u16).0.macros);
        sources.push(source);
    }
    let (script, more) = crate::expand(script, &library);
    diags.extend(more);
    if diags.iter().any(|d| d.severity == crate::Severity::Error) {
        return diags.iter().map(|d| d.render(&sources)).collect();
    }
    match crate::check(&script, sources.clone(), &Fixture::new(), options) {
        Ok(program) => {
            let warnings: String = program.warnings.iter().map(|d| d.render(&sources)).collect();
            format!("{warnings}{program}")
        }
        Err(diags) => diags.iter().map(|d| d.render(&sources)).collect(),
    }
}

/// Compares the whole outcome.
#[allow(clippy::needless_pass_by_value, reason = "as the macro gives it")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&outcome(text, &Options::default()));
}

/// Only the messages' first lines, without places: for what is about the text of a message.
fn messages(text: &str) -> String {
    messages_with(text, &Options::default())
}

fn messages_with(text: &str, options: &Options) -> String {
    let out = outcome(text, options);
    let of =
        |line: &str| ["ERROR: ", "WARNING: "].iter().any(|w| line.contains(w)) || line.starts_with("HINT: ");
    let plain = |line: &str| match line.split_once(": ") {
        Some((place, rest)) if place.starts_with("stdin:") => rest.to_string(),
        _ => line.to_string(),
    };
    out.lines().filter(|l| of(l)).map(|l| plain(l) + "\n").collect()
}

/// The types of the maps, for what is about inference: `@x[int64]: string[4]`.
fn maps(text: &str) -> String {
    let out = outcome(text, &Options::default());
    if let Some(e) = out.lines().find(|l| l.contains("ERROR")) {
        return e.to_string();
    }
    let of = |l: &str| Some(l.strip_prefix("map ")?.rsplit_once(" (")?.0.to_string());
    out.lines().filter_map(of).collect::<Vec<_>>().join(", ")
}

//! The checker through its front door: a script's text in, the typed program or the messages out.

use crate::fixture::Fixture;
use crate::{Options, Source};
use expect_test::{Expect, expect};

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
mod tables;

/// What the checker makes of a script: messages, then the program where there is one.
fn outcome(text: &str, options: &Options) -> String {
    let typed = crate::compile(Source::new("stdin", text), options, &Fixture::new());
    let messages: String = typed.diagnostics.iter().map(|d| d.render(&typed.sources)).collect();
    match &typed.program {
        Some(program) if !typed.failed() => format!("{messages}{program}"),
        _ => messages,
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

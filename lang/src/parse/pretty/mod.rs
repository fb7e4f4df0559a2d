//! `--fmt`: a script in its usual form.
//!
//! Tokens, comments and preprocessor lines stay as they are; only the blanks between them change. What a token means
//! (`*` of a type, a product or a pointer, the brace of a block) is asked of the grammar. C declarations stay as they
//! are written.

mod gap;
mod printer;
mod roles;
mod spacing;
#[cfg(test)]
mod tests;
mod token;

use super::include::Included;
use super::item::{Item, ItemKind};
use super::{Grammar, Rule, layout, parse_parts};
use crate::diag::has_errors;
use crate::headers::{Headers, Include};
use crate::system::Answer;
use crate::{Diagnostic, Options, Source, Span};
use pest::Parser as _;
use printer::Printer;
use roles::Roles;
use std::rc::Rc;

/// A script in its usual form; its errors where it has any.
///
/// Doing it twice changes nothing more, and the result means what the script means.
pub fn pretty(source: &Source) -> Result<String, Vec<Diagnostic>> {
    let (script, diags, _) = parse_parts(source, 0, unread());
    if has_errors(&diags) {
        return Err(diags);
    }
    let mut printer = Printer::new(&source.text);
    for part in layout::split(source, 0, unread()).parts.iter().filter(|part| part.file == 0) {
        for item in &part.items {
            print_item(*item, &part.text, &mut printer);
        }
    }
    let text = printer.finish();
    let again = parse_parts(&Source::new(&source.name, &text), 0, unread());
    if again.0.to_string() != script.to_string() {
        let message = "this script cannot be formatted: its meaning would change";
        return Err(vec![Diagnostic { span: None, ..Diagnostic::error(Span::default(), message) }]);
    }
    Ok(text)
}

fn print_item(item: Item, text: &str, printer: &mut Printer) {
    let rule = match item.kind {
        ItemKind::Config => Rule::config_item,
        ItemKind::Import => Rule::import_item,
        ItemKind::Map => Rule::map_item,
        ItemKind::Macro => Rule::macro_item,
        ItemKind::Probe => Rule::probe_item,
        ItemKind::C | ItemKind::Function | ItemKind::Other => return printer.verbatim(item.start, item.end),
    };
    let text = &text[item.start..item.end];
    match Grammar::parse(rule, text) {
        Ok(pairs) => {
            let roles = Roles::of(pairs);
            printer.item(item.start, &token::tokens(text, &roles), &roles);
        }
        Err(_) => printer.verbatim(item.start, item.end),
    }
}

/// What a script includes says nothing of its form: no file is read.
fn unread() -> Included {
    #[derive(Debug)]
    struct Empty;
    impl Headers for Empty {
        fn read(&self, include: Include) -> Answer<Option<Source>> {
            Ok(Some(Source::new(include.path, "")))
        }
    }
    let options = Options { headers: Some(Rc::new(Empty)), ..Options::default() };
    Included::new(&options, 1)
}

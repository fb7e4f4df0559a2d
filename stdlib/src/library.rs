//! The library written in the language itself: macros that every script may use.

/// File name and text of each part.
pub const LIBRARY: &[(&str, &str)] = &[
    ("stdlib/base.bt", include_str!("base.bt")),
    ("stdlib/error.bt", include_str!("error.bt")),
    ("stdlib/memory.bt", include_str!("memory.bt")),
    ("stdlib/task.bt", include_str!("task.bt")),
];

/// A macro of the library, as help and completion show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryMacro {
    /// Name and parameters: `is_err(ptr)`.
    pub signature: &'static str,
    /// The comment above it, line by line.
    pub doc: &'static str,
}

/// The macros of the library with their comments.
///
/// A macro begins with `macro` in the first column; the comment lines directly above document it.
pub fn macros() -> impl Iterator<Item = LibraryMacro> {
    LIBRARY.iter().flat_map(|(_, text)| text.split("\n\n")).filter_map(|part| {
        let at = if part.starts_with("macro ") { 0 } else { part.find("\nmacro ")? + 1 };
        let head = part[at..].lines().next()?;
        let signature = head.strip_prefix("macro ")?.trim_end_matches('{').trim();
        Some(LibraryMacro { signature, doc: part[..at].trim_end() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_macro_has_a_comment() {
        assert!(macros().count() >= 8);
        for m in macros() {
            assert!(m.doc.starts_with("//"), "{}", m.signature);
        }
    }

    #[test]
    fn signatures_keep_the_parameters() {
        assert!(macros().any(|m| m.signature == "is_err(ptr)"));
    }
}

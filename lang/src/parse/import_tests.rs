//! Imports, from files that only exist here.

use crate::headers::{Headers, ImportKind, Imported, Include};
use crate::system::Answer;
use crate::{Options, Source, parse_with_headers};
use std::rc::Rc;

#[derive(Debug)]
struct Files(&'static [(&'static str, &'static str)]);

impl Headers for Files {
    fn read(&self, _: Include) -> Answer<Option<Source>> {
        Ok(None)
    }

    fn import(&self, _: &str, path: &str) -> Answer<Option<Vec<Imported>>> {
        let kind = if path.ends_with(".h") { ImportKind::Header } else { ImportKind::Script };
        let found = self.0.iter().find(|(name, _)| *name == path);
        Ok(found.map(|(name, text)| vec![Imported { source: Source::new(name, text), kind }]))
    }
}

/// What a script called `main.bt` is, and the messages.
fn parsed(text: &str, files: &'static [(&'static str, &'static str)]) -> String {
    let options = Options { headers: Some(Rc::new(Files(files))), ..Options::default() };
    let mut sources = vec![Source::new("main.bt", text)];
    let (script, diags) = parse_with_headers(&mut sources, &options);
    let messages: String = diags.iter().map(|d| d.render(&sources)).collect();
    format!("{script}{messages}")
}

#[test]
fn probes_and_macros_of_imported_scripts_come_first() {
    let out = parsed(
        "import \"a.bt\"; import \"b.bt\"; import \"a.bt\"; begin { 1 }",
        &[
            ("a.bt", "import \"b.bt\"; import \"main.bt\"; begin { 2 }"),
            ("b.bt", "macro m() { 3 } begin { 4 }"),
            ("main.bt", ""),
        ],
    );
    let at = |text: &str| out.find(text).unwrap_or(usize::MAX);
    assert!(at("int:4") < at("int:2") && at("int:2") < at("int:1"), "{out}");
    assert_eq!(out.matches("macro").count(), 1, "{out}");
    assert!(!out.contains("ERROR"), "{out}");
}

#[test]
fn of_headers_only_the_declarations_count() {
    let out =
        parsed("import \"t.h\"; begin { 1 }", &[("t.h", "struct t { int a; }; int f(void);\n#define N 3\n")]);
    assert!(out.contains("struct t") && out.contains("define N 3") && !out.contains("ERROR"), "{out}");
}

#[test]
fn mistakes_are_shown_in_the_file_that_has_them() {
    let out = parsed(
        "import \"a.bt\"; import \"none.bt\"; import \"stdlib/base\"; begin { }",
        &[("a.bt", "config = { max_strlen = 7 }\nbegin { $ }")],
    );
    for error in [
        "main.bt:1:23-32: ERROR: there is no file or folder 'none.bt' to import",
        "a.bt:1:12-22: ERROR: an imported script cannot set config variables",
        "a.bt:2:",
    ] {
        assert!(out.contains(error), "{error}\n{out}");
    }
    assert!(!out.contains("stdlib/base'"), "{out}");
}

#[test]
fn nothing_is_imported_where_nothing_reads_files() {
    let mut sources = vec![Source::new("stdin", "import \"a.bt\"; begin { }")];
    let (_, diags) = parse_with_headers(&mut sources, &Options::default());
    assert!(diags[0].message.contains("no file or folder 'a.bt'"), "{diags:?}");
}

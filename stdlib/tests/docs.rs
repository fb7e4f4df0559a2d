//! The tables in docs/ are those of the library; `UPDATE_EXPECT=1 cargo test -p rbtrace-stdlib` rewrites them.

use rbtrace_stdlib::docs::TABLES;
use std::fs;

const FILES: [&str; 2] = ["language.md", "from-bpftrace.md"];

/// The document with this table in its place; `None` where it has no place for it.
fn with_table(text: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = text.find(&begin)? + begin.len();
    let to = from + text[from..].find(&end)?;
    Some(format!("{}\n{table}\n{}", &text[..from], &text[to..]))
}

#[test]
fn tables_of_the_documents_are_those_of_the_library() {
    let mut shown = vec![];
    for file in FILES {
        let path = format!("{}/../docs/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap();
        let mut fresh = text.clone();
        for (name, table) in TABLES {
            if let Some(replaced) = with_table(&fresh, name, &table()) {
                fresh = replaced;
                shown.push(*name);
            }
        }
        if fresh != text && std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, fresh).unwrap();
            continue;
        }
        assert!(
            fresh == text,
            "docs/{file} is not as the tables say: UPDATE_EXPECT=1 cargo test -p rbtrace-stdlib"
        );
    }
    for (name, _) in TABLES {
        assert!(shown.contains(name), "no document shows the table '{name}'");
    }
}

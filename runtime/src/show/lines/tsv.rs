//! The listing for programs.

use super::{Listing, Row};
use std::io::{self, Write};

pub(super) fn write(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    for row in &listing.rows {
        writeln!(out, "{}\t{}\t{}\t{}", row.offset, functions(row), places(row), row.text)?;
    }
    Ok(())
}

fn functions(row: &Row) -> String {
    let names = row.frames.iter().map(|f| f.function.as_deref().unwrap_or("??"));
    names.collect::<Vec<_>>().join(";")
}

fn places(row: &Row) -> String {
    let place = |f: &crate::files::dwarf::InlineStep| {
        let file = f.file.as_deref().unwrap_or("??");
        if f.line == 0 { format!("{file}:?") } else { format!("{file}:{}", f.line) }
    };
    row.frames.iter().map(place).collect::<Vec<_>>().join(";")
}

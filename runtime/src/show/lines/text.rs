//! The listing for people.

use super::{Listing, Row, short_path};
use crate::files::dwarf::{DebugInfo, InlineStep};
use crate::files::instructions::Flow;
use crate::files::symbols::code::CodeSource;
use std::io::{self, Write};

/// Column at which notes begin, where the instruction leaves room.
const NOTE_COLUMN: usize = 48;

/// Writes one function; `of` counts the functions of the same name.
pub(super) fn write(
    listing: &Listing,
    source: &CodeSource,
    of: (usize, usize),
    out: &mut dyn Write,
) -> io::Result<()> {
    title(listing, source, of, out)?;
    let mut header = String::new();
    for row in &listing.rows {
        let next = source.debug_info().map_or_else(String::new, |info| place(info, row));
        if next != header {
            writeln!(out, "\n{next}")?;
            header = next;
        }
        instruction(listing, row, out)?;
    }
    calls(listing, source, out)
}

fn title(listing: &Listing, source: &CodeSource, of: (usize, usize), out: &mut dyn Write) -> io::Result<()> {
    let same =
        if of.1 > 1 { format!(" ({} of {} functions of this name)", of.0, of.1) } else { String::new() };
    writeln!(out, "{}: {} bytes, {} instructions{same}", listing.probe, listing.size, listing.rows.len())?;
    match source {
        CodeSource::File(info) => writeln!(out, "debug info: {}", info.elf().path().display()),
        CodeSource::Memory { why, .. } => {
            writeln!(out, "no source lines: {why}")?;
            if let crate::files::Error::Missing { hint: Some(hint), .. } = why {
                writeln!(out, "to see them: {hint}")?;
            }
            writeln!(out)
        }
    }
}

/// `file:line (inlined ← by FILE:LINE …)`
fn place(info: &DebugInfo, row: &Row) -> String {
    let Some(inner) = row.frames.first() else { return "(no source line)".into() };
    let at = |f: &InlineStep| {
        let file = f.file.as_deref().map_or_else(|| "??".into(), |p| short_path(info, row.insn.address, p));
        if f.line == 0 { format!("{file}:?") } else { format!("{file}:{}", f.line) }
    };
    let name = |f: &InlineStep| f.function.as_deref().unwrap_or("??").to_string();
    let mut chain = name(inner);
    for caller in &row.frames[1..] {
        chain = format!("{chain} ← {} {}", name(caller), at(caller));
    }
    format!("{} ({chain})", at(inner))
}

fn instruction(listing: &Listing, row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let mark = match (row.from.is_empty(), row.is_call()) {
        (_, true) => '>',
        (false, _) => '*',
        _ => ' ',
    };
    let line = format!("{mark} {:>6}  {}", format!("+{}", row.offset), row.text);
    let note = note(listing, row);
    if note.is_empty() {
        return writeln!(out, "{line}");
    }
    let room = NOTE_COLUMN.saturating_sub(line.chars().count()).max(2);
    writeln!(out, "{line}{}{note}", " ".repeat(room))
}

/// The probe's name for calls and branch targets; for these, also where control comes from.
fn note(listing: &Listing, row: &Row) -> String {
    let probe = format!("kprobe:{}+{}", listing.probe, row.offset);
    if !row.from.is_empty() {
        let from: Vec<String> = row.from.iter().map(|o| format!("+{o}")).collect();
        return format!("{probe}  from {}", from.join(" "));
    }
    if row.is_call() && row.offset != 0 { probe } else { String::new() }
}

/// Calls in order, each with the probe before it and the one after it.
fn calls(listing: &Listing, source: &CodeSource, out: &mut dyn Write) -> io::Result<()> {
    let calls: Vec<&Row> = listing.rows.iter().filter(|r| is_listed_call(r)).collect();
    if calls.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ncalls of {} (after a call, its result is reg(\"ax\")):", listing.function)?;
    let names: Vec<String> = calls.iter().map(|r| callee_name(r)).collect();
    let width = names.iter().map(|n| n.len()).max().unwrap_or(0).min(40);
    let end = listing.rows.last().map_or(0, |r| r.insn.end() - r.insn.address + r.offset);
    for (row, name) in calls.iter().zip(&names) {
        let before = format!("kprobe:{}+{}", listing.probe, row.offset);
        let next = row.offset + row.insn.length as u64;
        let after = if next < end { format!("after: +{next}") } else { String::new() };
        let line = source.debug_info().map_or_else(String::new, |info| outer_place(info, row));
        let text = format!("  {before:<36} {name:<width$}  {after:<14} {line}");
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

/// The entry of ftrace is no call of the source.
fn is_listed_call(row: &Row) -> bool {
    row.is_call() && row.callee.as_deref() != Some("__fentry__")
}

fn callee_name(row: &Row) -> String {
    match (&row.callee, row.insn.flow) {
        (Some(name), _) => name.clone(),
        (None, Flow::Call(Some(target))) => format!("{target:#x}"),
        _ => row.text.clone(),
    }
}

/// The line of the function itself from which a call comes.
fn outer_place(info: &DebugInfo, row: &Row) -> String {
    let Some(outer) = row.frames.last() else { return String::new() };
    let file = outer.file.as_deref().map_or_else(|| "??".into(), |p| short_path(info, row.insn.address, p));
    format!("{file}:{}", outer.line)
}

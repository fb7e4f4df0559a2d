//! What user space does for a script: `system`, `cat`, `time`, `join`.

use crate::print::value::text_bytes;
use crate::print::{Format, Output, json, u32_at};
use crate::sys::{time, untrusted};
use rbtrace_codegen::object::RecordField;
use rbtrace_lang::types::Type;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// `CLOCK_REALTIME` by a format.
pub fn time(format: &str, form: Format, out: &mut Output) {
    let text = time::format(format, time::clock(libc::CLOCK_REALTIME));
    emit("time", text.as_bytes(), form, out);
}

/// Runs a command by the shell; its output joins ours where it stands.
pub fn system(command: &str, form: Format, out: &mut Output) -> io::Result<()> {
    // What was printed before comes before.
    out.flush();
    let run =
        Command::new("sh").arg("-c").arg(command).stdout(Stdio::piped()).stderr(Stdio::inherit()).output()?;
    emit("syscall", &run.stdout, form, out);
    Ok(())
}

/// Prints at most `most` bytes of a file. Its name may come from a traced program: a pipe or a device is refused.
pub fn cat(path: &str, most: u32, form: Format, out: &mut Output) -> io::Result<()> {
    let (text, _) = untrusted::read(untrusted::open(Path::new(path))?, u64::from(most))?;
    emit("cat", &text, form, out);
    Ok(())
}

/// Prints the texts of an array, `sep` between them. The `u32` before the array says how many there are.
pub fn join(fields: &[RecordField], record: &[u8], sep: &str, form: Format, out: &mut Output) {
    let Some(texts) = fields.first() else { return };
    let Type::Array { elem, .. } = &texts.ty else { return };
    let size = (elem.size() as usize).max(1);
    let count = u32_at(record, (texts.offset as usize).saturating_sub(4)) as usize;
    let data = record.get(texts.offset as usize..).unwrap_or(&[]);
    let texts: Vec<&[u8]> = data.chunks_exact(size).take(count).map(|t| text_bytes(t, size)).collect();
    let mut text = texts.join(sep.as_bytes());
    if form == Format::Text {
        text.push(b'\n');
    }
    emit("join", &text, form, out);
}

fn emit(kind: &str, text: &[u8], form: Format, out: &mut Output) {
    match form {
        Format::Text => out.buf.extend_from_slice(text),
        Format::Json => json::text_line(kind, text, &mut out.buf),
    }
}

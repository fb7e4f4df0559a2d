//! What user space does for a script: `system`, `cat`, `time`, `join`.

use crate::bytes::u32_at;
use crate::show::print::read;
use crate::sys::{time, untrusted};
use rbtrace_codegen::object::RecordField;
use rbtrace_lang::types::Type;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// `CLOCK_REALTIME` by a format.
pub fn time(format: &str) -> String {
    time::format(format, time::clock(libc::CLOCK_REALTIME))
}

/// Runs a command by the shell; its output.
pub fn system(command: &str) -> io::Result<Vec<u8>> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdout(Stdio::piped()).stderr(Stdio::inherit());
    Ok(shell.output()?.stdout)
}

/// At most `most` bytes of a file. Its name may come from a traced program: a pipe or a device is refused.
pub fn cat(path: &str, most: u32) -> io::Result<Vec<u8>> {
    Ok(untrusted::read(untrusted::open(Path::new(path))?, u64::from(most))?.0)
}

/// The texts of an array, `sep` between them. The `u32` before the array says how many there are.
pub fn join(fields: &[RecordField], record: &[u8], sep: &str) -> Vec<u8> {
    let Some(texts) = fields.first() else { return Vec::new() };
    let Type::Array { elem, .. } = &texts.ty else { return Vec::new() };
    let size = (elem.size() as usize).max(1);
    let count = u32_at(record, (texts.offset as usize).saturating_sub(4)) as usize;
    let data = record.get(texts.offset as usize..).unwrap_or(&[]);
    let texts: Vec<&[u8]> = data.chunks_exact(size).take(count).map(|t| read::text(t, size)).collect();
    texts.join(sep.as_bytes())
}

//! `-l`, `lines`, `check`.

use crate::args::{Args, Source};
use crate::{program, run};
use rbtrace_runtime::lines;
use rbtrace_runtime::system::LiveSystem;
use std::io::Write;

/// `-l`: probes that match.
pub(crate) fn list(_args: &Args, _pattern: Option<&str>) -> anyhow::Result<u8> {
    anyhow::bail!("listing probes is not supported yet")
}

/// `lines FUNC`
pub(crate) fn lines(func: &str, format: lines::Format) -> anyhow::Result<u8> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = lines::print(func, lines::Options { format }, &mut out);
    match written.and_then(|()| Ok(out.flush()?)) {
        // The reader has seen enough.
        Err(lines::PrintError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(0),
        result => Ok(result.map(|()| 0)?),
    }
}

/// `check FILE…`: all of them, 1 when one cannot be compiled.
pub(crate) fn check(args: &Args, files: &[Source]) -> anyhow::Result<u8> {
    let system = args.btf.as_deref().map_or_else(LiveSystem::new, LiveSystem::with_btf);
    let mut failed = false;
    for file in files {
        failed |= !run::check(args, program::read(file)?, &system)?;
    }
    Ok(u8::from(failed))
}

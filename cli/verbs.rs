//! `-l`, `lines`, `check`.

use crate::args::{Args, Source};
use crate::{program, run};
use rbtrace_runtime::system::LiveSystem;
use std::io::Write;

/// `-l`: probes that match.
pub(crate) fn list(_args: &Args, _pattern: Option<&str>) -> anyhow::Result<u8> {
    anyhow::bail!("listing probes is not supported yet")
}

/// `lines FUNC`
pub(crate) fn lines(func: &str) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    rbtrace_runtime::lines::print(func, rbtrace_runtime::lines::Options::default(), &mut out)?;
    out.flush()?;
    Ok(0)
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

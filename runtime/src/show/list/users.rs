//! Functions of user-level binaries.

use super::{Lister, once};
use rbtrace_lang::System;
use rbtrace_lang::target::Target;
use std::io;

impl Lister<'_> {
    /// `BINARY[:SYMBOL]`; with a pid also `SYMBOL` alone, or `*` for all that the process has mapped.
    pub(super) fn uprobes(&mut self, provider: &str, rest: &str) -> io::Result<()> {
        let (binary, symbol) = rest.rsplit_once(':').unwrap_or((rest, "*"));
        if binary == "*" && self.options.pid.is_none() {
            self.warn(format!("{provider} needs a binary: {provider}:/path/to/binary:*, or -p PID"));
            return Ok(());
        }
        let ret = provider == "uretprobe";
        let found = self.system.uprobes(binary, symbol, 0, ret, self.options.pid);
        let Some(found) = self.take(found) else { return Ok(()) };
        let names = found.iter().filter_map(|a| match a {
            Target::Uprobe { path, symbol, .. } => Some(format!("{path}:{symbol}")),
            _ => None,
        });
        once(names).iter().try_for_each(|name| writeln!(self.out, "{provider}:{name}"))
    }
}

//! Functions and static probes of user-level binaries.

use super::{Lister, once};
use rbtrace_lang::System;
use rbtrace_lang::attach::argument_types;
use rbtrace_lang::system::UserFiles;
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
            Target::Uprobe { path, symbol, offset, .. } => Some((path, symbol, *offset)),
            _ => None,
        });
        for (path, symbol, offset) in once(names) {
            writeln!(self.out, "{provider}:{path}:{symbol}")?;
            if !ret {
                self.parameters(path, offset)?;
            }
        }
        Ok(())
    }

    pub(super) fn arguments_of_function(&mut self, target: &Target) -> io::Result<()> {
        match target {
            Target::Uprobe { path, offset, ret: false, .. } => self.parameters(path, *offset),
            _ => Ok(()),
        }
    }

    /// With `-v`: the parameters of the function at this offset of a file.
    fn parameters(&mut self, path: &str, offset: u64) -> io::Result<()> {
        if !self.options.verbose {
            return Ok(());
        }
        let listed = self.system.listed_arguments(path, offset);
        let Some(listed) = self.take(listed) else { return Ok(()) };
        listed.iter().try_for_each(|parameter| writeln!(self.out, "    {parameter}"))
    }

    /// `BINARY[:PROVIDER]:NAME`; with a pid, or where any binary will do, also `NAME` alone.
    pub(super) fn static_probes(&mut self, rest: &str) -> io::Result<()> {
        let parts: Vec<&str> = rest.splitn(3, ':').collect();
        let (binary, provider, name) = match parts[..] {
            [binary, provider, name] => (binary, provider, name),
            [binary, name] => (binary, "*", name),
            // A bare path means all that is in the file.
            [binary] if binary.contains('/') => (binary, "*", "*"),
            _ => ("*", "*", rest),
        };
        let files = match (binary, self.options.pid) {
            ("" | "*", None) => UserFiles::Mapped,
            ("" | "*", pid) => UserFiles::Named("*", pid),
            (binary, pid) => UserFiles::Named(binary, pid),
        };
        let provider = if provider.is_empty() { "*" } else { provider };
        let Some(found) = self.take(self.system.static_probes(files, provider, name)) else { return Ok(()) };
        for probe in found {
            writeln!(self.out, "usdt:{}:{}:{}", probe.path, probe.provider, probe.name)?;
            let arguments = probe.places.first().map(|p| p.arguments.clone()).unwrap_or_default();
            self.types_of(&arguments)?;
        }
        Ok(())
    }

    pub(super) fn arguments_of_place(&mut self, target: &Target) -> io::Result<()> {
        let Target::Usdt { place, .. } = target else { return Ok(()) };
        self.types_of(&place.arguments)
    }

    /// With `-v`: the arguments' types.
    fn types_of(&mut self, arguments: &str) -> io::Result<()> {
        if !self.options.verbose {
            return Ok(());
        }
        let types = argument_types(arguments);
        types.iter().enumerate().try_for_each(|(n, ty)| writeln!(self.out, "    {ty} arg{n}"))
    }
}

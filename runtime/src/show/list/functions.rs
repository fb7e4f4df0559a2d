//! Kernel functions and raw tracepoints.

use super::{Lister, once};
use crate::files::btf::{DeclaredProto, KindTag, TypeId};
use crate::glob;
use crate::kernel::system::LiveSystem;
use rbtrace_lang::System;
use rbtrace_lang::attach::by_type;
use rbtrace_lang::system::{Answer, BtfFunction, SystemError, Taker};
use std::io;
use std::rc::Rc;

/// With more functions than this, names are looked up in a table instead of by a scan for each.
const MANY: usize = 64;

/// `[MODULE:]NAME`
fn split(rest: &str) -> (Option<&str>, &str) {
    rest.split_once(':').map_or((None, rest), |(module, name)| (Some(module), name))
}

/// Functions by a pattern of names, which the type of an argument may follow.
fn functions(system: &LiveSystem, module: Option<&str>, func: &str) -> Answer<Vec<(Rc<str>, Rc<str>)>> {
    if !func.contains('(') {
        return system.kernel_functions(module, func);
    }
    let found = takers(system, module, func)?;
    Ok(found.into_iter().map(|t| (t.function.module, t.func)).collect())
}

fn takers(system: &LiveSystem, module: Option<&str>, func: &str) -> Answer<Vec<Taker>> {
    match by_type::split(func).map_err(SystemError::new)? {
        (pattern, Some(ty)) => system.kernel_functions_taking(module, pattern, Some(&ty)),
        (_, None) => Ok(vec![]),
    }
}

impl Lister<'_> {
    pub(super) fn kprobes(&mut self, provider: &str, rest: &str) -> io::Result<()> {
        let (module, func) = split(rest);
        let Some(found) = self.take(functions(self.system, module, func)) else { return Ok(()) };
        let ret = provider == "kretprobe";
        if module.is_some() {
            for (module, func) in found {
                writeln!(self.out, "{provider}:{module}:{func}")?;
                self.kprobe_arguments(Some(&module), &func, ret)?;
            }
            return Ok(());
        }
        let names = once(found.into_iter().map(|(_, func)| func));
        if names.len() > MANY {
            self.index();
        }
        for func in names {
            writeln!(self.out, "{provider}:{func}")?;
            self.kprobe_arguments(None, &func, ret)?;
        }
        Ok(())
    }

    /// Arguments have the names by which programs read them.
    pub(super) fn kprobe_arguments(&mut self, module: Option<&str>, func: &str, ret: bool) -> io::Result<()> {
        let Some(proto) = self.proto(module, func) else { return Ok(()) };
        if ret {
            return proto.ret.iter().try_for_each(|ty| writeln!(self.out, "    {ty} retval"));
        }
        let mut params = proto.params.iter().enumerate();
        params.try_for_each(|(i, (ty, _))| writeln!(self.out, "    {ty} arg{i}"))
    }

    /// What BTF says of a function, where arguments are asked for.
    fn proto(&mut self, module: Option<&str>, func: &str) -> Option<DeclaredProto> {
        if !self.options.verbose || !self.system.types().available() {
            return None;
        }
        let id = match (&self.functions, module) {
            (Some(table), None) => table.get(func).copied(),
            _ => self.system.types().find(module, KindTag::Func, func).ok().flatten(),
        };
        self.system.types().declared_params(id?, 0)
    }

    /// Makes the table of BTF functions, once.
    fn index(&mut self) {
        if !self.options.verbose || self.functions.is_some() || !self.system.types().available() {
            return;
        }
        let found = self.system.types().search(KindTag::Func, &|_| true).unwrap_or_default();
        // Of functions with one name the kernel's own comes first and stays.
        let mut table = std::collections::HashMap::with_capacity(found.len());
        for (id, name) in found {
            table.entry(name).or_insert(id);
        }
        self.functions = Some(table);
    }

    /// `fentry`, `fexit`: the functions that BTF describes.
    pub(super) fn btf_functions(&mut self, provider: &str, rest: &str) -> io::Result<()> {
        let (module, func) = split(rest);
        if func.contains('(') {
            return self.takers(provider, module, func);
        }
        let found = self.system.types().search(KindTag::Func, &|name| glob::matches(func, name));
        let found = match found {
            Ok(found) => found,
            Err(e) => {
                self.warn(e.to_string());
                return Ok(());
            }
        };
        for (id, name) in found {
            let owner = self.system.types().blob_name(id.blob);
            if module.is_none_or(|m| glob::matches(m, &owner)) {
                writeln!(self.out, "{provider}:{owner}:{name}")?;
                self.named_arguments(id, 0, provider == "fexit")?;
            }
        }
        Ok(())
    }

    /// `fentry`, `fexit` by the type of an argument.
    fn takers(&mut self, provider: &str, module: Option<&str>, func: &str) -> io::Result<()> {
        let Some(found) = self.take(takers(self.system, module, func)) else { return Ok(()) };
        for Taker { func, function: BtfFunction { module, .. }, .. } in found {
            writeln!(self.out, "{provider}:{module}:{func}")?;
            self.typed_arguments(&module, &func, provider == "fexit")?;
        }
        Ok(())
    }

    /// The arguments of one of them.
    pub(super) fn typed_arguments(&mut self, module: &str, func: &str, ret: bool) -> io::Result<()> {
        if !self.options.verbose {
            return Ok(());
        }
        match self.system.types().find(Some(module), KindTag::Func, func) {
            Ok(Some(id)) => self.named_arguments(id, 0, ret),
            _ => Ok(()),
        }
    }

    pub(super) fn raw_tracepoints(&mut self, _: &str, rest: &str) -> io::Result<()> {
        let (module, event) = split(rest);
        let Some(found) = self.take(self.system.raw_tracepoints(module, event)) else { return Ok(()) };
        if found.len() > MANY {
            self.index();
        }
        for (module, event) in found {
            writeln!(self.out, "rawtracepoint:{module}:{event}")?;
            self.raw_arguments(Some(&module), &event)?;
        }
        Ok(())
    }

    pub(super) fn raw_arguments(&mut self, module: Option<&str>, event: &str) -> io::Result<()> {
        if !self.options.verbose || !self.system.types().available() {
            return Ok(());
        }
        let caller: Rc<str> = format!("__traceiter_{event}").into();
        let indexed = self.functions.as_ref().and_then(|table| table.get(&caller).copied());
        let id = match indexed {
            Some(id) => Some(id),
            None => self.take(self.system.raw_tracepoint_type(module, event)).flatten(),
        };
        match id {
            // The first parameter is `void *__data`.
            Some(id) => self.named_arguments(id, 1, false),
            None => Ok(()),
        }
    }

    pub(super) fn named_arguments(&mut self, id: TypeId, skip: usize, ret: bool) -> io::Result<()> {
        if !self.options.verbose {
            return Ok(());
        }
        let Some(proto) = self.system.types().declared_params(id, skip) else { return Ok(()) };
        for (i, (ty, name)) in proto.params.iter().enumerate() {
            match name.as_str() {
                "" => writeln!(self.out, "    {ty} arg{i}")?,
                name => writeln!(self.out, "    {ty} {name}")?,
            }
        }
        let ret = proto.ret.filter(|_| ret);
        ret.iter().try_for_each(|ty| writeln!(self.out, "    {ty} retval"))
    }
}

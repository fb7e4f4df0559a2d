//! `kprobe` and `kretprobe`: functions, instructions and source lines of the kernel.

use super::{Place, Provider, Refusal, Request, Sight, by_type, has_wildcard, parameters, split_offset};
use crate::Diagnostic;
use crate::context::{ARG_REGISTERS, Args, Context, Location, Register};
use crate::parse::number;
use crate::system::Taker;
use crate::target::Target;
use crate::types::{AddrSpace, Type};
use std::collections::HashSet;
use std::rc::Rc;

/// `kprobe`, `kretprobe`.
pub(super) struct Kprobe;

impl Provider for Kprobe {
    fn names(&self) -> &'static [&'static str] {
        &["kprobe", "kretprobe"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        if let Some(line) = &request.parts.line {
            return source_line(request, line);
        }
        let (module, func) = match request.args() {
            [func] => (None, func),
            [module, func] => (Some(module.as_str()), func),
            _ => return Err(request.count_error("1 or 2")),
        };
        if func.is_empty() {
            return Err(request.error(format!("{}: no function or address is named", request.kind.name)));
        }
        let func = match by_type::find(request, module, func)? {
            Ok((takers, ty)) => return Ok(taking(request, module, takers, &ty)),
            Err(func) => func,
        };
        if let (None, Ok(address)) = (module, number(func)) {
            return at_address(request, address);
        }
        let (func, offset) = split_offset(func).map_err(|m| request.error(m))?;
        match offset {
            Some(offset) => at_offset(request, module, func, offset).map(|p| vec![p]),
            None => functions(request, module, func),
        }
    }

    fn context(&self, sight: &Sight) -> Context {
        let Target::Kprobe { func, module, offset, ret } = sight.target else {
            return Context::bare(sight.kind);
        };
        // Within a function the registers hold its arguments no more.
        let args = if sight.wants.args && !*ret && *offset == 0 && !func.is_empty() {
            let proto = sight.system.kernel_function_proto(module.as_deref(), func);
            parameters(proto, AddrSpace::Kernel, argument_register)
        } else {
            Args::None
        };
        let argument = sight.matched.filter(|_| !ret);
        let matched = argument.map(|m| (m.ty.clone(), Location::Register(Register::Arg(m.word))));
        let space = AddrSpace::Kernel;
        let func = Some(Type::Ksym);
        Context { space, any_process: true, args, matched, func, ..Context::function(sight.kind, *ret) }
    }
}

fn argument_register(n: usize) -> Result<Location, &'static str> {
    match u8::try_from(n) {
        Ok(n) if n < ARG_REGISTERS => Ok(Location::Register(Register::Arg(n))),
        _ => Err("this parameter is passed on the stack, which cannot be read yet"),
    }
}

fn is_return(request: &Request) -> bool {
    request.kind.name == "kretprobe"
}

/// An address is handed to the kernel as it is, so only with `--unsafe`.
fn at_address(request: &Request, address: u64) -> Result<Vec<Place>, Refusal> {
    if !request.options.allow_unsafe {
        return Err(Diagnostic::error(
            request.span,
            "nothing checks a bare address: only --unsafe allows it",
        )
        .hint("name the function instead, with an offset where needed: FUNC+OFFSET")
        .into());
    }
    let target = Target::Kprobe { func: "".into(), module: None, offset: address, ret: is_return(request) };
    Ok(vec![Place::new(format!("{}:{address}", request.kind.name), target)])
}

fn functions(request: &Request, module: Option<&str>, func: &str) -> Result<Vec<Place>, Refusal> {
    let what = module.map_or(func.to_string(), |m| format!("{m}:{func}"));
    let found = request.system.kernel_functions(module, func).map_err(|e| request.missing(&what, e))?;
    // Without a module the kernel attaches by name: functions of one name count once.
    let mut seen = HashSet::new();
    let found = found.into_iter().filter(|(_, f)| module.is_some() || seen.insert(f.clone()));
    let places = found.map(|(m, f)| {
        let module = module.is_some().then_some(m);
        place(request, module, f, 0)
    });
    Ok(places.collect())
}

/// The places of functions that were found by the type of an argument. One of a name that several modules have counts once.
fn taking(request: &Request, module: Option<&str>, takers: Vec<Taker>, ty: &Type) -> Vec<Place> {
    let mut seen = HashSet::new();
    let takers = takers.into_iter().filter(|t| module.is_some() || seen.insert(t.func.clone()));
    let places = takers.map(|taker| {
        let module = module.is_some().then_some(taker.function.module);
        place(request, module, taker.func, 0).taking(ty, taker.word)
    });
    places.collect()
}

/// The place of a function and offset that are known to exist.
fn place(request: &Request, module: Option<Rc<str>>, func: Rc<str>, offset: u64) -> Place {
    let prefix = module.as_ref().map_or(String::new(), |m| format!("{m}:"));
    let suffix = if offset == 0 { String::new() } else { format!("+{offset}") };
    let name = format!("{}:{prefix}{func}{suffix}", request.kind.name);
    // The kernel does not know its own code as a module.
    let module = module.filter(|m| &**m != "vmlinux");
    Place::new(name, Target::Kprobe { func, module, offset, ret: is_return(request) })
}

fn at_offset(request: &Request, module: Option<&str>, func: &str, offset: u64) -> Result<Place, Refusal> {
    if is_return(request) {
        return Err(request
            .error(format!("{} takes no offset", request.kind.name))
            .hint("return probes fire where the function returns"));
    }
    if has_wildcard(func) || module.is_some_and(has_wildcard) {
        return Err(request.error("with an offset the function is named in full, without wildcards"));
    }
    let what = module.map_or(func.to_string(), |m| format!("{m}:{func}"));
    request.system.kernel_functions(module, func).map_err(|e| request.missing(&what, e))?;
    request.system.check_kprobe_offset(module, func, offset).map_err(|e| request.refused(e))?;
    Ok(place(request, module.map(Into::into), func.into(), offset))
}

/// `FILE:LINE[:COL]`, or after `kprobe@` also `MODULE:FILE:LINE[:COL]`.
fn source_line(request: &Request, line: &[String]) -> Result<Vec<Place>, Refusal> {
    if is_return(request) {
        return Err(request.error(format!("{} takes no source line", request.kind.name)));
    }
    let (mut module, func) = match request.args() {
        [] => (None, None),
        [func] => (None, Some(func.as_str())),
        [module, func] => (Some(module.as_str()), Some(func.as_str())),
        _ => return Err(request.count_error("1 or 2")),
    };
    if func.is_some_and(|f| f.is_empty() || has_wildcard(f)) || module.is_some_and(has_wildcard) {
        return Err(request.error("with a source line the function is named in full, without wildcards"));
    }
    let place_of = match line {
        [m, file, rest @ ..] if func.is_none() && !rest.is_empty() && number(file).is_err() => {
            module = Some(m);
            (file, rest)
        }
        [file, rest @ ..] => (file, rest),
        [] => return Err(request.error("no file and line follow the '@'")),
    };
    let (file, (line, column)) = (place_of.0, line_and_column(request, place_of.1)?);
    let found = request.system.source_line(module, func, file, line, column);
    let found = found.map_err(|e| request.missing(&format!("{file}:{line}"), e))?;
    let places = found.into_iter().map(|(func, offset)| place(request, module.map(Into::into), func, offset));
    Ok(places.collect())
}

pub(super) fn line_and_column(request: &Request, parts: &[String]) -> Result<(u32, Option<u32>), Refusal> {
    let parse = |what: &str, text: &str| {
        let n = number(text).map_err(|e| request.error(format!("the {what} cannot be read: {e}")))?;
        u32::try_from(n).map_err(|_| request.error(format!("the {what} is too large: {text}")))
    };
    match parts {
        [line] => Ok((parse("line", line)?, None)),
        [line, column] => Ok((parse("line", line)?, Some(parse("column", column)?))),
        _ => Err(request.error("a source line is written @FILE:LINE or @FILE:LINE:COLUMN")),
    }
}

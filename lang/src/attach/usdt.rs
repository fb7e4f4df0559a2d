//! `usdt`: the static probes of programs and libraries.

use super::operand::{self, Address, At, Operand, Part};
use super::{Place, Provider, Refusal, Request, Sight};
use crate::System;
use crate::context::{Argument, Context, Location, Memory, Register};
use crate::system::{SystemError, UserFiles};
use crate::target::{StaticPlace, Target};
use crate::types::{AddrSpace, I64, U64};

/// `usdt:BINARY[:PROVIDER]:NAME`
pub(super) struct Usdt;

impl Provider for Usdt {
    fn names(&self) -> &'static [&'static str] {
        &["usdt"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let (binary, provider, name) = parts(request)?;
        if name.is_empty() {
            return Err(request.error("usdt: no probe is named"));
        }
        let files = files(request, binary)?;
        let found = request.system.static_probes(files, provider, name);
        let asked = request.args().join(":");
        let found = found.map_err(|e| request.missing(&asked, e))?;
        if found.is_empty() {
            return Err(request.missing(&asked, SystemError::missing("", None)));
        }
        let pid = request.options.pid;
        let places = found.into_iter().map(|probe| {
            let (path, provider, probe_name) = (probe.path, probe.provider, probe.name);
            let name = format!("usdt:{path}:{provider}:{probe_name}");
            let target = |place| Target::Usdt { path: path.clone(), place, pid };
            Place { name, targets: probe.places.into_iter().map(target).collect(), matched: None }
        });
        Ok(places.collect())
    }

    fn context(&self, sight: &Sight) -> Context {
        let Target::Usdt { path, place, .. } = sight.target else { return Context::bare(sight.kind) };
        let context = Context::function(sight.kind, false);
        let numbered = if sight.wants.numbered { arguments(path, place, sight) } else { vec![] };
        let count = match numbered.len() {
            0 => "no arguments".into(),
            1 => "one argument".into(),
            n => format!("{n} arguments"),
        };
        Context {
            space: AddrSpace::User,
            binary: Some(path.clone()),
            numbered,
            numbered_as: I64,
            all_numbered: Some(format!("{} has {count}", sight.name).into()),
            advice: &[("args", "the arguments of static probes have no names: use arg0, arg1, …")],
            ..context
        }
    }
}

/// The binary, the provider and the name, all of them patterns; an empty binary is that of `-p` or `-c`.
fn parts<'a>(request: &Request<'a>) -> Result<(&'a str, &'a str, &'a str), Refusal> {
    let traced = request.options.pid.is_some() || request.options.command.is_some();
    let (binary, provider, name) = match request.args() {
        [name] if traced => ("", "*", name),
        [name] if name == "*" => ("*", "*", name),
        [binary, name] => (binary.as_str(), "*", name),
        [binary, provider, name] => (binary.as_str(), provider.as_str(), name),
        [_] => {
            let hint = "without a binary the probe is looked for in the process of -p or the program of -c";
            return Err(request.count_error("2 or 3").hint(hint));
        }
        _ => return Err(request.count_error("2 or 3")),
    };
    Ok((binary, if provider.is_empty() { "*" } else { provider }, name))
}

/// The files to look into.
fn files<'a>(request: &'a Request, binary: &'a str) -> Result<UserFiles<'a>, Refusal> {
    match (binary, request.options.pid, &request.options.command) {
        ("" | "*", Some(pid), _) => Ok(UserFiles::Named("*", Some(pid))),
        ("" | "*", None, Some(command)) => Ok(UserFiles::Program(command)),
        ("*", None, None) => Ok(UserFiles::Mapped),
        ("", None, None) => Err(request
            .error("usdt: no program or library is named")
            .hint("usdt:*:PROVIDER:NAME looks into every file that a process runs")),
        (binary, pid, _) => Ok(UserFiles::Named(binary, pid)),
    }
}

/// The types of a place's arguments, as `-lv` shows them.
pub fn argument_types(arguments: &str) -> Vec<String> {
    operand::split(arguments).into_iter().map(operand::type_name).collect()
}

fn arguments(path: &str, place: &StaticPlace, sight: &Sight) -> Vec<Argument> {
    let argument = |text: &str| {
        let operand = operand::parse(text);
        let ty = operand.as_ref().map_or(U64, |o| o.ty.clone());
        let at = operand.map_err(str::to_owned).and_then(|o| locate(o, path, place, sight.system));
        let at = at.map_err(|why| format!("{why} ({text} of {})", sight.name).into());
        Argument { name: "".into(), ty, at }
    };
    operand::split(&place.arguments).into_iter().map(argument).collect()
}

fn locate(
    operand: Operand,
    path: &str,
    place: &StaticPlace,
    system: &dyn System,
) -> Result<Location, String> {
    Ok(match operand.at {
        At::Constant(value) => Location::Constant(value),
        At::Register(part) => {
            let (offset, _) = register(part, system)?;
            let size = part.size.min(operand.ty.size() as u8);
            Location::Register(Register::At { offset: offset + part.from, size })
        }
        At::Memory(address) => Location::Memory(memory(&address, path, place, system)?),
    })
}

fn register(part: Part, system: &dyn System) -> Result<(u32, u8), String> {
    let unknown = || format!("the register {} is not known here", part.register);
    system.register(part.register).ok_or_else(unknown)
}

/// Code and data of a file keep their distance, wherever they are loaded: what is named by a symbol is found from the
/// place itself.
fn memory(address: &Address, path: &str, place: &StaticPlace, system: &dyn System) -> Result<Memory, String> {
    let base = match address.base {
        Some(part) if part.register == "ip" => None,
        base => base,
    };
    let of = |part: Part| register(part, system).map(|(offset, _)| offset);
    let memory = Memory {
        base: base.map(of).transpose()?,
        index: address.index.map(|(part, scale)| Ok::<_, String>((of(part)?, scale))).transpose()?,
        offset: address.offset,
        narrow: base.or(address.index.map(|(part, _)| part)).is_some_and(|part| part.size == 4),
    };
    let Some(symbol) = address.symbol else {
        let is_relative = address.base.is_some() && base.is_none();
        let why = "it is relative to an instruction that is not known";
        return if is_relative { Err(why.into()) } else { Ok(memory) };
    };
    let start = system.static_symbol(path, symbol).map_err(|e| e.message)?;
    let offset = start.wrapping_add_signed(address.offset) as i64;
    if memory.base.is_some() || memory.index.is_some() {
        // Such code is for a program that is never loaded elsewhere.
        return Ok(Memory { offset, ..memory });
    }
    let ip = Part { register: "ip", from: 0, size: 8 };
    let distance = offset.wrapping_sub_unsigned(place.address);
    Ok(Memory { base: Some(of(ip)?), offset: distance, ..memory })
}

//! `uprobe` and `uretprobe`: functions of programs and libraries.

use super::kprobe::line_and_column;
use super::{Place, Provider, Refusal, Request, Sight, has_wildcard, split_offset};
use crate::context::{Args, Context};
use crate::parse::number;
use crate::system::SourceLine;
use crate::target::Target;
use crate::types::{AddrSpace, Type};
use std::rc::Rc;

/// `uprobe`, `uretprobe`.
pub(super) struct Uprobe;

/// Languages whose names may be written as in their source.
const LANGUAGES: &[&str] = &["cpp"];

impl Provider for Uprobe {
    fn names(&self) -> &'static [&'static str] {
        &["uprobe", "uretprobe"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        if let Some(line) = &request.parts.line {
            return source_line(request, line);
        }
        let (binary, symbol) = target(request)?;
        if symbol.is_empty() {
            let message = format!("{}: no function or address is named", request.kind.name);
            return Err(request.error(message));
        }
        let (func, offset) = split_offset(&symbol).map_err(|m| request.error(m))?;
        if offset.is_some() && is_return(request) {
            return Err(request
                .error(format!("{} takes no offset", request.kind.name))
                .hint("return probes fire where the function returns"));
        }
        match number(func) {
            Ok(address) if offset.is_none() => at_address(request, &binary, address),
            _ => functions(request, &binary, func, offset.unwrap_or(0)),
        }
    }

    fn context(&self, sight: &Sight) -> Context {
        let Target::Uprobe { path, offset, ret, .. } = sight.target else { return Context::bare(sight.kind) };
        let args = match sight.wants.args && !*ret {
            true => arguments(sight, path, *offset),
            false => Args::None,
        };
        Context {
            space: AddrSpace::User,
            args,
            func: Some(Type::Usym),
            binary: Some(path.clone()),
            ..Context::function(sight.kind, *ret)
        }
    }
}

/// What debug information says of the function's parameters.
fn arguments(sight: &Sight, path: &str, offset: u64) -> Args {
    match sight.system.user_arguments(path, offset) {
        Ok(list) => Args::Values(list.into()),
        Err(why) => Args::Unavailable(why),
    }
}

fn is_return(request: &Request) -> bool {
    request.kind.name == "uretprobe"
}

/// The binary and what is asked of it; with `-p` the process's own program where none is named.
fn target(request: &Request) -> Result<(String, String), Refusal> {
    let (binary, symbol) = match (request.args(), request.options.pid) {
        ([symbol], Some(pid)) => (format!("/proc/{pid}/exe"), symbol.clone()),
        ([binary, symbol], _) => (binary.clone(), symbol.clone()),
        // The system takes the language as a part of the symbol.
        ([binary, language, symbol], _) if LANGUAGES.contains(&language.as_str()) => {
            (binary.clone(), format!("{language}:{symbol}"))
        }
        ([_, language, _], _) => {
            return Err(
                request.error(format!("symbols of '{language}' are not known: cpp is the only language"))
            );
        }
        _ => return Err(request.count_error("2 or 3")),
    };
    if binary.is_empty() {
        return Err(request.error(format!("{}: no program or library is named", request.kind.name)));
    }
    Ok((binary, symbol))
}

fn at_address(request: &Request, binary: &str, address: u64) -> Result<Vec<Place>, Refusal> {
    if has_wildcard(binary) {
        return Err(request.error("with an address the program is named in full, without wildcards"));
    }
    let pid = request.options.pid;
    let found = request.system.uprobe_address(binary, address, pid);
    let (path, offset) = found.map_err(|e| request.missing(&format!("{binary}:{address}"), e))?;
    let name = format!("{}:{path}:{address}", request.kind.name);
    let target = Target::Uprobe { path, symbol: "".into(), offset, ret: is_return(request), pid };
    Ok(vec![Place::new(name, target)])
}

fn functions(request: &Request, binary: &str, func: &str, offset: u64) -> Result<Vec<Place>, Refusal> {
    let ret = is_return(request);
    let found = request.system.uprobes(binary, func, offset, ret, request.options.pid);
    let found = found.map_err(|e| request.missing(&format!("{binary}:{func}"), e))?;
    let suffix = if offset == 0 { String::new() } else { format!("+{offset}") };
    let places = found.into_iter().map(|target| {
        let (path, symbol) = names(&target, binary, func);
        Place::new(format!("{}:{path}:{symbol}{suffix}", request.kind.name), target)
    });
    Ok(places.collect())
}

/// `BINARY@FILE:LINE[:COL]`, `BINARY:FUNC@FILE:LINE[:COL]`
fn source_line(request: &Request, line: &[String]) -> Result<Vec<Place>, Refusal> {
    if is_return(request) {
        return Err(request.error(format!("{} takes no source line", request.kind.name)));
    }
    let (binary, func) = match request.args() {
        [binary] => (binary, None),
        [binary, func] => (binary, Some(func.as_str())),
        _ => return Err(request.count_error("1 or 2")),
    };
    if binary.is_empty() || has_wildcard(binary) || func.is_some_and(|f| f.is_empty() || has_wildcard(f)) {
        return Err(request
            .error("with a source line the program and the function are named in full, without wildcards"));
    }
    let [file, rest @ ..] = line else { return Err(request.error("no file and line follow the '@'")) };
    let (line, column) = line_and_column(request, rest)?;
    let pid = request.options.pid;
    let found = request.system.user_source_line(binary, func, SourceLine { file, line, column }, pid);
    let found = found.map_err(|e| request.missing(&format!("{binary}@{file}:{line}"), e))?;
    let places = found.into_iter().map(|(offset, target)| {
        let (path, symbol) = names(&target, binary, func.unwrap_or_default());
        let suffix = if offset == 0 { String::new() } else { format!("+{offset}") };
        Place::new(format!("{}:{path}:{symbol}{suffix}", request.kind.name), target)
    });
    Ok(places.collect())
}

/// What the system found, by name.
fn names(target: &Target, binary: &str, func: &str) -> (Rc<str>, Rc<str>) {
    match target {
        Target::Uprobe { path, symbol, .. } => (path.clone(), symbol.clone()),
        _ => (binary.into(), func.into()),
    }
}

//! `fentry` and `fexit`: kernel functions by their types.

use super::{Place, Provider, Refusal, Request, Sight, by_type, has_wildcard};
use crate::context::{ARG_REGISTERS, Args, Argument, Context, Ctx, Location, Register};
use crate::system::{BtfFunction, FuncProto, SystemError, Taker};
use crate::target::Target;
use crate::types::{AddrSpace, Type};
use std::rc::Rc;

/// `fentry[:MODULE]:FUNC`, `fexit[:MODULE]:FUNC`
pub(super) struct Fentry;

/// Bytes of a word of the context.
const WORD: u32 = 8;

impl Provider for Fentry {
    fn names(&self) -> &'static [&'static str] {
        &["fentry", "fexit"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let (module, func) = match request.args() {
            [func] => (None, func),
            [module, func] => (Some(module.as_str()), func),
            _ => return Err(request.count_error("1 or 2")),
        };
        if func.is_empty() {
            return Err(request.error(format!("{}: no function is named", request.kind.name)));
        }
        let func = match by_type::find(request, module, func)? {
            Ok((takers, ty)) => return Ok(taking(request, takers, &ty)),
            Err(func) => func,
        };
        if has_wildcard(func) || module.is_some_and(has_wildcard) {
            return matching(request, module, func);
        }
        let what = module.map_or(func.to_owned(), |m| format!("{m}:{func}"));
        let proto = request.system.kernel_function_proto(module, func);
        let proto = proto.map_err(|e| {
            request
                .missing(&what, SystemError { hint: Some("kprobe and kretprobe need no types".into()), ..e })
        })?;
        let found = place(request, func, proto);
        let unknown = || request.missing(&what, SystemError::missing("", None));
        Ok(vec![found.ok_or_else(unknown)?])
    }

    fn context(&self, sight: &Sight) -> Context {
        let (func, module, ret, values) = match sight.target {
            Target::KernelFunction { func, module, ret, .. } => (func, &**module, *ret, Values::InContext),
            // One of many (`check/many.rs`): the program has the registers of the call.
            Target::Kprobe { func, module, ret, .. } => {
                (func, module.as_deref().unwrap_or("vmlinux"), *ret, Values::InRegisters)
            }
            _ => return Context::bare(sight.kind),
        };
        let context = Context {
            space: AddrSpace::Kernel,
            any_process: true,
            ctx: Ctx::Struct("bpf_raw_tracepoint_args".into()),
            func: Some(Type::Ksym),
            matched: sight.matched.and_then(|m| {
                let found = argument("".into(), &m.ty, u32::from(m.word) * WORD, values);
                Some((found.ty, found.at.ok()?))
            }),
            ..Context::bare(sight.kind)
        };
        if !(sight.wants.args || sight.wants.retval && ret) {
            return context;
        }
        match sight.system.kernel_function_proto(Some(module), func) {
            Ok(proto) => with_values(context, proto, ret, values),
            Err(why) => Context { args: Args::Unavailable(why), ..context },
        }
    }
}

/// The functions of a pattern that the kernel knows by type; others are left out.
fn matching(request: &Request, module: Option<&str>, func: &str) -> Result<Vec<Place>, Refusal> {
    let what = module.map_or(func.to_string(), |m| format!("{m}:{func}"));
    let found = request.system.kernel_functions_taking(module, func, None);
    let found = found.map_err(|e| request.missing(&what, e))?;
    let known: Vec<Place> = found.into_iter().map(|t| bound(request, &t.func, t.function)).collect();
    if known.is_empty() {
        return Err(request.missing(&what, SystemError::missing("", None)));
    }
    Ok(known)
}

/// The places of functions that were found by the type of an argument.
fn taking(request: &Request, takers: Vec<Taker>, ty: &Type) -> Vec<Place> {
    let places = takers.into_iter().map(|t| bound(request, &t.func, t.function).taking(ty, t.word));
    places.collect()
}

fn place(request: &Request, func: &str, proto: FuncProto) -> Option<Place> {
    Some(bound(request, func, proto.function?))
}

fn bound(request: &Request, func: &str, function: BtfFunction) -> Place {
    let name = format!("{}:{}:{func}", request.kind.name, function.module);
    let ret = request.kind.name == "fexit";
    let target = Target::KernelFunction { func: func.into(), module: function.module, id: function.id, ret };
    Place::new(name, target)
}

/// The context has a word for each 8 bytes of each argument, and behind them on return the result.
fn with_values(context: Context, proto: FuncProto, ret: bool, values: Values) -> Context {
    let mut at = 0;
    let mut arguments = vec![];
    for (name, ty) in proto.params {
        let count = ty.size().div_ceil(WORD).max(1);
        arguments.push(argument(name, &ty, at, values));
        // Where what follows a struct lies depends on what the struct is made of.
        at = if count > 1 && values == Values::InRegisters { BEYOND } else { at + count * WORD };
    }
    let result = match values {
        Values::InContext => argument("retval".into(), &proto.ret, at, values),
        Values::InRegisters => {
            let ty = proto.ret.in_space(AddrSpace::Kernel);
            Argument { name: "retval".into(), ty, at: Ok(Location::Register(Register::Return)) }
        }
    };
    if !ret || result.ty == Type::Void {
        let advice: &[_] = if ret { &[("retval", "this function returns nothing")] } else { &[] };
        return Context { args: Args::Values(arguments.into()), advice, ..context };
    }
    let retval = result.at.as_ref().ok().map(|location| (result.ty.clone(), *location));
    arguments.push(result);
    Context { args: Args::Values(arguments.into()), retval, ..context }
}

/// Where a program finds the values of its function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Word by word in its context.
    InContext,
    /// In the registers of the call.
    InRegisters,
}

/// No register is there.
const BEYOND: u32 = ARG_REGISTERS as u32 * WORD;

fn argument(name: Rc<str>, ty: &Type, at: u32, values: Values) -> Argument {
    let ty = ty.in_space(AddrSpace::Kernel);
    let at = match (values, &ty) {
        (Values::InContext, Type::Ptr { .. }) => Ok(Location::Pointer(at)),
        (Values::InContext, _) => Ok(Location::Word(at)),
        (Values::InRegisters, _) if at < BEYOND && ty.size() <= WORD => {
            Ok(Location::Register(Register::Arg((at / WORD) as u8)))
        }
        (Values::InRegisters, _) => Err("it is not passed in one register".into()),
    };
    Argument { name, ty, at }
}

//! From a value's bytes and type to what it is.

use super::datum::{Datum, Stack, StackFrame};
use super::env::Env;
use super::lookup::{Cgroups, Users};
use crate::bytes::{int_at, u32_at, u64_at};
use crate::sys::time;
use rbtrace_lang::types::{AF_INET, Field, StackMode, StackType, TupleType, Type};
use rbtrace_stdlib::constants;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

/// `struct bpf_stack_build_id` (include/uapi/linux/bpf.h): status, 20 bytes of id, offset or address.
const BUILD_ID_ENTRY: usize = 32;
/// `BPF_STACK_BUILD_ID_EMPTY`: the stack ends here.
const BUILD_ID_EMPTY: u32 = 0;
/// `BPF_STACK_BUILD_ID_VALID`: otherwise there is an address only.
const BUILD_ID_VALID: u32 = 1;

/// The value that lies in `data`.
pub fn read(env: &Env, ty: &Type, data: &[u8]) -> Datum {
    match ty {
        Type::Void | Type::Float(_) => Datum::Nothing,
        Type::Bool => Datum::Bool(data.first().is_some_and(|b| *b != 0)),
        Type::Int { size, signed } => Datum::Number(int_at(data, usize::from(*size), *signed)),
        Type::Enum(e) => {
            let number = int_at(data, usize::from(e.size), e.signed);
            // Of several names for one value the last one counts.
            let named = e.values.iter().rfind(|(_, v)| i128::from(*v) == number);
            Datum::Constant { name: named.map(|(name, _)| name.clone()), number }
        }
        Type::Str(n) => Datum::Text([text(data, *n as usize), trailer(env, data, *n as usize)].concat()),
        Type::Buf(_) => Datum::Bytes(buffer(data).to_vec()),
        Type::Ptr { .. } => Datum::Address(u64_at(data, 0)),
        Type::Struct(s) => {
            let mut members = Vec::new();
            read_members(env, &env.fields(s), data, &mut members);
            Datum::Struct(members)
        }
        Type::Array { elem, len } => {
            let elements = data.chunks_exact((elem.size() as usize).max(1)).take(*len as usize);
            Datum::List(elements.map(|e| read(env, elem, e)).collect())
        }
        Type::Tuple(t) => Datum::Tuple(fields(env, t, data)),
        Type::KStack(ty) => Datum::Stack(stack(env, *ty, false, data)),
        Type::UStack(ty) => Datum::Stack(stack(env, *ty, true, data)),
        ty => named(env, ty, data),
    }
}

/// The parts of a map's key: the fields of a tuple side by side.
pub fn key(env: &Env, ty: &Type, data: &[u8]) -> Vec<Datum> {
    match ty {
        Type::Tuple(t) if t.fields.iter().all(|(name, _)| name.is_none()) => {
            fields(env, t, data).into_iter().map(|(_, value)| value).collect()
        }
        ty => vec![read(env, ty, data)],
    }
}

fn fields(env: &Env, tuple: &TupleType, data: &[u8]) -> Vec<(Option<Rc<str>>, Datum)> {
    let fields = tuple.fields.iter().zip(tuple.offsets());
    fields.map(|((name, ty), at)| (name.clone(), read(env, ty, tail(data, at)))).collect()
}

/// Values that are shown by the name of something.
fn named(env: &Env, ty: &Type, data: &[u8]) -> Datum {
    let word = u64_at(data, 0);
    Datum::Name(match ty {
        Type::Ksym => {
            return Datum::Symbol { address: word, symbol: env.names.borrow_mut().kernel(word) };
        }
        Type::Usym => {
            let symbol = env.names.borrow_mut().user(u32_at(data, 8), word);
            return Datum::Symbol { address: word, symbol };
        }
        Type::Timestamp { format, base } => time::format(format, env.wall_time(word, *base)),
        Type::Inet => inet(data),
        Type::Mac => data.iter().take(6).map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":"),
        Type::Username => env.users.get_or_init(Users::read).name(u32_at(data, 0)),
        Type::CgroupPath(pattern) => env.cgroups.get_or_init(Cgroups::read).path(word, pattern),
        Type::Strerror => strerror(int_at(data, 4, true) as i32),
        Type::SignalName => or_not(constants::signal_meaning(int_at(data, 4, true) as i64)),
        Type::SyscallName => or_not(constants::syscall_name(int_at(data, 4, true) as i64)),
        Type::ProbeName => {
            env.probes.get(u32_at(data, 0) as usize).map_or_else(String::new, |n| n.to_string())
        }
        _ => String::new(),
    })
}

/// The bytes of a `Buf`.
pub fn buffer(data: &[u8]) -> &[u8] {
    let len = u32_at(data, 0) as usize;
    let rest = data.get(4..).unwrap_or(&[]);
    &rest[..len.min(rest.len())]
}

/// The bytes of a text up to its NUL.
pub fn text(data: &[u8], size: usize) -> &[u8] {
    let data = &data[..size.min(data.len())];
    data.iter().position(|&b| b == 0).map_or(data, |n| &data[..n])
}

/// The mark behind a text that `max_strlen` cut. A shorter one without a NUL was not cut: it is an array
/// of chars that is full.
pub fn trailer<'a>(env: &'a Env, data: &[u8], size: usize) -> &'a [u8] {
    let cut = size >= env.max_strlen && text(data, size).len() == size;
    if cut { env.trailer.as_bytes() } else { &[] }
}

/// Adds the members of a struct, those of anonymous structs as if they were the outer one's.
fn read_members(env: &Env, fields: &[Field], data: &[u8], out: &mut Vec<(Rc<str>, Datum)>) {
    for field in fields {
        let bytes = tail(data, field.offset);
        match (&field.ty, field.bits) {
            (Type::Struct(inner), _) if field.name.is_empty() => {
                read_members(env, &env.fields(inner), bytes, out);
            }
            (ty, Some(bits)) => {
                let unit = int_at(bytes, ty.size() as usize, false) as u64;
                let above = 64u32.saturating_sub(u32::from(bits.shift) + u32::from(bits.width));
                let value = unit << above.min(63);
                let shift = 64u32.saturating_sub(u32::from(bits.width)).min(63);
                let value = if ty.is_signed() { ((value as i64) >> shift) as u64 } else { value >> shift };
                out.push((field.name.clone(), read(env, ty, &value.to_le_bytes())));
            }
            (ty, None) => out.push((field.name.clone(), read(env, ty, bytes))),
        }
    }
}

fn stack(env: &Env, ty: StackType, user: bool, data: &[u8]) -> Stack {
    let (entry, pid) = (stack_entry(env, ty, user, data), u32_at(data, 8));
    let frame = |address| {
        let frame = StackFrame { address, ..StackFrame::default() };
        let mut names = env.names.borrow_mut();
        let (symbol, source) = match user {
            _ if matches!(ty.mode, StackMode::Raw | StackMode::BuildId) => return frame,
            true => (names.user(pid, address), names.user_source(pid, address)),
            false => (names.kernel(address), names.kernel_source(address)),
        };
        StackFrame { symbol, source, ..frame }
    };
    let frames = match ty.mode {
        StackMode::BuildId if user => build_ids(&entry, ty).collect(),
        _ => addresses(&entry, ty).map(frame).collect(),
    };
    Stack { mode: ty.mode, user, frames }
}

/// The stack map's entry; empty where no stack was taken.
fn stack_entry(env: &Env, ty: StackType, user: bool, data: &[u8]) -> Vec<u8> {
    let id = u64::try_from(int_at(data, 8, true)).ok();
    id.map_or_else(Vec::new, |id| env.stacks.frames(ty, user, id))
}

fn addresses(entry: &[u8], ty: StackType) -> impl Iterator<Item = u64> {
    entry.chunks_exact(8).map(|c| u64_at(c, 0)).take_while(|&a| a != 0).take(usize::from(ty.depth))
}

fn build_ids(entry: &[u8], ty: StackType) -> impl Iterator<Item = StackFrame> {
    let entries = entry.chunks_exact(BUILD_ID_ENTRY).take(usize::from(ty.depth));
    entries.take_while(|e| u32_at(e, 0) != BUILD_ID_EMPTY).map(|e| {
        let valid = u32_at(e, 0) == BUILD_ID_VALID;
        let build_id = e.get(4..24).filter(|_| valid).and_then(|id| id.try_into().ok());
        StackFrame { address: u64_at(e, 24), build_id, ..StackFrame::default() }
    })
}

fn tail(data: &[u8], at: u32) -> &[u8] {
    data.get(at as usize..).unwrap_or(&[])
}

fn inet(data: &[u8]) -> String {
    let addr = data.get(4..20).unwrap_or(&[0; 16]);
    if u32_at(data, 0) == AF_INET {
        return Ipv4Addr::new(addr[0], addr[1], addr[2], addr[3]).to_string();
    }
    <[u8; 16]>::try_from(addr).map_or_else(|_| String::new(), |a| Ipv6Addr::from(a).to_string())
}

/// A name, or the placeholder for a missing one.
fn or_not(name: Option<impl Into<String>>) -> String {
    name.map_or_else(|| "N/A".into(), Into::into)
}

fn strerror(errno: i32) -> String {
    let errno = errno.unsigned_abs() as i32;
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.split(" (os error").next() {
        Some(t) if !t.starts_with("Unknown error") => t.to_owned(),
        _ => "Unknown error".to_owned(),
    }
}

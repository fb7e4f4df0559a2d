//! One value of any type, as text and as JSON.

use super::env::Env;
use super::{json, stack};
use crate::bytes::{int_at, u32_at, u64_at};
use crate::sys::time;
use rbtrace_lang::types::{AF_INET, Field, Type};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How parts of a value stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people: `(1, 2)`.
    Text,
    /// Within a JSON key: `(1,2)`, stacks without indentation.
    Key,
}

impl Style {
    fn comma(self) -> &'static [u8] {
        if self == Style::Text { b", " } else { b"," }
    }
}

/// Appends the value that lies in `data`.
pub fn text(env: &Env, ty: &Type, data: &[u8], style: Style, out: &mut Vec<u8>) {
    match ty {
        Type::Void => {}
        Type::Bool => put(out, if data.first().is_some_and(|b| *b != 0) { "true" } else { "false" }),
        Type::Int { size, signed } => number(int_at(data, usize::from(*size), *signed), out),
        Type::Enum(e) => {
            let value = int_at(data, usize::from(e.size), e.signed);
            // Of several names for one value the last one counts.
            match e.values.iter().rfind(|(_, v)| i128::from(*v) == value) {
                Some((name, _)) => put(out, name),
                None => number(value, out),
            }
        }
        Type::Str(n) => string(env, data, *n as usize, out),
        Type::Buf(_) => escaped(buffer(data), out),
        Type::Ptr { .. } => hex(u64_at(data, 0), out),
        Type::Struct(s) => {
            put(out, "{ ");
            let mut first = true;
            members(env, &env.fields(s), data, &mut |name, ty, bytes| {
                separate(&mut first, b", ", out);
                let _ = write!(out, ".{name} = ");
                text(env, ty, bytes, style, out);
            });
            put(out, " }");
        }
        Type::Array { elem, len } => list(env, elem, *len, data, style, out),
        Type::Tuple(_) => tuple(env, ty, data, style, out),
        Type::KStack(st) => stack::kernel(env, *st, data, style, out),
        Type::UStack(st) => stack::user(env, *st, data, style, out),
        _ => named(env, ty, data, out),
    }
}

/// Values that print as the name of something.
fn named(env: &Env, ty: &Type, data: &[u8], out: &mut Vec<u8>) {
    let name = match ty {
        Type::Ksym => {
            let address = u64_at(data, 0);
            stack::symbol(env.names.borrow_mut().kernel(address).as_ref(), address, false)
        }
        Type::Usym => {
            let address = u64_at(data, 0);
            stack::symbol(env.names.borrow_mut().user(u32_at(data, 8), address).as_ref(), address, false)
        }
        Type::Timestamp { format, base } => time::format(format, env.wall_time(u64_at(data, 0), *base)),
        Type::Inet => inet(data),
        Type::Mac => mac(data),
        Type::Username => env.users.get_or_init(super::lookup::Users::read).name(u32_at(data, 0)),
        Type::CgroupPath(pattern) => {
            env.cgroups.get_or_init(super::lookup::Cgroups::read).path(u64_at(data, 0), pattern)
        }
        Type::Strerror => strerror(int_at(data, 4, true) as i32),
        Type::ProbeName => {
            env.probes.get(u32_at(data, 0) as usize).map_or_else(String::new, |n| n.to_string())
        }
        _ => String::new(),
    };
    put(out, &name);
}

/// Appends the value as JSON.
pub fn json(env: &Env, ty: &Type, data: &[u8], out: &mut Vec<u8>) {
    match ty {
        Type::Void => put(out, "null"),
        Type::Bool => text(env, ty, data, Style::Text, out),
        Type::Int { size, signed } => json::number(int_at(data, usize::from(*size), *signed), out),
        // Readers of the JSON form want the number.
        Type::Enum(e) => json::number(int_at(data, usize::from(e.size), e.signed), out),
        Type::Ptr { .. } => number(i128::from(u64_at(data, 0)), out),
        Type::Buf(_) => json_list(out, buffer(data).iter(), |b, out| number(i128::from(*b), out)),
        Type::Struct(s) => {
            let mut first = true;
            out.push(b'{');
            members(env, &env.fields(s), data, &mut |name, ty, bytes| {
                separate(&mut first, b", ", out);
                json::string(name.as_bytes(), out);
                put(out, ": ");
                json(env, ty, bytes, out);
            });
            out.push(b'}');
        }
        Type::Array { elem, len } => {
            let size = (elem.size() as usize).max(1);
            json_list(out, data.chunks_exact(size).take(*len as usize), |d, out| json(env, elem, d, out));
        }
        Type::Tuple(t) => {
            let named = t.fields.iter().any(|(n, _)| n.is_some());
            let mut first = true;
            out.push(if named { b'{' } else { b'[' });
            for ((name, ty), at) in t.fields.iter().zip(t.offsets()) {
                separate(&mut first, if named { b", " } else { b"," }, out);
                if let Some(name) = name {
                    json::string(name.as_bytes(), out);
                    put(out, ": ");
                }
                json(env, ty, tail(data, at), out);
            }
            out.push(if named { b'}' } else { b']' });
        }
        _ => {
            let mut plain = Vec::new();
            text(env, ty, data, Style::Text, &mut plain);
            json::string(&plain, out);
        }
    }
}

/// The bytes of a `Buf`.
pub fn buffer(data: &[u8]) -> &[u8] {
    let len = u32_at(data, 0) as usize;
    let rest = data.get(4..).unwrap_or(&[]);
    &rest[..len.min(rest.len())]
}

/// The bytes of a text up to its NUL.
pub fn text_bytes(data: &[u8], size: usize) -> &[u8] {
    let data = &data[..size.min(data.len())];
    data.iter().position(|&b| b == 0).map_or(data, |n| &data[..n])
}

/// A text, and the mark behind one that `max_strlen` cut. A shorter one that has no NUL was cut by nobody:
/// it is an array of chars that is full.
fn string(env: &Env, data: &[u8], size: usize, out: &mut Vec<u8>) {
    let bytes = text_bytes(data, size);
    out.extend_from_slice(bytes);
    if bytes.len() == size && size >= env.max_strlen {
        put(out, &env.trailer);
    }
}

/// Printable ASCII as it is, the rest as `\xNN`.
pub fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for &b in bytes {
        if (0x20..0x7f).contains(&b) {
            out.push(b);
        } else {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
}

/// Calls `f` for each member, those of anonymous structs as if they were the outer one's.
fn members(env: &Env, fields: &[Field], data: &[u8], f: &mut dyn FnMut(&str, &Type, &[u8])) {
    for field in fields {
        let bytes = tail(data, field.offset);
        match (&field.ty, field.bits) {
            (Type::Struct(inner), _) if field.name.is_empty() => {
                members(env, &env.fields(inner), bytes, f);
            }
            (ty, Some(bits)) => {
                let unit = int_at(bytes, ty.size() as usize, false) as u64;
                let above = 64u32.saturating_sub(u32::from(bits.shift) + u32::from(bits.width));
                let value = unit << above.min(63);
                let shift = 64u32.saturating_sub(u32::from(bits.width)).min(63);
                let value = if ty.is_signed() { ((value as i64) >> shift) as u64 } else { value >> shift };
                f(&field.name, ty, &value.to_le_bytes());
            }
            (ty, None) => f(&field.name, ty, bytes),
        }
    }
}

fn list(env: &Env, elem: &Type, len: u32, data: &[u8], style: Style, out: &mut Vec<u8>) {
    let size = (elem.size() as usize).max(1);
    out.push(b'[');
    let mut first = true;
    for element in data.chunks_exact(size).take(len as usize) {
        separate(&mut first, b",", out);
        text(env, elem, element, style, out);
    }
    out.push(b']');
}

fn tuple(env: &Env, ty: &Type, data: &[u8], style: Style, out: &mut Vec<u8>) {
    let Type::Tuple(t) = ty else { return };
    let named = t.fields.iter().any(|(n, _)| n.is_some());
    let (open, equals, close) = match (named, style) {
        (false, _) => ("(", "", ")"),
        (true, Style::Text) => ("{ ", " = ", " }"),
        (true, Style::Key) => ("{", "=", "}"),
    };
    put(out, open);
    let mut first = true;
    for ((name, ty), at) in t.fields.iter().zip(t.offsets()) {
        separate(&mut first, style.comma(), out);
        if let Some(name) = name {
            let _ = write!(out, ".{name}{equals}");
        }
        text(env, ty, tail(data, at), style, out);
    }
    put(out, close);
}

/// Appends a map's key: the fields of a tuple side by side.
pub fn key(env: &Env, ty: &Type, data: &[u8], style: Style, out: &mut Vec<u8>) {
    match ty {
        Type::Tuple(t) if t.fields.iter().all(|(n, _)| n.is_none()) => {
            let mut first = true;
            for ((_, ty), at) in t.fields.iter().zip(t.offsets()) {
                separate(&mut first, style.comma(), out);
                text(env, ty, tail(data, at), style, out);
            }
        }
        ty => text(env, ty, data, style, out),
    }
}

fn json_list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut f: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    let mut first = true;
    for item in items {
        separate(&mut first, b",", out);
        f(item, out);
    }
    out.push(b']');
}

fn tail(data: &[u8], at: u32) -> &[u8] {
    data.get(at as usize..).unwrap_or(&[])
}

fn separate(first: &mut bool, with: &[u8], out: &mut Vec<u8>) {
    if !std::mem::replace(first, false) {
        out.extend_from_slice(with);
    }
}

/// Appends a text.
pub fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a decimal number.
pub fn number(value: i128, out: &mut Vec<u8>) {
    let mut digits = [0u8; 40];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs() as u64;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `0x…`.
pub fn hex(value: u64, out: &mut Vec<u8>) {
    let _ = write!(out, "{value:#x}");
}

fn inet(data: &[u8]) -> String {
    let addr = data.get(4..20).unwrap_or(&[0; 16]);
    if u32_at(data, 0) == AF_INET {
        return Ipv4Addr::new(addr[0], addr[1], addr[2], addr[3]).to_string();
    }
    <[u8; 16]>::try_from(addr).map_or_else(|_| String::new(), |a| Ipv6Addr::from(a).to_string())
}

fn mac(data: &[u8]) -> String {
    data.iter().take(6).map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

fn strerror(errno: i32) -> String {
    let errno = errno.unsigned_abs() as i32;
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.split(" (os error").next() {
        Some(t) if !t.starts_with("Unknown error") => t.to_owned(),
        _ => "Unknown error".to_owned(),
    }
}

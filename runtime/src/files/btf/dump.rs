//! Types as C declarations, as `-lv` shows them.

use super::KindTag;
use super::blob::Btf;
use super::kernel::{KernelTypes, TypeId};
use super::kind::{BtfType, Composite, Kind};
use std::cell::Cell;
use std::fmt::Write as _;

/// Anonymous types nest a few levels; the limit stops a blob that runs in a circle.
const MAX_DEPTH: usize = 32;

/// At most this many types are written: each level of a circle may hold several ways on.
const MAX_STEPS: u32 = 1 << 14;

impl KernelTypes {
    /// The definition of a struct, union or enum in C, without a line break at the end.
    pub fn definition(&self, id: TypeId) -> Option<String> {
        self.with(id, |btf, ty| {
            let w = &Walk::new(btf);
            let mut out = String::new();
            body(&mut out, w, &ty, 0);
            Some(out + ";")
        })
    }

    /// Type and name of each parameter of a function, without the first `skip`, and the type of its
    /// result; types as C writes them (`struct sock *`).
    pub fn declared_params(&self, id: TypeId, skip: usize) -> Option<DeclaredProto> {
        self.with(id, |btf, _| {
            let w = &Walk::new(btf);
            let (params, ret) = super::convert::find_proto(btf, id.id)?;
            let text = |ty| declare(w, ty, String::new(), 0);
            // A last parameter of type void is `...`.
            let named = params.iter().skip(skip).filter(|(_, ty)| *ty != 0);
            let params = named.map(|(name, ty)| (text(ty), name.to_string())).collect();
            Some(DeclaredProto { params, ret: (ret != 0).then(|| text(ret)) })
        })
    }
}

/// A function's parameters and result as C writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredProto {
    /// Type and name; names may be empty.
    pub params: Vec<(String, String)>,
    /// Type of the result; `None` for `void`.
    pub ret: Option<String>,
}

/// A walk over types that ends, whatever they contain.
struct Walk<'a> {
    btf: &'a Btf,
    left: Cell<u32>,
}

impl<'a> Walk<'a> {
    fn new(btf: &'a Btf) -> Self {
        Walk { btf, left: Cell::new(MAX_STEPS) }
    }

    /// One type more; false when it is enough.
    fn step(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n('\t', depth));
}

/// `struct name {` … `}` of a type whose members are shown.
fn body(out: &mut String, w: &Walk, ty: &BtfType, depth: usize) {
    let space = if ty.name().is_empty() { "" } else { " " };
    match ty.kind {
        Kind::Struct(c) => {
            let _ = writeln!(out, "struct{space}{} {{", ty.name());
            members(out, w, c, depth + 1);
        }
        Kind::Union(c) => {
            let _ = writeln!(out, "union{space}{} {{", ty.name());
            members(out, w, c, depth + 1);
        }
        Kind::Enum { values, .. } => {
            let _ = writeln!(out, "enum{space}{} {{", ty.name());
            for (name, value) in values.iter() {
                indent(out, depth + 1);
                let _ = writeln!(out, "{name} = {value},");
            }
        }
        _ => return,
    }
    indent(out, depth);
    out.push('}');
}

fn members(out: &mut String, w: &Walk, c: Composite, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    for m in c.members() {
        indent(out, depth);
        out.push_str(&declare(w, m.ty, m.name.to_string(), depth));
        if m.bit_width > 0 {
            let _ = write!(out, ": {}", m.bit_width);
        }
        out.push_str(";\n");
    }
}

/// C's declarator rule, from the inside out: `inner` is what stands where the name stands. An empty
/// name leaves the type alone.
fn declare(w: &Walk, id: u32, inner: String, depth: usize) -> String {
    if depth > MAX_DEPTH + 16 || !w.step() {
        return inner;
    }
    let Some(ty) = w.btf.ty(id) else { return inner };
    let join = |base: &str| match inner.as_str() {
        "" => base.to_string(),
        inner => format!("{base} {inner}"),
    };
    match ty.kind {
        Kind::Void => join("void"),
        Kind::Ptr(to) => pointer(w, to, "*", &inner, depth),
        Kind::Array { elem, len } => declare(w, elem, format!("{inner}[{len}]"), depth + 1),
        Kind::FuncProto { params, ret } => {
            let params: Vec<String> = params.iter().map(|(_, p)| param(w, p, depth)).collect();
            let params = if params.is_empty() { "void".into() } else { params.join(", ") };
            declare(w, ret, format!("{inner}({params})"), depth + 1)
        }
        Kind::Qualifier(tag, to) => qualified(w, tag, to, inner, depth),
        Kind::TypeTag(to) => declare(w, to, inner, depth + 1),
        Kind::Struct(_) | Kind::Union(_) | Kind::Enum { .. } if ty.name().is_empty() => {
            let mut text = String::new();
            body(&mut text, w, &ty, depth);
            join(&text)
        }
        Kind::Struct(_) => join(&format!("struct {}", ty.name())),
        Kind::Union(_) => join(&format!("union {}", ty.name())),
        Kind::Enum { .. } => join(&format!("enum {}", ty.name())),
        Kind::Fwd { union } => join(&format!("{} {}", if union { "union" } else { "struct" }, ty.name())),
        _ => join(ty.name()),
    }
}

/// A pointer binds looser than `[]` and `()`.
fn pointer(w: &Walk, to: u32, star: &str, inner: &str, depth: usize) -> String {
    let target = w.btf.ty(skip_tags(w, to)).map(|t| t.kind);
    let inner = format!("{star}{inner}");
    let wrap = matches!(target, Some(Kind::Array { .. } | Kind::FuncProto { .. }));
    declare(w, to, if wrap { format!("({inner})") } else { inner }, depth + 1)
}

fn qualified(w: &Walk, tag: KindTag, to: u32, inner: String, depth: usize) -> String {
    let word = match tag {
        KindTag::Const => "const",
        KindTag::Volatile => "volatile",
        _ => "restrict",
    };
    // Of a pointer, the qualifier stands after the star; of all else, before the type.
    if let Some(Kind::Ptr(target)) = w.btf.ty(to).map(|t| t.kind) {
        let gap = if inner.is_empty() { "" } else { " " };
        return pointer(w, target, &format!("* {word}{gap}"), &inner, depth);
    }
    format!("{word} {}", declare(w, to, inner, depth + 1))
}

fn skip_tags(w: &Walk, mut id: u32) -> u32 {
    for _ in 0..16 {
        match w.btf.ty(id).map(|t| t.kind) {
            Some(Kind::TypeTag(next)) => id = next,
            _ => break,
        }
    }
    id
}

fn param(w: &Walk, id: u32, depth: usize) -> String {
    if id == 0 { "...".into() } else { declare(w, id, String::new(), depth + 1) }
}

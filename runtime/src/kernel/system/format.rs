//! `format` files of tracepoints (Documentation/trace/events.rst, "Event formats").

use super::ctype::base_type;
use super::named::{NameOf, named, named_enum};
use rbtrace_lang::system::TracepointFormat;
use rbtrace_lang::target::SystemCall;
use rbtrace_lang::types::{AddrSpace, Field, Type};

/// One `field:` line.
struct Line<'a> {
    decl: &'a str,
    offset: u32,
    size: u32,
    signed: bool,
}

/// A declaration taken apart: `const char * name[4]`.
#[derive(Debug, PartialEq)]
struct Decl<'a> {
    /// The type before the first `*`, without qualifiers.
    base: String,
    /// How many `*`.
    stars: usize,
    name: &'a str,
    /// What stands in `[]` after the name or, for data elsewhere, after the type.
    array: Option<&'a str>,
    loc: Loc,
    user: bool,
}

/// Where a field's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loc {
    Here,
    /// `__data_loc`: offset from the start of the record and length.
    Data,
    /// `__rel_loc`: offset from the end of the field and length.
    Relative,
}

/// Reads a format file. `syscall` is the call whose arguments the event carries.
pub(super) fn parse(text: &str, syscall: Option<SystemCall>) -> Option<TracepointFormat> {
    let id = text.lines().find_map(|l| l.strip_prefix("ID:"))?.trim().parse().ok()?;
    let fields = text.lines().filter_map(line).filter_map(|l| field(&l, syscall.is_some())).collect();
    Some(TracepointFormat { id, fields, syscall })
}

/// Names and types as the file writes them, without the common fields: `const char * filename`.
pub(crate) fn declarations(text: &str) -> Vec<String> {
    let decls = text.lines().filter_map(line).map(|l| l.decl.to_string());
    decls.filter(|d| !parse_decl(d).is_some_and(|d| d.name.starts_with("common_"))).collect()
}

fn line(text: &str) -> Option<Line<'_>> {
    let rest = text.trim_start().strip_prefix("field:")?;
    let mut parts = rest.split(';').map(str::trim);
    let decl = parts.next()?;
    let (mut offset, mut size, mut signed) = (None, None, false);
    for part in parts {
        match part.split_once(':') {
            Some(("offset", n)) => offset = n.parse().ok(),
            Some(("size", n)) => size = n.parse().ok(),
            Some(("signed", n)) => signed = n == "1",
            _ => {}
        }
    }
    Some(Line { decl, offset: offset?, size: size?, signed })
}

fn field(line: &Line, syscall: bool) -> Option<Field> {
    let decl = parse_decl(line.decl)?;
    // Arguments of a call take eight bytes each, whatever their type; user space wrote the pointers.
    let argument = syscall && line.size == 8 && line.offset >= 16;
    let space = if decl.user || argument { AddrSpace::User } else { AddrSpace::Kernel };
    let ty = match decl.loc {
        Loc::Here => place(&decl, line, argument, space),
        Loc::Data => Type::ptr(scalar_or_named(&decl.base, 0, false), AddrSpace::Kernel),
        Loc::Relative => Type::int(4, false),
    };
    let data_loc = decl.loc == Loc::Data;
    Some(Field { name: decl.name.into(), ty, offset: line.offset, bits: None, data_loc })
}

/// Type of data that lies in the record itself.
fn place(decl: &Decl, line: &Line, argument: bool, space: AddrSpace) -> Type {
    let Some(len) = decl.array else { return value(decl, line.size, line.signed, argument, space) };
    if decl.stars == 0 && decl.base == "char" && line.size > 0 {
        return Type::Str(line.size);
    }
    let known = if decl.stars > 0 { Some(8) } else { base_type(&decl.base).map(|t| t.size()) };
    let len: u32 = match (len.trim().parse(), known) {
        (Ok(n), _) => n,
        // A length that is an expression: as many as fit.
        (Err(_), Some(size)) if size > 0 => line.size / size,
        _ => line.size,
    };
    let size = known.unwrap_or_else(|| line.size.checked_div(len).unwrap_or(0));
    Type::Array { elem: Box::new(value(decl, size, line.signed, false, space)), len }
}

/// Type of one value of `size` bytes.
fn value(decl: &Decl, size: u32, signed: bool, argument: bool, space: AddrSpace) -> Type {
    if decl.stars > 0 {
        let mut ty = scalar_or_named(&decl.base, 0, false);
        for _ in 0..decl.stars {
            ty = Type::ptr(ty, space);
        }
        return ty;
    }
    match base_type(&decl.base) {
        Some(Type::Bool) if size == 1 || argument => Type::Bool,
        // The kernel takes the low bytes of the register as C says; the file's size is the register's.
        Some(ty @ Type::Int { .. }) if argument => ty,
        _ => scalar_or_named(&decl.base, size, signed),
    }
}

/// A type of this name and size. Size 0: only the name is known, as behind a pointer.
fn scalar_or_named(base: &str, size: u32, signed: bool) -> Type {
    if let Some(name) = base.strip_prefix("struct ") {
        return named(NameOf::Struct, name, size);
    }
    if let Some(name) = base.strip_prefix("union ") {
        return named(NameOf::Union, name, size);
    }
    if let Some(name) = base.strip_prefix("enum ") {
        return named_enum(name, if matches!(size, 1 | 2 | 4 | 8) { size as u8 } else { 4 }, signed);
    }
    match size {
        1 | 2 | 4 | 8 => Type::int(size as u8, signed),
        0 => base_type(base).unwrap_or_else(|| named(NameOf::Typedef, base, 0)),
        _ => named(NameOf::Typedef, base, size),
    }
}

fn parse_decl(decl: &str) -> Option<Decl<'_>> {
    let (loc, decl) = match decl.split_once(' ') {
        Some(("__data_loc", rest)) => (Loc::Data, rest),
        Some(("__rel_loc", rest)) => (Loc::Relative, rest),
        _ => (Loc::Here, decl),
    };
    let (decl, array) = match decl.strip_suffix(']') {
        // The length may itself hold brackets, as in `sizeof(x[0])`.
        Some(open) => split_array(open)?,
        None => (decl, None),
    };
    let decl = decl.trim_end();
    let at = decl.rfind(|c: char| !(c.is_alphanumeric() || c == '_'))? + 1;
    let (mut ty, name) = (decl[..at].trim(), &decl[at..]);
    let mut array = array;
    if loc != Loc::Here
        && let Some(elem) = ty.strip_suffix(']')
    {
        let (elem, len) = elem.rsplit_once('[')?;
        (ty, array) = (elem, Some(len));
    }
    let user = ty.contains("__user") || ty.contains("btf_type_tag(\"user\")");
    let (base, stars) = base_of(ty);
    (!name.is_empty()).then_some(Decl { base, stars, name, array, loc, user })
}

/// Splits `name[len` at the bracket that the end closes.
fn split_array(open: &str) -> Option<(&str, Option<&str>)> {
    let mut depth = 1;
    for (i, c) in open.char_indices().rev() {
        match c {
            ']' => depth += 1,
            '[' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&open[..i], Some(&open[i + 1..])));
        }
    }
    None
}

/// The type without qualifiers, attributes and stars, and how many stars it had.
fn base_of(ty: &str) -> (String, usize) {
    let stars = ty.matches('*').count();
    let before = ty.split('*').next().unwrap_or(ty);
    let words = before.split_whitespace().filter(|w| {
        !matches!(*w, "const" | "volatile" | "restrict") && (!w.starts_with("__") || is_type_word(w))
    });
    (words.collect::<Vec<_>>().join(" "), stars)
}

/// Among words that begin with `__`: types (`__u32`), not attributes (`__user`, `__rcu`, `__seg_gs`).
fn is_type_word(word: &str) -> bool {
    !(word.starts_with("__attribute__")
        || matches!(word, "__user" | "__rcu" | "__percpu" | "__iomem" | "__kernel" | "__seg_gs" | "__seg_fs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    const HEAD: &str = "name: x\nID: 77\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

    fn check(lines: &str, syscall: Option<SystemCall>, expected: &Expect) {
        let format = parse(&format!("{HEAD}{lines}"), syscall).expect("a format");
        let mut out = String::new();
        for f in format.fields.iter().skip(1) {
            let space = match &f.ty {
                Type::Ptr { space, .. } => format!(" {space:?}"),
                _ => String::new(),
            };
            let loc = if f.data_loc { " data_loc" } else { "" };
            let _ = writeln!(out, "{}: {} at {}{space}{loc}", f.name, f.ty, f.offset);
        }
        expected.assert_eq(&out);
    }

    fn row(decl: &str, offset: u32, size: u32, signed: u8) -> String {
        format!("\tfield:{decl};\toffset:{offset};\tsize:{size};\tsigned:{signed};\n")
    }

    #[test]
    fn numbers_texts_and_arrays() {
        let rows = [
            row("pid_t pid", 8, 4, 1),
            row("u8 level", 12, 1, 0),
            row("bool on", 13, 1, 0),
            row("strange_t s", 16, 8, 0),
            row("char comm[16]", 24, 16, 0),
            row("unsigned long args[6]", 40, 48, 0),
            row("__u8 saddr[sizeof(struct sockaddr_in6)]", 88, 28, 0),
            row("enum zone_type zone", 116, 4, 0),
            row("struct timespec64 ts", 120, 16, 0),
            row("opaque_t o", 136, 24, 0),
            row("unsigned long tail[]", 160, 0, 0),
        ];
        check(
            &rows.concat(),
            None,
            &expect![[r#"
                pid: int32 at 8
                level: uint8 at 12
                on: bool at 13
                s: uint64 at 16
                comm: string[16] at 24
                args: uint64[6] at 40
                saddr: uint8[28] at 88
                zone: enum zone_type at 116
                ts: struct timespec64 at 120
                o: struct opaque_t at 136
                tail: uint64[0] at 160
            "#]],
        );
    }

    #[test]
    fn pointers_and_data_elsewhere() {
        let rows = [
            row("void * skbaddr", 8, 8, 0),
            row("const struct sk_buff *skb", 16, 8, 0),
            row("void __seg_gs * p", 24, 8, 0),
            row("sigset_t * set", 32, 8, 0),
            row("const char *const * argv", 40, 8, 0),
            row("__data_loc char[] name", 48, 4, 0),
            row("__data_loc u64[] addrs", 52, 4, 0),
            row("__data_loc cpumask_t mask", 56, 4, 0),
            row("__rel_loc char[] rel", 60, 4, 0),
        ];
        check(
            &rows.concat(),
            None,
            &expect![[r#"
                skbaddr: void * at 8 Kernel
                skb: struct sk_buff * at 16 Kernel
                p: void * at 24 Kernel
                set: struct sigset_t * at 32 Kernel
                argv: int8 ** at 40 Kernel
                name: int8 * at 48 Kernel data_loc
                addrs: uint64 * at 52 Kernel data_loc
                mask: struct cpumask_t * at 56 Kernel data_loc
                rel: uint32 at 60
            "#]],
        );
    }

    #[test]
    fn arguments_of_system_calls_have_their_own_types() {
        let rows = [
            row("int __syscall_nr", 8, 4, 1),
            row("int dfd", 16, 8, 0),
            row("const char * filename", 24, 8, 0),
            row("umode_t mode", 32, 8, 0),
            row("size_t count", 40, 8, 0),
            row("strange_t s", 48, 8, 0),
        ];
        check(
            &rows.concat(),
            Some(SystemCall { number: 257, edge: rbtrace_lang::target::Edge::Enter }),
            &expect![[r#"
                __syscall_nr: int32 at 8
                dfd: int32 at 16
                filename: int8 * at 24 User
                mode: uint16 at 32
                count: uint64 at 40
                s: uint64 at 48
            "#]],
        );
    }

    #[test]
    fn broken_files_give_nothing() {
        for text in ["", "ID: x\n", "ID:", "\tfield:int x;\toffset:0;\tsize:4;\tsigned:1;\n"] {
            assert!(parse(text, None).is_none());
        }
        for decl in ["", "x", "int ]", "int a]b]", "__data_loc ]x"] {
            let _ = parse(&format!("{HEAD}{}", row(decl, 8, 4, 0)), None);
        }
    }

    #[test]
    fn declarations_are_those_of_the_file() {
        let text = format!("{HEAD}\tfield:short common_type;\n{}", row("const char * filename", 16, 8, 0));
        assert_eq!(declarations(&text), ["const char * filename"]);
    }
}

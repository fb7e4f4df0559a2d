//! Arguments of static probes: operands of x86-64 as the assembler writes them (AT&T syntax), each with its size.
//!
//! `-4@%edi 8@-16(%rbp,%rax,8) 4@$7`: a size in bytes, negative for signed numbers, and behind the `@` a register,
//! memory, or behind a `$` the value itself.

use crate::types::Type;

/// An argument of a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operand<'a> {
    /// Its type, by its size and sign.
    pub(super) ty: Type,
    /// Where it lies.
    pub(super) at: At<'a>,
}

/// Where an argument lies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum At<'a> {
    /// Nowhere: it is always this, cut to its type.
    Constant(u64),
    /// A register or a part of one.
    Register(Part),
    /// Memory.
    Memory(Address<'a>),
}

/// Bytes of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The register as `pt_regs` calls it.
    pub(super) register: &'static str,
    /// Bytes before it.
    pub(super) from: u32,
    /// How many.
    pub(super) size: u8,
}

/// `symbol+offset(base, index, scale)`
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Address<'a> {
    pub(super) symbol: Option<&'a str>,
    pub(super) offset: i64,
    pub(super) base: Option<Part>,
    /// A register and what it is multiplied by.
    pub(super) index: Option<(Part, u8)>,
}

/// Why an argument cannot be read.
pub(super) type Refused = &'static str;

/// The arguments of a place, each by itself.
pub(super) fn split(arguments: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let between = |c: char| {
        match c {
            '(' | '[' => depth = depth.saturating_add(1),
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && c.is_whitespace()
    };
    arguments.split(between).filter(|a| !a.is_empty()).collect()
}

/// Reads one argument.
pub(super) fn parse(text: &str) -> Result<Operand<'_>, Refused> {
    let (ty, place) = sized(text)?;
    let at = match place.as_bytes().first() {
        Some(b'$') => constant(&place[1..], &ty)?,
        Some(b'%') if place.contains(':') => {
            return Err("it lies in memory of a segment, as thread-local variables do");
        }
        Some(b'%') => At::Register(register(place)?),
        Some(_) => At::Memory(address(place)?),
        None => return Err(UNKNOWN),
    };
    Ok(Operand { ty, at })
}

/// The type of an argument, for who cannot read it either.
pub(super) fn type_name(text: &str) -> String {
    match text.split_once('@').map(|(size, _)| size) {
        Some("8f" | "-8f") => "double".into(),
        Some("4f" | "-4f") => "float".into(),
        _ => sized(text).map_or_else(|_| "?".into(), |(ty, _)| ty.to_string()),
    }
}

const UNKNOWN: Refused = "its place is written in a way that is not known";

/// The type, and what stands behind the `@`. Where no size is given, it is a word.
fn sized(text: &str) -> Result<(Type, &str), Refused> {
    let Some((size, place)) = text.split_once('@').filter(|(size, _)| is_size(size)) else {
        return Ok((Type::int(8, false), text));
    };
    if size.ends_with('f') {
        return Err("it is a floating-point number");
    }
    let (signed, digits) = size.strip_prefix('-').map_or((false, size), |digits| (true, digits));
    match digits.parse() {
        Ok(size @ (1 | 2 | 4 | 8)) => Ok((Type::int(size, signed), place)),
        _ => Err("it has neither 1, 2, 4 nor 8 bytes"),
    }
}

fn is_size(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let digits = digits.strip_suffix('f').unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn constant<'a>(text: &str, ty: &Type) -> Result<At<'a>, Refused> {
    let value = number(text).ok_or("it is an address that only the linker knew")?;
    let unused = 64 - 8 * ty.size().clamp(1, 8);
    let high = (value as u64) << unused;
    Ok(At::Constant(if ty.is_signed() { ((high as i64) >> unused) as u64 } else { high >> unused }))
}

/// A number from the lowest of 64 bits with a sign to the highest of those without.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = i128::from(value.ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))?);
    let value = if negative { -value } else { value };
    (value >= i128::from(i64::MIN)).then_some(value)
}

/// `symbol+offset(base,index,scale)`, most of which may be missing.
fn address(text: &str) -> Result<Address<'_>, Refused> {
    let (distance, registers) = match text.split_once('(') {
        Some((distance, rest)) => (distance, Some(rest.strip_suffix(')').ok_or(UNKNOWN)?)),
        None => (text, None),
    };
    let mut address = displacement(distance)?;
    let Some(registers) = registers else { return Ok(address) };
    let mut parts = registers.split(',').map(str::trim);
    let base = parts.next().filter(|b| !b.is_empty());
    address.base = base.map(pointer).transpose()?;
    if let Some(index) = parts.next() {
        let scale = parts.next().map_or(Ok(1), str::parse).map_err(|_| UNKNOWN)?;
        if !matches!(scale, 1 | 2 | 4 | 8) {
            return Err(UNKNOWN);
        }
        address.index = Some((pointer(index)?, scale));
    }
    let none = address.base.is_none() && address.index.is_none();
    if none || parts.next().is_some() { Err(UNKNOWN) } else { Ok(address) }
}

/// `symbol+8-2`, in any order; a symbol at most once.
fn displacement(text: &str) -> Result<Address<'_>, Refused> {
    let mut address = Address::default();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let negative = rest.starts_with('-');
        rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let (term, tail) = rest.split_at(end);
        rest = tail;
        match number(term) {
            Some(n) => {
                let n = n as i64;
                let n = if negative { n.wrapping_neg() } else { n };
                address.offset = address.offset.wrapping_add(n);
            }
            None if !negative && address.symbol.is_none() && is_symbol(term) => address.symbol = Some(term),
            None => return Err(UNKNOWN),
        }
    }
    Ok(address)
}

fn is_symbol(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$') || !c.is_ascii();
    text.starts_with(|c: char| inside(c) && !c.is_ascii_digit()) && text.chars().all(inside)
}

/// A register that holds an address or a part of one.
fn pointer(text: &str) -> Result<Part, Refused> {
    register(text).and_then(|part| if part.size >= 4 { Ok(part) } else { Err(UNKNOWN) })
}

/// `%al`, `%ah`, `%ax`, `%eax`, `%rax`; `%r8b`, `%r8w`, `%r8d`, `%r8`.
fn register(text: &str) -> Result<Part, Refused> {
    let name = text.strip_prefix('%').ok_or(UNKNOWN)?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(UNKNOWN);
    }
    let part = |register, from, size| Ok(Part { register, from, size });
    if let Some((stem, size)) = numbered(name)
        && let Some(register) = HIGH.iter().find(|r| **r == stem)
    {
        return part(register, 0, size);
    }
    if name == "rip" {
        return part("ip", 0, 8);
    }
    let found = LOW.iter().find_map(|(register, low, high)| match name {
        _ if name == *low => Some((*register, 0, 1)),
        _ if !high.is_empty() && name == *high => Some((*register, 1, 1)),
        _ if name == *register => Some((*register, 0, 2)),
        _ if name.strip_prefix('e') == Some(register) => Some((*register, 0, 4)),
        _ if name.strip_prefix('r') == Some(register) => Some((*register, 0, 8)),
        _ => None,
    });
    match found {
        Some((register, from, size)) => part(register, from, size),
        None => Err("it lies in a register that the kernel does not hand on"),
    }
}

/// Register of 16 bits, its low byte, its high byte.
const LOW: [(&str, &str, &str); 8] = [
    ("ax", "al", "ah"),
    ("bx", "bl", "bh"),
    ("cx", "cl", "ch"),
    ("dx", "dl", "dh"),
    ("si", "sil", ""),
    ("di", "dil", ""),
    ("bp", "bpl", ""),
    ("sp", "spl", ""),
];

const HIGH: [&str; 8] = ["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/// `r8d` as `r8` and 4 bytes.
fn numbered(name: &str) -> Option<(&str, u8)> {
    let (stem, size) = match *name.as_bytes().last()? {
        b'b' => (&name[..name.len() - 1], 1),
        b'w' => (&name[..name.len() - 1], 2),
        b'd' => (&name[..name.len() - 1], 4),
        _ => (name, 8),
    };
    stem.starts_with('r').then_some((stem, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let part = |p: &Part| format!("{}+{}:{}", p.register, p.from, p.size);
        match parse(text) {
            Err(why) => format!("refused: {why}"),
            Ok(Operand { ty, at: At::Constant(value) }) => format!("{ty} {value:#x}"),
            Ok(Operand { ty, at: At::Register(p) }) => format!("{ty} {}", part(&p)),
            Ok(Operand { ty, at: At::Memory(a) }) => {
                let base = a.base.map_or(String::new(), |p| format!(" {}", part(&p)));
                let index = a.index.map_or(String::new(), |(p, scale)| format!(" {}*{scale}", part(&p)));
                format!("{ty} [{}{:+}{base}{index}]", a.symbol.unwrap_or(""), a.offset)
            }
        }
    }

    fn check(lines: &[(&str, &str)]) {
        for (text, expected) in lines {
            assert_eq!(shown(text), *expected, "{text}");
        }
    }

    #[test]
    fn constants() {
        check(&[
            ("8@$17867739004052632048", "uint64 0xf7f6f5f4f3f2f1f0"),
            ("-8@$-579005069656919568", "int64 0xf7f6f5f4f3f2f1f0"),
            ("4@$-202182160", "uint32 0xf3f2f1f0"),
            ("-4@$-202182160", "int32 0xfffffffff3f2f1f0"),
            ("-1@$0xf0", "int8 0xfffffffffffffff0"),
            ("-8@$-9223372036854775808", "int64 0x8000000000000000"),
            ("8@$18446744073709551616", "refused: it is an address that only the linker knew"),
            ("8@$.LC0", "refused: it is an address that only the linker knew"),
            ("8@$", "refused: it is an address that only the linker knew"),
            ("8@$-+1", "refused: it is an address that only the linker knew"),
        ]);
    }

    #[test]
    fn registers_and_their_parts() {
        check(&[
            ("8@%rax", "uint64 ax+0:8"),
            ("-4@%edi", "int32 di+0:4"),
            ("2@%sp", "uint16 sp+0:2"),
            ("1@%al", "uint8 ax+0:1"),
            ("-1@%dh", "int8 dx+1:1"),
            ("1@%sil", "uint8 si+0:1"),
            ("1@%r15b", "uint8 r15+0:1"),
            ("2@%r8w", "uint16 r8+0:2"),
            ("4@%r10d", "uint32 r10+0:4"),
            ("%r9", "uint64 r9+0:8"),
            ("8@%rip", "uint64 ip+0:8"),
            ("8@%xmm0", "refused: it lies in a register that the kernel does not hand on"),
            ("8@%r16", "refused: it lies in a register that the kernel does not hand on"),
        ]);
    }

    #[test]
    fn memory() {
        check(&[
            ("-4@-20(%rbp)", "int32 [-20 bp+0:8]"),
            ("8@(%rsp)", "uint64 [+0 sp+0:8]"),
            ("8@0x10(%rax,%rcx,8)", "uint64 [+16 ax+0:8 cx+0:8*8]"),
            ("8@(%rax, %rcx)", "uint64 [+0 ax+0:8 cx+0:8*1]"),
            ("2@-8(,%r12,2)", "uint16 [-8 r12+0:8*2]"),
            ("4@-4(%ebp)", "uint32 [-4 bp+0:4]"),
            ("-4@counter(%rip)", "int32 [counter+0 ip+0:8]"),
            ("-4@16+a.b.0-4(%rip)", "int32 [a.b.0+12 ip+0:8]"),
            ("4@counters", "uint32 [counters+0]"),
            ("4@6295616", "uint32 [+6295616]"),
        ]);
        let unknown = format!("refused: {UNKNOWN}");
        for text in
            ["8@", "8@(%rax", "8@()", "8@(,)", "8@(%al)", "8@a+b(%rip)", "8@-a(%rip)", "8@(%rax,%rcx,3)"]
        {
            assert_eq!(shown(text), unknown, "{text}");
        }
        for text in
            ["8@(%rax,%rcx,8,1)", "8@[x0, 16]", "8@*%rax", "8@%", "8@x@GOTPCREL(%rip)", "", "8@4(%rax)(%rbx)"]
        {
            assert_eq!(shown(text), unknown, "{text}");
        }
        assert!(shown("8@%fs:16(%rax)").contains("thread-local"));
    }

    #[test]
    fn sizes() {
        check(&[
            ("8f@%xmm0", "refused: it is a floating-point number"),
            ("-4f@-8(%rbp)", "refused: it is a floating-point number"),
            ("16@(%rax)", "refused: it has neither 1, 2, 4 nor 8 bytes"),
            ("99999999999999999999@(%rax)", "refused: it has neither 1, 2, 4 nor 8 bytes"),
        ]);
        let names: Vec<String> = ["-4@%eax", "8f@%xmm0", "4f@x", "16@(%rax)", "%rax"].map(type_name).into();
        assert_eq!(names, ["int32", "double", "float", "?", "uint64"]);
    }

    #[test]
    fn arguments_are_told_apart() {
        assert_eq!(split("-4@%edi 8@-16(%rbp, %rax, 8)  4@$7 "), ["-4@%edi", "8@-16(%rbp, %rax, 8)", "4@$7"]);
        assert_eq!(split(""), [""; 0]);
        assert_eq!(split(")) 8@(%rax 4@$1"), ["))", "8@(%rax 4@$1"]);
    }

    /// Any bytes of these in any order: an answer, and no panic.
    #[test]
    fn anything_is_read_or_refused() {
        let pieces =
            ["8@", "-", "$", "%", "rax", "(", ")", ",", "0x", "9", "f", "+", " ", "r8", "é", ":", "@"];
        let mut random = 7_usize;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..random % 9 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text += pieces[(random >> 33) % pieces.len()];
            }
            random = random.wrapping_add(1);
            for one in split(&text) {
                let _ = (parse(one), type_name(one));
            }
        }
    }
}

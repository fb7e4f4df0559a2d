//! `debugf`: a line of the kernel's trace pipe.

use super::Lowered;
use super::frame::Lower;
use super::memory::{Fill, Place};
use crate::helpers;
use crate::ir::Value;
use crate::kernel::Feature;
use rbtrace_lang::Span;
use rbtrace_lang::format::{Conv, ConvKind, Piece};
use rbtrace_lang::hir::Expr;
use rbtrace_lang::types::Type;

/// Values that `bpf_trace_printk` takes.
const FEW: usize = 3;

/// Prints a line. The value is always 0.
pub(super) fn print(lower: &mut Lower, pieces: &[Piece], args: &[Expr], span: Span) -> Lowered<Value> {
    let mut format = kernel_format(pieces).into_bytes();
    format.push(0);
    let size = format.len() as i64;
    let values: Vec<Value> = args.iter().map(|e| value(lower, e)).collect::<Lowered<_>>()?;
    if !is_plain(pieces) && !lower.kernel().has(Feature::Formats) {
        let message =
            "This kernel prints only %d, %u, %x and one %s with debugf() (all formats: 5.13 or newer)";
        return lower.unsupported(span, message);
    }
    let (map, at) = lower.shared.data(&format);
    let (format, size) = (lower.map_value(map, at), lower.f.b.iconst(size));
    if let Ok(few) = <[Value; FEW]>::try_from(padded(lower, &values)) {
        lower.call(helpers::TRACE_PRINTK, &[format, size, few[0], few[1], few[2]]);
        return Ok(lower.f.b.iconst(0));
    }
    if !lower.can_call(helpers::TRACE_VPRINTK) {
        let message = "This kernel prints no more than three values with debugf() (5.16 or newer)";
        return lower.unsupported(span, message);
    }
    let (data, bytes) = words(lower, &values);
    lower.call(helpers::TRACE_VPRINTK, &[format, size, data, bytes]);
    Ok(lower.f.b.iconst(0))
}

/// Values side by side in memory: its address and its size in bytes.
pub(super) fn words(lower: &mut Lower, values: &[Value]) -> (Value, Value) {
    if values.is_empty() {
        return (lower.f.b.iconst(0), lower.f.b.iconst(0));
    }
    let bytes = values.len() as u32 * 8;
    let words = Place::slot(lower.slot(bytes));
    for (n, value) in (0..).zip(values) {
        lower.store_scalar(&words.at(n * 8), 8, *value);
    }
    (lower.address(&words), lower.f.b.iconst(i64::from(bytes)))
}

/// Does every kernel take the format? Old ones refuse the call, and the line would be
/// missing without a word.
fn is_plain(pieces: &[Piece]) -> bool {
    let plain = |piece: &Piece| match piece {
        Piece::Text(text) => !text.contains('%'),
        Piece::Conv(conv) => {
            flags(conv).is_empty() && matches!(letter(conv.kind), "lld" | "llu" | "llx" | "s")
        }
    };
    let texts = pieces.iter().filter(|piece| matches!(piece, Piece::Conv(conv) if letter(conv.kind) == "s"));
    pieces.iter().all(plain) && texts.count() <= 1
}

/// As many values as the helper takes; unchanged where they are more.
fn padded(lower: &mut Lower, values: &[Value]) -> Vec<Value> {
    let mut values = values.to_vec();
    while values.len() < FEW {
        values.push(lower.f.b.iconst(0));
    }
    values
}

/// A number, or where a text lies.
pub(super) fn value(lower: &mut Lower, e: &Expr) -> Lowered<Value> {
    if let Type::Str(_) = e.ty {
        let place = Place::slot(lower.slot_for(&e.ty)).padded();
        lower.store_as(e, &e.ty, &place, Fill::Padded)?;
        return Ok(lower.address(&place));
    }
    let number = lower.scalar(e)?;
    Ok(lower.as_number(number))
}

/// The format in the kernel's words: every number has 64 bits.
pub(super) fn kernel_format(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.replace('%', "%%"),
        Piece::Conv(conv) => format!("{}%{}{}", prefix(conv), flags(conv), letter(conv.kind)),
    };
    pieces.iter().map(piece).collect()
}

fn prefix(conv: &Conv) -> &'static str {
    if conv.kind == ConvKind::Pointer { "0x" } else { "" }
}

fn flags(conv: &Conv) -> String {
    let flag = |on: bool, c: &str| if on { c.to_owned() } else { String::new() };
    let flags = [flag(conv.left, "-"), flag(conv.zero, "0"), flag(conv.plus, "+"), flag(conv.space, " ")];
    flags.concat() + &conv.width.map_or_else(String::new, |w| w.to_string())
}

fn letter(kind: ConvKind) -> &'static str {
    match kind {
        ConvKind::Signed => "lld",
        ConvKind::Unsigned => "llu",
        ConvKind::Hex | ConvKind::Pointer => "llx",
        ConvKind::HexUpper => "llX",
        ConvKind::Char => "c",
        _ => "s",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rbtrace_lang::format::parse_format;

    #[test]
    fn numbers_have_64_bits() {
        let pieces = parse_format(b"100%% %s %-5d|%08x %p").unwrap_or_default();
        assert_eq!(kernel_format(&pieces), "100%% %s %-5lld|%08llx 0x%llx");
    }

    #[test]
    fn old_kernels_take_plain_formats() {
        let plain = |format: &[u8]| is_plain(&parse_format(format).unwrap_or_default());
        assert!(plain(b"pid %d of %s %p"));
        for format in [&b"%%"[..], b"%5d", b"%04x", b"%X", b"%c", b"%s %s"] {
            assert!(!plain(format), "{}", String::from_utf8_lossy(format));
        }
    }
}

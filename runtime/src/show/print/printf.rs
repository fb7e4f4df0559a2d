//! `printf`: formats and their arguments, by C's rules.

use super::env::Env;
use super::gfp::GfpNames;
use super::read::{self, buffer};
use super::text;
use super::write::{self, Style, put};
use crate::bytes::int_at;
use crate::show::terminal;
use rbtrace_codegen::object::RecordField;
use rbtrace_lang::format::{Conv, ConvKind, Piece};
use rbtrace_lang::types::Type;

/// Appends a format with the fields of a record put in. With `terminal`, what a field brings is escaped as a
/// terminal needs it; the format's own text is the script's and stays.
pub fn render(
    env: &Env,
    pieces: &[Piece],
    (fields, record): (&[RecordField], &[u8]),
    terminal: bool,
    out: &mut Vec<u8>,
) {
    let mut fields = fields.iter();
    for piece in pieces {
        match piece {
            Piece::Text(t) => put(out, t),
            Piece::Conv(conv) => {
                let Some(field) = fields.next() else { continue };
                let data = record.get(field.offset as usize..).unwrap_or(&[]);
                let from = out.len();
                convert(env, conv, &field.ty, data, out);
                if terminal {
                    terminal::escape_from(out, from);
                }
                pad(conv, from, out);
            }
        }
    }
}

/// Appends one argument by its conversion, without filling it up.
fn convert(env: &Env, conv: &Conv, ty: &Type, data: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    match conv.kind {
        ConvKind::Signed | ConvKind::Unsigned | ConvKind::Hex | ConvKind::HexUpper | ConvKind::Octal => {
            integer(conv, ty, data, out);
        }
        ConvKind::Pointer => write::hex(raw_int(ty, data) as u64, out),
        ConvKind::Char => out.push(raw_int(ty, data) as u8),
        ConvKind::Str => {
            string(env, ty, data, out);
            if let Some(most) = conv.precision {
                out.truncate((from + most as usize).min(out.len()));
            }
        }
        ConvKind::Raw => write::escaped(bytes_of(ty, data), out),
        ConvKind::RawHex => {
            for b in bytes_of(ty, data) {
                put(out, &format!("\\x{b:02x}"));
            }
        }
        ConvKind::Gfp => {
            let names = env.gfp.get_or_init(|| GfpNames::of(env.system));
            put(out, &names.show(raw_int(ty, data) as u64));
        }
        ConvKind::RawHexSpaced => {
            let hex: Vec<_> = bytes_of(ty, data).iter().map(|b| format!("{b:02x}")).collect();
            put(out, &hex.join(" "));
        }
    }
}

/// Texts go straight to the output: most records have some.
fn string(env: &Env, ty: &Type, data: &[u8], out: &mut Vec<u8>) {
    if let Type::Str(n) = ty {
        out.extend_from_slice(read::text(data, *n as usize));
        out.extend_from_slice(read::trailer(env, data, *n as usize));
    } else {
        text::value(&read::read(env, ty, data), Style::Text, out);
    }
}

fn raw_int(ty: &Type, data: &[u8]) -> i128 {
    let signed = ty.is_signed();
    int_at(data, (ty.size() as usize).min(8), signed)
}

fn bytes_of<'a>(ty: &Type, data: &'a [u8]) -> &'a [u8] {
    match ty {
        Type::Buf(_) => buffer(data),
        Type::Str(n) => read::text(data, *n as usize),
        ty => &data[..(ty.size() as usize).min(data.len())],
    }
}

/// The value as many bytes wide as the conversion says.
fn integer(conv: &Conv, ty: &Type, data: &[u8], out: &mut Vec<u8>) {
    let bits = raw_int(ty, data) as u64;
    let bytes = bits.to_le_bytes();
    let value = int_at(&bytes, usize::from(conv.size), conv.kind == ConvKind::Signed);
    if conv.precision.is_none()
        && conv.width.is_none()
        && conv.kind == ConvKind::Signed
        && !conv.plus
        && !conv.space
    {
        return write::number(value, out);
    }
    let magnitude = value.unsigned_abs();
    let mut digits = match conv.kind {
        ConvKind::Hex => format!("{magnitude:x}"),
        ConvKind::HexUpper => format!("{magnitude:X}"),
        ConvKind::Octal => format!("{magnitude:o}"),
        _ => magnitude.to_string(),
    };
    if let Some(least) = conv.precision {
        digits = if least == 0 && magnitude == 0 {
            String::new()
        } else {
            format!("{digits:0>least$}", least = least as usize)
        };
    }
    let prefix = sign_or_base(conv, value, &digits);
    if conv.zero && !conv.left && conv.precision.is_none() {
        let width = (conv.width.unwrap_or(0) as usize).saturating_sub(prefix.len());
        digits = format!("{digits:0>width$}");
    }
    put(out, prefix);
    put(out, &digits);
}

fn sign_or_base(conv: &Conv, value: i128, digits: &str) -> &'static str {
    match conv.kind {
        ConvKind::Signed if value < 0 => "-",
        ConvKind::Signed if conv.plus => "+",
        ConvKind::Signed if conv.space => " ",
        ConvKind::Hex if conv.alt && value != 0 => "0x",
        ConvKind::HexUpper if conv.alt && value != 0 => "0X",
        ConvKind::Octal if conv.alt && !digits.starts_with('0') => "0",
        _ => "",
    }
}

/// Fills up to the conversion's width what has been appended since `from`.
fn pad(conv: &Conv, from: usize, out: &mut Vec<u8>) {
    let Some(width) = conv.width else { return };
    let missing = (width as usize).saturating_sub(out.len() - from);
    if missing == 0 {
        return;
    }
    out.resize(out.len() + missing, b' ');
    if !conv.left {
        out[from..].rotate_right(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::symbols::HexNames;
    use rbtrace_lang::types::I64;

    fn shown(conv: &Conv, value: i64) -> String {
        let env = Env::new(Box::new(HexNames), Box::new(()));
        let mut out = Vec::new();
        convert(&env, conv, &I64, &value.to_le_bytes(), &mut out);
        pad(conv, 0, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sizes_cut_integers() {
        assert_eq!(shown(&Conv::plain(ConvKind::Signed), -1), "-1");
        assert_eq!(shown(&Conv::plain(ConvKind::Unsigned), -1), "4294967295");
        assert_eq!(shown(&Conv { size: 1, ..Conv::plain(ConvKind::Hex) }, 0x1ff), "ff");
        assert_eq!(shown(&Conv { size: 8, ..Conv::plain(ConvKind::Unsigned) }, -1), u64::MAX.to_string());
    }

    #[test]
    fn flags_as_in_c() {
        assert_eq!(
            shown(&Conv { zero: true, width: Some(5), ..Conv::plain(ConvKind::Signed) }, -42),
            "-0042"
        );
        assert_eq!(shown(&Conv { space: true, ..Conv::plain(ConvKind::Signed) }, 42), " 42");
        assert_eq!(shown(&Conv { precision: Some(3), ..Conv::plain(ConvKind::Signed) }, 7), "007");
        assert_eq!(shown(&Conv { left: true, width: Some(4), ..Conv::plain(ConvKind::Signed) }, 7), "7   ");
        assert_eq!(shown(&Conv { alt: true, ..Conv::plain(ConvKind::Hex) }, 255), "0xff");
        assert_eq!(shown(&Conv { alt: true, ..Conv::plain(ConvKind::Octal) }, 8), "010");
    }
}

//! Values, maps and texts as JSON.

use super::datum::{Datum, Row};
use super::text;
use super::write::{self, Style, json_number, put, separated};
use super::{hist, series};
use crate::show::terminal::steers;
use rbtrace_lang::types::{Agg, Type};

/// Appends a value.
pub fn value(datum: &Datum, out: &mut Vec<u8>) {
    match datum {
        Datum::Nothing => put(out, "null"),
        // Readers of the JSON form want an enum's number.
        Datum::Number(n) | Datum::Constant { number: n, .. } => json_number(*n, out),
        Datum::Total(n) => write::number(*n, out),
        Datum::Address(address) => write::number(i128::from(*address), out),
        Datum::Bytes(bytes) => list(bytes, out, |b, out| write::number(i128::from(*b), out)),
        Datum::List(items) => list(items, out, value),
        Datum::Struct(members) => {
            out.push(b'{');
            separated(members, ", ", out, |(name, member), out| named(name, member, out));
            out.push(b'}');
        }
        Datum::Tuple(fields) if fields.iter().any(|(name, _)| name.is_some()) => {
            out.push(b'{');
            separated(fields, ", ", out, |(name, field), out| match name {
                Some(name) => named(name, field, out),
                None => value(field, out),
            });
            out.push(b'}');
        }
        Datum::Tuple(fields) => list(fields, out, |(_, field), out| value(field, out)),
        Datum::Stats { count, average, total } => {
            put(out, &format!("{{\"count\": {count}, \"average\": "));
            json_number(*average, out);
            put(out, ", \"total\": ");
            json_number(*total, out);
            out.push(b'}');
        }
        Datum::Histogram(buckets) => hist::json(buckets, out),
        Datum::Series(series) => series::json(series, out),
        Datum::Bool(_) => text::value(datum, Style::Text, out),
        Datum::Text(bytes) => string(bytes, out),
        Datum::Symbol { .. } | Datum::Stack(_) | Datum::Name(_) => {
            let mut plain = Vec::new();
            text::value(datum, Style::Text, &mut plain);
            string(&plain, out);
        }
    }
}

fn named(name: &str, datum: &Datum, out: &mut Vec<u8>) {
    string(name.as_bytes(), out);
    put(out, ": ");
    value(datum, out);
}

fn list<T>(items: &[T], out: &mut Vec<u8>, item: impl FnMut(&T, &mut Vec<u8>)) {
    out.push(b'[');
    separated(items, ",", out, item);
    out.push(b']');
}

/// Appends a line with entries of a map whose values are of type `ty`.
pub fn map(name: &str, ty: &Type, rows: &[Row], out: &mut Vec<u8>) {
    let kind = match ty {
        Type::Agg(Agg::Hist { .. } | Agg::LHist { .. }) => "hist",
        Type::Agg(Agg::Stats { .. } | Agg::Avg { .. }) => "stats",
        Type::Agg(Agg::TSeries { .. }) => "tseries",
        _ => "map",
    };
    begin_line(kind, out);
    put(out, "{");
    string(name.as_bytes(), out);
    put(out, ": ");
    match rows {
        [row] if row.key.is_empty() => value(&row.value, out),
        rows => {
            put(out, "{");
            separated(rows, ", ", out, |row, out| {
                let mut key = Vec::new();
                text::key(&row.key, Style::Key, &mut key);
                string(&key, out);
                put(out, ": ");
                value(&row.value, out);
            });
            put(out, "}");
        }
    }
    put(out, "}");
    end_line(out);
}

/// Appends `text` between quotes, escaped. Bytes that are no UTF-8 become U+FFFD.
pub fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends `text`, escaped; also what a terminal would obey.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match u8::try_from(c) {
                Ok(byte @ 0..0x80) => escape_byte(byte, out),
                _ if steers(c) => put(out, &format!("\\u{:04x}", c as u32)),
                _ => put(out, c.encode_utf8(&mut [0; 4])),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn escape_byte(c: u8, out: &mut Vec<u8>) {
    let short = match c {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 | 0x7f => {
            out.extend_from_slice(format!("\\u{c:04x}").as_bytes());
            return;
        }
        c => {
            out.push(c);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends one line `{"type": KIND, "data": TEXT}`.
pub fn text_line(kind: &str, text: &[u8], out: &mut Vec<u8>) {
    begin_line(kind, out);
    string(text, out);
    end_line(out);
}

/// Appends `{"type": KIND, "data": `.
pub fn begin_line(kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\": \"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\", \"data\": ");
}

/// Appends the end of a line.
pub fn end_line(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_a_double_cannot_hold_are_texts() {
        let mut out = Vec::new();
        for n in [(1 << 53) - 1, 1 << 53, -(1 << 53)] {
            json_number(n, &mut out);
            out.push(b' ');
        }
        assert_eq!(out, b"9007199254740991 \"9007199254740992\" \"-9007199254740992\" ");
    }

    #[test]
    fn control_characters_and_broken_utf8() {
        let mut out = Vec::new();
        string(b"a\"\\\n\r\t\x01\xffz", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"\\\\\\n\\r\\t\\u0001\u{fffd}z\"");
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let mut out = Vec::new();
        string("\u{7f}\u{9b}31m\u{202e}é".as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"\\u007f\\u009b31m\\u202eé\"");
    }
}

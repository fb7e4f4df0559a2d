//! Values and maps as text.

use super::datum::{Datum, Row};
use super::write::{Style, escaped, hex, number, put, separated};
use super::{hist, series, stack};
use std::io::Write;

/// Appends a value.
pub fn value(datum: &Datum, style: Style, out: &mut Vec<u8>) {
    match datum {
        Datum::Nothing => put(out, "null"),
        Datum::Bool(is) => put(out, if *is { "true" } else { "false" }),
        Datum::Number(n) | Datum::Total(n) | Datum::Constant { name: None, number: n } => number(*n, out),
        Datum::Constant { name: Some(name), .. } => put(out, name),
        Datum::Address(address) => hex(*address, out),
        Datum::Text(bytes) => out.extend_from_slice(bytes),
        Datum::Bytes(bytes) => escaped(bytes, out),
        Datum::List(items) => {
            out.push(b'[');
            separated(items, ",", out, |item, out| value(item, style, out));
            out.push(b']');
        }
        Datum::Struct(members) => {
            put(out, "{ ");
            separated(members, ", ", out, |(name, member), out| {
                let _ = write!(out, ".{name} = ");
                value(member, style, out);
            });
            put(out, " }");
        }
        Datum::Tuple(fields) => tuple(fields, style, out),
        Datum::Symbol { address, symbol } => {
            put(out, &stack::symbol(symbol.as_ref(), *address, false));
        }
        Datum::Stack(stack) => stack::text(stack, style, out),
        Datum::Name(name) => put(out, name),
        Datum::Stats { count, average, total } => {
            let _ = write!(out, "{{ .count = {count}, .average = {average}, .total = {total} }}");
        }
        Datum::Histogram(buckets) => {
            out.push(b'\n');
            hist::table(buckets, out);
        }
        Datum::Series(series) => series::graph(series, out),
    }
}

fn tuple<N: AsRef<str>>(fields: &[(Option<N>, Datum)], style: Style, out: &mut Vec<u8>) {
    let named = fields.iter().any(|(name, _)| name.is_some());
    let (open, equals, close) = match (named, style) {
        (false, _) => ("(", "", ")"),
        (true, Style::Text) => ("{ ", " = ", " }"),
        (true, Style::Key) => ("{", "=", "}"),
    };
    put(out, open);
    separated(fields, style.comma(), out, |(name, field), out| {
        if let Some(name) = name {
            let _ = write!(out, ".{}{equals}", name.as_ref());
        }
        value(field, style, out);
    });
    put(out, close);
}

/// Appends a map's key: its parts side by side.
pub fn key(parts: &[Datum], style: Style, out: &mut Vec<u8>) {
    separated(parts, style.comma(), out, |part, out| value(part, style, out));
}

/// Appends entries of a map, a line each.
pub fn map(name: &str, rows: &[Row], out: &mut Vec<u8>) {
    for row in rows {
        put(out, name);
        if !row.key.is_empty() {
            out.push(b'[');
            key(&row.key, Style::Text, out);
            out.push(b']');
        }
        // Tables begin on a line of their own.
        put(
            out,
            match row.value {
                Datum::Histogram(_) => ":",
                Datum::Series(_) => ":\n",
                _ => ": ",
            },
        );
        value(&row.value, Style::Text, out);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(datum: &Datum, style: Style) -> String {
        let mut out = Vec::new();
        value(datum, style, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parts_stand_side_by_side() {
        let pair = |a: Option<&str>, b: Option<&str>| {
            Datum::Tuple(vec![
                (a.map(Into::into), Datum::Number(-1)),
                (b.map(Into::into), Datum::List(vec![Datum::Bool(true), Datum::Address(16)])),
            ])
        };
        assert_eq!(shown(&pair(None, None), Style::Text), "(-1, [true,0x10])");
        assert_eq!(shown(&pair(None, None), Style::Key), "(-1,[true,0x10])");
        assert_eq!(shown(&pair(Some("a"), Some("b")), Style::Text), "{ .a = -1, .b = [true,0x10] }");
        assert_eq!(shown(&pair(Some("a"), Some("b")), Style::Key), "{.a=-1,.b=[true,0x10]}");
    }

    #[test]
    fn maps_have_a_line_for_each_entry() {
        let rows = [
            Row { key: vec![Datum::Text(b"a".into()), Datum::Number(2)], value: Datum::Total(7) },
            Row { key: vec![], value: Datum::Stats { count: 2, average: 3, total: 6 } },
        ];
        let mut out = Vec::new();
        map("@m", &rows, &mut out);
        let expected = "@m[a, 2]: 7\n@m: { .count = 2, .average = 3, .total = 6 }\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

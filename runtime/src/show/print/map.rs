//! Whole maps, as text and as JSON.

use super::env::Env;
use super::value::{self, Style, number, put};
use super::{hist, json};
use crate::bytes::int_at;
use crate::run::tables::{Entry, Table, Value, average};
use rbtrace_lang::types::{Agg, Type};
use std::io::Write;

/// Appends entries of a map, a line each.
pub fn text(env: &Env, table: &Table, entries: &[Entry], div: u64, out: &mut Vec<u8>) {
    entries.iter().for_each(|entry| line(env, table, entry, i128::from(div.max(1)), out));
}

fn line(env: &Env, table: &Table, entry: &Entry, div: i128, out: &mut Vec<u8>) {
    put(out, &table.name);
    if let Some(key) = &table.key {
        out.push(b'[');
        value::key(env, key, &entry.key, Style::Text, out);
        out.push(b']');
    }
    if let (Value::Buckets(counts), Some(agg)) = (&entry.value, table.aggregation()) {
        put(out, ":\n");
        hist::table(&hist::buckets(agg, counts, div as u64), out);
    } else {
        put(out, ": ");
        text_value(env, &table.value, &entry.value, div, out);
    }
    out.push(b'\n');
}

/// Appends one value of a map.
pub fn text_value(env: &Env, ty: &Type, value: &Value, div: i128, out: &mut Vec<u8>) {
    match value {
        Value::Plain(bytes) => match ty {
            Type::Int { size, signed } => {
                number(int_at(bytes, usize::from(*size), *signed) / div, out);
            }
            ty => value::text(env, ty, bytes, Style::Text, out),
        },
        Value::Number(n) => number(n / div, out),
        Value::Total { count, total } if matches!(ty, Type::Agg(Agg::Stats { .. })) => {
            let average = average(*count, *total) / div;
            let _ = write!(out, "{{ .count = {count}, .average = {average}, .total = {total} }}");
        }
        Value::Total { count, total } => number(average(*count, *total) / div, out),
        Value::Buckets(counts) => {
            if let Type::Agg(agg) = ty {
                out.push(b'\n');
                hist::table(&hist::buckets(*agg, counts, div as u64), out);
            }
        }
    }
}

/// Appends entries of a map as one line of JSON.
pub fn json(env: &Env, table: &Table, entries: &[Entry], div: u64, out: &mut Vec<u8>) {
    let div = i128::from(div.max(1));
    json::begin_line(kind(table), out);
    put(out, "{");
    json::string(table.name.as_bytes(), out);
    put(out, ": ");
    match (&table.key, entries) {
        (Some(key), entries) => {
            put(out, "{");
            for (i, entry) in entries.iter().enumerate() {
                put(out, if i > 0 { ", " } else { "" });
                let mut text = Vec::new();
                value::key(env, key, &entry.key, Style::Key, &mut text);
                json::string(&text, out);
                put(out, ": ");
                json_value(env, &table.value, &entry.value, div, out);
            }
            put(out, "}");
        }
        (None, [entry, ..]) => json_value(env, &table.value, &entry.value, div, out),
        (None, []) => put(out, "null"),
    }
    put(out, "}");
    json::end_line(out);
}

fn kind(table: &Table) -> &'static str {
    match table.aggregation() {
        Some(Agg::Hist { .. } | Agg::LHist { .. }) => "hist",
        Some(Agg::Stats { .. } | Agg::Avg { .. }) => "stats",
        _ => "map",
    }
}

/// Appends one value of a map as JSON.
pub fn json_value(env: &Env, ty: &Type, value: &Value, div: i128, out: &mut Vec<u8>) {
    match value {
        Value::Plain(bytes) => match ty {
            Type::Int { size, signed } => {
                json::number(int_at(bytes, usize::from(*size), *signed) / div, out);
            }
            ty => value::json(env, ty, bytes, out),
        },
        Value::Number(n) => json::number(n / div, out),
        Value::Total { count, total } if matches!(ty, Type::Agg(Agg::Stats { .. })) => {
            let _ = write!(out, "{{\"count\": {count}, \"average\": ");
            json::number(average(*count, *total) / div, out);
            put(out, ", \"total\": ");
            json::number(*total, out);
            out.push(b'}');
        }
        Value::Buckets(counts) => {
            if let Type::Agg(agg) = ty {
                hist::json(&hist::buckets(*agg, counts, div as u64), out);
            }
        }
        Value::Total { count, total } => json::number(average(*count, *total) / div, out),
    }
}

//! `printf`'s conversions.

use super::number::wrap;
use super::value::Value;
use crate::programs::ast::{Conversion, Int};

/// A value as a conversion shows it.
pub(super) fn convert(c: Conversion, v: &Value) -> String {
    let size = |signed| wrap(v.int(), Int { bits: c.bits, signed });
    let text = match c.letter {
        'd' => size(true).to_string(),
        'u' => size(false).to_string(),
        'x' => format!("{:x}", size(false)),
        _ => shown(v),
    };
    pad(&text, c)
}

fn shown(v: &Value) -> String {
    match v {
        Value::Text(t) => String::from_utf8_lossy(t).into_owned(),
        v => v.key(),
    }
}

fn pad(text: &str, c: Conversion) -> String {
    let width = c.width.unsigned_abs() as usize;
    match text.strip_prefix('-') {
        _ if c.width < 0 => format!("{text:<width$}"),
        Some(digits) if c.zeros => format!("-{digits:0>w$}", w = width.saturating_sub(1)),
        None if c.zeros => format!("{text:0>width$}"),
        _ => format!("{text:>width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_and_zeros() {
        let c = |letter, bits, width, zeros| Conversion { letter, bits, width, zeros };
        assert_eq!(convert(c('d', 64, 5, true), &Value::Int(-42)), "-0042");
        assert_eq!(convert(c('x', 8, -4, false), &Value::Int(-1)), "ff  ");
        assert_eq!(convert(c('u', 32, 0, false), &Value::Int(-1)), "4294967295");
        assert_eq!(convert(c('s', 64, 4, false), &Value::Flag(true)), "true");
    }
}

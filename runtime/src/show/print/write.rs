//! What all printing is made of.

use rbtrace_lang::types::StackMode;
use std::io::Write as _;

/// How parts of a value stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people: `(1, 2)`.
    Text,
    /// Within a JSON key: `(1,2)`, stacks without indentation.
    Key,
}

impl Style {
    /// What stands between two parts.
    pub(super) fn comma(self) -> &'static str {
        if self == Style::Text { ", " } else { "," }
    }

    /// What stands before each frame of a stack.
    pub(super) fn indent(self, mode: StackMode) -> &'static str {
        match (self, mode) {
            (Style::Key, _) | (_, StackMode::Raw | StackMode::BuildId) => "",
            (_, StackMode::Bpftrace) => "        ",
            (_, StackMode::Perf) => "\t",
        }
    }
}

/// Appends items with something between them.
pub(super) fn separated<T>(items: &[T], with: &str, out: &mut Vec<u8>, mut f: impl FnMut(&T, &mut Vec<u8>)) {
    for (i, item) in items.iter().enumerate() {
        put(out, if i > 0 { with } else { "" });
        f(item, out);
    }
}

/// Appends printable ASCII as it is, the rest as `\xNN`.
pub fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for &b in bytes {
        if (0x20..0x7f).contains(&b) {
            out.push(b);
        } else {
            let _ = write!(out, "\\x{b:02x}");
        }
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

/// Largest magnitude that a reader which keeps numbers as doubles gets exactly (2^53 - 1).
const EXACT: u128 = (1 << 53) - 1;

/// Appends a number of JSON; as a text where a double could not hold it, as bpftrace does.
pub fn json_number(n: i128, out: &mut Vec<u8>) {
    let quote: &[u8] = if n.unsigned_abs() > EXACT { b"\"" } else { b"" };
    out.extend_from_slice(quote);
    number(n, out);
    out.extend_from_slice(quote);
}

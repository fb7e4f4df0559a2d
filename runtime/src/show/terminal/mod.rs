//! What people see: standard error, and standard output where it is a terminal.
//!
//! Names, paths and texts of the traced system are chosen by others. On a terminal, what could steer it
//! (colours, the cursor, the title, the direction of the text) is shown as `\xNN` or `\u{N}`; files and
//! pipes get every byte as it is.
//!
//! **Invariant**: nothing else in this crate and in the program writes to standard error. A message that
//! cannot be written is dropped: there is nobody left to tell.

mod colour;

use std::io::{self, BufWriter, IsTerminal, LineWriter, Write};

/// Writes a message to standard error in one piece, safe for a terminal and in colour there. Bring your own line end.
pub fn message(text: &str) {
    let mut bytes = text.as_bytes().to_vec();
    if error_is_terminal() {
        escape_from(&mut bytes, 0);
    }
    if colour::wanted(error_is_terminal()) {
        bytes = colour::paint(&bytes);
    }
    message_as_is(&bytes);
}

/// Writes bytes to standard error as they are.
pub fn message_as_is(bytes: &[u8]) {
    // Closed, full, or a pipe that nobody reads.
    let _ = io::stderr().write_all(bytes);
}

/// Is standard error a terminal?
pub fn error_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Standard output for lists: whole lines, escaped, on a terminal; else a buffer.
pub fn output() -> Box<dyn Write> {
    let out = io::stdout();
    if out.is_terminal() { Box::new(LineWriter::new(Escaped(out))) } else { Box::new(BufWriter::new(out)) }
}

/// Escapes what passes through it. Each call must bring whole characters, as those of a [`LineWriter`] do.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut shown = bytes.to_vec();
        escape_from(&mut shown, 0);
        self.0.write_all(&shown)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Escapes the end of a buffer, from this byte on.
pub fn escape_from(buffer: &mut Vec<u8>, from: usize) {
    let Some(tail) = buffer.get(from..) else { return };
    if tail.iter().all(|&b| b == b'\n' || b == b'\t' || (0x20..0x7f).contains(&b)) {
        return;
    }
    let tail = buffer.split_off(from);
    for chunk in tail.utf8_chunks() {
        for c in chunk.valid().chars() {
            escape_char(c, buffer);
        }
        for b in chunk.invalid() {
            push(buffer, format_args!("\\x{b:02x}"));
        }
    }
}

fn escape_char(c: char, out: &mut Vec<u8>) {
    match c {
        '\n' | '\t' => out.push(c as u8),
        '\0'..' ' | '\x7f' => push(out, format_args!("\\x{:02x}", c as u32)),
        c if steers(c) => push(out, format_args!("\\u{{{:x}}}", c as u32)),
        c => push(out, format_args!("{c}")),
    }
}

/// Characters beyond ASCII that a terminal does not show but obeys: the controls of ISO 6429 (U+009B begins an
/// escape sequence), and those that turn the direction of the text, so that it reads as another one.
pub(crate) fn steers(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    matches!(c, '\u{80}'..='\u{9f}') || turns
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments) {
    // A vector takes everything.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> String {
        let mut buffer = b"\x1b".to_vec();
        buffer.extend_from_slice(text);
        escape_from(&mut buffer, 1);
        assert_eq!(buffer.remove(0), b'\x1b', "what stands before stays");
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(shown(b"\x1b[31mred\x07\r\x7f"), "\\x1b[31mred\\x07\\x0d\\x7f");
        assert_eq!(
            shown("\u{9b}31m \u{202e}txt.exe\u{2069}".as_bytes()),
            "\\u{9b}31m \\u{202e}txt.exe\\u{2069}"
        );
        assert_eq!(shown(b"\xff\xc3"), "\\xff\\xc3");
    }

    #[test]
    fn what_is_only_text_stays() {
        for text in ["a\tb\n", "über → 日本", "\\x1b", ""] {
            assert_eq!(shown(text.as_bytes()), text);
        }
    }

    #[test]
    fn lists_are_escaped_line_by_line() {
        let mut out = LineWriter::new(Escaped(Vec::new()));
        write!(out, "caf").unwrap();
        write!(out, "é \x1b\nrest").unwrap();
        out.flush().unwrap();
        assert_eq!(out.get_ref().0, "café \\x1b\nrest".as_bytes());
    }
}

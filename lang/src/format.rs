//! `printf` formats: the text between conversions, and the conversions.

use std::rc::Rc;

/// One piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text to print as it is, `%%` resolved.
    Text(Rc<str>),
    /// A conversion: prints the next argument.
    Conv(Conv),
}

/// A conversion such as `%-16s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// `-`: left-justified.
    pub left: bool,
    /// `0`: padded with zeros.
    pub zero: bool,
    /// `+`: a sign always.
    pub plus: bool,
    /// A blank where a `+` would stand.
    pub space: bool,
    /// `#`: `0x` and the like.
    pub alt: bool,
    /// Least width.
    pub width: Option<u32>,
    /// Digits, or most characters of a text.
    pub precision: Option<u32>,
    /// Size in bytes that the length modifier gives an integer: `hh` 1, `h` 2, none 4, `l` `ll` `z` `j` `t` 8.
    pub size: u8,
    /// The letter.
    pub kind: ConvKind,
}

impl Conv {
    /// The letter alone: no flags, no width, a size of 4 bytes.
    pub fn plain(kind: ConvKind) -> Conv {
        Conv {
            left: false,
            zero: false,
            plus: false,
            space: false,
            alt: false,
            width: None,
            precision: None,
            size: 4,
            kind,
        }
    }
}

/// What a conversion prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvKind {
    /// `%d`, `%i`
    Signed,
    /// `%u`
    Unsigned,
    /// `%x`
    Hex,
    /// `%X`
    HexUpper,
    /// `%o`
    Octal,
    /// `%p`
    Pointer,
    /// `%c`
    Char,
    /// `%s`
    Str,
    /// `%r`: bytes; printable ones as they are, others as `\xNN`.
    Raw,
    /// `%rx`: each byte as `\xNN`.
    RawHex,
    /// `%rh`: bytes in hex, separated by blanks.
    RawHexSpaced,
    /// `%gr`: the flags of a page allocation by name.
    Gfp,
}

/// What is wrong with a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Byte offset of the conversion in the format.
    pub offset: usize,
    /// One sentence.
    pub message: String,
}

/// Takes a format apart. `text` is the literal with its escapes resolved.
pub fn parse_format(text: &[u8]) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = vec![];
    let mut plain = vec![];
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'%' {
            plain.push(text[at]);
            at += 1;
        } else if text.get(at + 1) == Some(&b'%') {
            plain.push(b'%');
            at += 2;
        } else {
            let mut cursor = Cursor { text, start: at, at: at + 1 };
            match cursor.conversion()? {
                Some(conv) => {
                    flush(&mut plain, &mut pieces);
                    pieces.push(Piece::Conv(conv));
                    at = cursor.at;
                }
                None => {
                    plain.push(b'%');
                    at += 1;
                }
            }
        }
    }
    flush(&mut plain, &mut pieces);
    Ok(pieces)
}

/// Ends a run of plain text. Bytes that are no UTF-8 print as the replacement character.
fn flush(plain: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !plain.is_empty() {
        pieces.push(Piece::Text(String::from_utf8_lossy(plain).into()));
        plain.clear();
    }
}

/// A place within one conversion.
struct Cursor<'a> {
    text: &'a [u8],
    start: usize,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, FormatError> {
        Err(FormatError { offset: self.start, message: message.into() })
    }

    /// A conversion; `None` where no letter ends it: the percent sign stands for itself.
    fn conversion(&mut self) -> Result<Option<Conv>, FormatError> {
        let mut conv = Conv::plain(ConvKind::Str);
        self.flags(&mut conv);
        conv.width = self.number()?;
        if self.eat(b'.') {
            conv.precision = Some(self.number()?.unwrap_or(0));
        }
        conv.size = self.size();
        if !self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            return Ok(None);
        }
        conv.kind = self.kind()?;
        Ok(Some(conv))
    }

    fn flags(&mut self, conv: &mut Conv) {
        while let Some(c) = self.peek() {
            match c {
                b'-' => conv.left = true,
                b'0' => conv.zero = true,
                b'+' => conv.plus = true,
                b' ' => conv.space = true,
                b'#' => conv.alt = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    /// Digits, at most four of them: wider columns are a mistake.
    fn number(&mut self) -> Result<Option<u32>, FormatError> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = &self.text[from..self.at];
        if self.peek() == Some(b'*') {
            return self.error("a width or precision of '*' is not supported: write the number");
        }
        if digits.len() > 4 {
            return self.error("a width or precision has at most four digits");
        }
        Ok(digits.iter().map(|d| u32::from(d - b'0')).reduce(|n, d| n * 10 + d))
    }

    fn size(&mut self) -> u8 {
        match self.peek() {
            Some(b'h') => {
                self.at += 1;
                if self.eat(b'h') { 1 } else { 2 }
            }
            Some(b'l') => {
                self.at += 1;
                self.eat(b'l');
                8
            }
            Some(b'z' | b'j' | b't') => {
                self.at += 1;
                8
            }
            _ => 4,
        }
    }

    fn kind(&mut self) -> Result<ConvKind, FormatError> {
        let c = self.peek().unwrap_or_default();
        self.at += 1;
        Ok(match c {
            b'd' | b'i' => ConvKind::Signed,
            b'u' => ConvKind::Unsigned,
            b'x' => ConvKind::Hex,
            b'X' => ConvKind::HexUpper,
            b'o' => ConvKind::Octal,
            b'p' => ConvKind::Pointer,
            b'c' => ConvKind::Char,
            b's' => ConvKind::Str,
            b'r' if self.eat(b'x') => ConvKind::RawHex,
            b'r' if self.eat(b'h') => ConvKind::RawHexSpaced,
            b'r' => ConvKind::Raw,
            b'g' if self.eat(b'r') => ConvKind::Gfp,
            c => return self.error(format!("%{} is not a conversion", char::from(c))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv(text: &str) -> Conv {
        match &parse_format(text.as_bytes()).expect("a good format")[..] {
            [Piece::Conv(c)] => c.clone(),
            other => panic!("not one conversion: {other:?}"),
        }
    }

    #[test]
    fn flags_width_precision_and_size() {
        let c = conv("%-+ #016.3llx");
        assert!(c.left && c.plus && c.space && c.alt && c.zero);
        assert_eq!((c.width, c.precision, c.size, c.kind), (Some(16), Some(3), 8, ConvKind::Hex));
        assert_eq!(conv("%hhd").size, 1);
        assert_eq!(conv("%hu").size, 2);
        assert_eq!(conv("%zu").size, 8);
        assert_eq!(conv("%.s").precision, Some(0));
    }

    #[test]
    fn buffers_have_three_forms() {
        assert_eq!(conv("%r").kind, ConvKind::Raw);
        assert_eq!(conv("%rx").kind, ConvKind::RawHex);
        assert_eq!(conv("%rh").kind, ConvKind::RawHexSpaced);
        assert_eq!(conv("%-20gr").kind, ConvKind::Gfp);
    }

    #[test]
    fn text_keeps_its_percent_signs() {
        let pieces = parse_format(b"a%%b %d\n").expect("a good format");
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[0], Piece::Text("a%b ".into()));
        assert_eq!(pieces[2], Piece::Text("\n".into()));
    }

    #[test]
    fn a_lone_percent_sign_stands_for_itself() {
        for text in ["100%", "%\n", "5%, 10%)", "%-5 "] {
            let pieces = parse_format(text.as_bytes()).expect("a good format");
            assert_eq!(pieces, [Piece::Text(text.into())]);
        }
    }

    #[test]
    fn errors_say_where() {
        let e = parse_format(b"ab %y").expect_err("no such conversion");
        assert_eq!((e.offset, e.message.as_str()), (3, "%y is not a conversion"));
        assert!(parse_format(b"%*d").is_err());
    }
}

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
    /// `%rx`: bytes in hex, separated by blanks.
    RawHex,
    /// `%rh`: bytes in hex, not separated.
    RawHexJoined,
}

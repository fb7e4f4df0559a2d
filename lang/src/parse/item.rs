//! The items of a script.

/// Deepest nest of brackets that is parsed. Deeper ones would exhaust a thread's stack.
pub(super) const MAX_NESTING: usize = 128;

/// What an item is, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// `struct`, `union`, `enum`, `typedef`
    C,
    /// `config = { … }`
    Config,
    /// `import "…";`
    Import,
    /// `let @a = …;`
    Map,
    /// `macro name(…) { … }`
    Macro,
    /// `fn name(…) { … }`
    Function,
    /// Attach points and a block.
    Probe,
    /// In a header: a function or a variable.
    Other,
}

/// One item's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Which rule it follows.
    pub(super) kind: ItemKind,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

/// A source in items.
pub(super) struct Part {
    /// The source's number.
    pub(super) file: u16,
    /// The source without comments.
    pub(super) text: String,
    /// Its items in order.
    pub(super) items: Vec<Item>,
}

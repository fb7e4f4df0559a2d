//! Why code generation stops.

use rbtrace_lang::Span;

/// Why code could not be generated.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendError {
    /// The place in the script.
    pub span: Span,
    /// One sentence.
    pub message: String,
}

impl BackendError {
    /// An error at a place.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        BackendError { span, message: message.into() }
    }
}

impl std::fmt::Display for BackendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BackendError {}

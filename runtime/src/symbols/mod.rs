//! Names of addresses: of the kernel and of programs.

pub mod code;
pub mod kcore;
mod source;

pub use source::source_line;

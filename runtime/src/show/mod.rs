//! What a user sees: values as text and JSON, where they go, and what is printed about this machine.

pub mod info;
pub mod lines;
pub mod list;
pub mod print;
pub mod sink;
pub mod terminal;

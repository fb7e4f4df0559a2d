//! Values as people and programs read them: text and JSON.
//!
//! **Invariant**: values are read by the layout of `rbtrace_lang::types`, nothing here asks how they came.

pub mod datum;
pub mod env;
pub mod gfp;
pub mod hist;
pub mod json;
pub mod lookup;
pub mod printf;
pub mod read;
pub mod series;
mod stack;
pub mod text;
pub mod write;

pub use datum::{Datum, Row};
pub use env::Env;

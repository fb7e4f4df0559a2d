//! Values as people and programs read them: text and JSON.
//!
//! **Invariant**: values are read by the layout of `rbtrace_lang::types`, nothing here asks how they came.

pub mod env;
pub mod gfp;
pub mod hist;
pub mod json;
pub mod lookup;
pub mod map;
pub mod printf;
pub mod stack;
pub mod value;

pub use env::Env;

//! From IR to encoded BPF: instruction selection, layout of blocks, encoding.

pub mod code;
pub mod encode;
pub mod frequency;
pub mod layout;
pub mod mach;
pub mod select;
pub mod sink;
pub mod task_stack;
pub mod tidy;

//! The live system.
//!
//! - [`kernel`]: what is asked of the running kernel.
//! - [`files`]: what is read from files: ELF, DWARF, BTF, symbols.
//! - [`run`]: one run of a script: loading, attaching, events, tables.
//! - [`show`]: what a user sees: values, where they go, and lists.
//! - [`sys`]: system calls, for all of these.
//!
//! [`run::Session`] shows how a script is run from Rust.

// See `show::terminal`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod bytes;
pub mod files;
pub mod glob;
pub mod kernel;
pub mod near;
pub mod run;
pub mod show;
pub mod sys;

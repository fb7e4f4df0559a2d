//! rbtrace's end-to-end tests: plain-text cases that run on this kernel or in a virtual machine alike.
//!
//! A case names a program, what to run beside it once it is attached, and what it must print.
//! `docs/testing.md` describes the format; [`case`] reads it, [`run`] runs it, [`pattern`] judges the output.

pub mod case;
pub mod leftovers;
pub mod pattern;
pub mod process;
pub mod programs;
pub mod report;
pub mod requires;
pub mod run;
pub mod sys;
pub mod traffic;

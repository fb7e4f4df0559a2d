//! One run of a script: what is loaded, attached, read and undone again.

pub mod actions;
pub mod attach;
pub mod events;
pub mod load;
pub mod session;
pub mod tables;

pub use session::{Closing, LiveTable, Outcome, Progress, RunError, RunOptions, Session};

//! What is asked of the running kernel: the answers to the compiler's questions, and what we may do here.

pub mod features;
pub mod privileges;
pub mod system;
pub mod tracefs;

pub use features::LiveKernel;
pub use system::LiveSystem;

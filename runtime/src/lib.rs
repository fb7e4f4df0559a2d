//! The live system.

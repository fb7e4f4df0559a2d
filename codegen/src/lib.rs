//! From a typed program to BPF.
pub mod object;
pub mod ir;

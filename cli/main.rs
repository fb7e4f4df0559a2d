//! rbtrace.
fn main() {}

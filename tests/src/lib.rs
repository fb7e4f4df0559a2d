//! rbtrace end-to-end tests.

//! The receiver's program.

fn main() {}

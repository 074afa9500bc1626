//! The camera's program.

fn main() {}

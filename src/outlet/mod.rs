//! From a loop that must not wait to a device that takes its time: a bounded queue, then a thread.
//!
//! When the device is too slow, values are left out and counted; the loop goes on.

pub mod lines;
pub mod queue;
pub mod worker;

//! The camera: where frames come from, and the loop that sends them.

pub mod devices;
pub mod lettering;
pub mod notice;
pub mod source;
pub mod v4l2;

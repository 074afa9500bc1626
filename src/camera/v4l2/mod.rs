//! Capture from V4L2 devices.

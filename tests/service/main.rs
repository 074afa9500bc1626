//! `sealcam run` as a service: the real program with a service manager, a receiver, commands and faults.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

#[path = "../fake_camera/images.rs"]
mod images;
#[path = "../fake_camera/library.rs"]
mod library;
#[path = "../lab/namespaces.rs"]
#[allow(dead_code, reason = "the sockets' own tests use more of it")]
mod namespaces;

mod camera;
mod doors;
mod life;
mod names;
mod receiver;
mod reload;
mod room;
#[cfg(feature = "viewer")]
mod soak;
mod stranger;
mod switching;

//! The two real programs against each other, as people run them: on one machine, between hosts, under a
//! fake camera, with recorded and broken datagrams, and with every mistake on the command line.
//!
//! Each test has a folder and a free port of its own, waits with limits, and ends what it started. Tests
//! between hosts need root and iproute2, some others ffmpeg or an X server without a screen: where these are
//! missing they say so and pass.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../window/display.rs"]
#[allow(dead_code, reason = "the window's own tests use more of it")]
mod display;
#[path = "../fake_camera/images.rs"]
mod images;
#[path = "../fake_camera/library.rs"]
mod library;
#[path = "../lab/namespaces.rs"]
#[allow(dead_code, reason = "the sockets' own tests use more of it")]
mod namespaces;

mod allocations;
mod camera;
mod demo;
mod ends;
mod hosts;
mod idle;
mod keys;
mod links;
mod loopback;
mod paired;
mod paired_file;
mod paired_lan;
mod pictures;
mod preload;
mod program;
mod recording;
mod relay;
mod replay;
mod touched;
mod usage;

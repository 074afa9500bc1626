//! The protocol core as a whole: cameras and viewers over a simulated link in virtual time.
//!
//! Nothing here needs a feature, a socket or a clock. Every random choice comes from one seed; a failing
//! test prints the seed, and `SEALCAM_SEED=N cargo test --test protocol NAME` replays exactly that run.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is the finding")]

mod attack;
mod craft;
mod golden;
mod hall;
mod handshake_vectors;
mod link;
mod lossy;
mod numbers;
mod paired;
mod paired_attack;
mod paired_drops;
mod paired_vectors;
mod random;
mod simulation;
mod switching;
mod vectors;
mod world;

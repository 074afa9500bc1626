//! The viewer's outlets on real files and pipes, looked at with ffmpeg where it is installed.

#[path = "../pictures/mod.rs"]
mod pictures;

mod folder;
mod pipe;
mod player;
mod recording;
mod snapshot;

//! The camera: where frames come from, and the loop that sends them.

pub mod area;
pub mod avi;
pub mod camera_config;
pub mod canvas;
pub mod file;
pub mod folder;
pub mod frame_index;
pub mod lettering;
pub mod pace;
pub mod pattern;
pub mod pipe;
pub mod rate_limit;
pub mod scene;
pub mod settings_file;
pub mod source;
pub mod splitter;
pub mod v4l2;

//! The camera: where frames come from, and the loop that sends them.
//!
//! | module | what lives there |
//! |---|---|
//! | [`source`] | the contract of every source of frames |
//! | [`v4l2`], [`devices`] | cameras; a list of them |
//! | [`mod@file`], [`avi`], [`folder`], [`frame_index`] | recordings, played in a loop |
//! | [`pipe`], [`splitter`] | motion JPEG on standard input |
//! | [`pattern`], [`scene`], [`notice`], [`canvas`], [`lettering`] | pictures drawn here |
//! | [`pace`], [`rate_limit`] | when a frame is due, which are left out |
//! | [`area`], [`camera_config`], [`settings_file`], [`size`] | JSON settings, with line and column of what is wrong |
//! | [`flow`], [`watchdog`], [`stand_in`] | whether pictures flow, and what is done where they cannot |
//! | [`server`], [`http`], [`notify`], [`board`], [`sandbox`] | a service's doors, systemd, the board, the kernel's fences |
//! | [`args`], [`values`], [`spelling`], [`audience`], [`config`], [`file_config`] | the command line; the file; settings, checked |
//! | [`open`], [`pipeline`], [`streaming`], [`sending`] | from a source to the network |
//! | [`crowd`] | paired viewers: their socket, who they are, what they ask for |
//! | [`run`], [`reporter`], [`stats`] | the loop, and what is told of it |
//! | [`service`], [`reload`], [`control`], [`status`], [`metrics`] | `sealcam run`, and who speaks to it |
//! | [`viewers`], [`pair`] | whom the camera lets in |
//! | [`demo`] | both programs at work on one machine |

pub mod area;
pub mod args;
pub mod audience;
pub mod avi;
pub mod board;
pub mod camera_config;
pub mod canvas;
pub mod config;
mod config_sources;
pub mod control;
pub mod crowd;
pub mod demo;
pub mod destination;
pub mod devices;
pub mod file;
pub mod file_config;
pub mod flow;
pub mod folder;
pub mod frame_index;
pub mod http;
pub mod lettering;
pub mod metrics;
pub mod notice;
pub mod notify;
pub mod open;
pub mod pace;
pub mod pair;
pub mod pattern;
pub mod pipe;
pub mod pipeline;
pub mod rate_limit;
pub mod reload;
pub mod reporter;
pub mod run;
pub mod sandbox;
pub mod scene;
pub mod sending;
pub mod server;
pub mod service;
pub mod settings_file;
pub mod size;
pub mod source;
pub mod spelling;
pub mod splitter;
pub mod stand_in;
pub mod stats;
pub mod status;
pub mod streaming;
pub mod v4l2;
pub mod values;
pub mod viewers;
pub mod watchdog;

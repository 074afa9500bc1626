//! Receives a sealed camera stream: shows it, records it, pipes it on.

use std::io::stderr;
use std::process::ExitCode;

use clap::Parser;
use sealcam::exit;
use sealcam::live::{LiveText, stderr_is_live};
use sealcam::logging;
use sealcam::viewer::args::{Cli, Command};
use sealcam::viewer::config::WatchConfig;
use sealcam::viewer::watch::watch;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let live = LiveText::new(stderr(), stderr_is_live());
    logging::start(live.for_log(stderr()));
    let Command::Watch(args) = cli.command;
    exit::status(&WatchConfig::try_from(*args).and_then(|config| watch(&config, live)))
}

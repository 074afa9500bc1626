//! Receives a sealed camera stream: shows it, records it, pipes it on.

use std::io::stderr;
use std::process::ExitCode;

use clap::Parser;
use sealcam::commands::{ShowIdentity, Wanted, show_identity};
use sealcam::exit::{self, RunError};
use sealcam::live::{LiveText, stderr_is_live};
use sealcam::logging;
use sealcam::viewer::args::{Cli, Command, IdentityArgs};
use sealcam::viewer::cameras::cameras;
use sealcam::viewer::config::{ConnectConfig, WatchConfig};
use sealcam::viewer::pair::pair;
use sealcam::viewer::paired::tune::tune;
use sealcam::viewer::paired::viewers::viewers;
use sealcam::viewer::watch::{connect, watch};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let live = LiveText::new(stderr(), stderr_is_live());
    logging::start(live.for_log(stderr()));
    exit::status(&match cli.command {
        Command::Watch(args) => WatchConfig::try_from(*args).and_then(|config| watch(&config, live)),
        Command::Pair(args) => pair(&args),
        Command::Connect(args) => ConnectConfig::try_from(*args).and_then(|config| connect(&config, live)),
        Command::Tune(args) => tune(*args),
        Command::Viewers(args) => viewers(*args),
        Command::Identity(args) => identity(&args),
        Command::Cameras(args) => cameras(&args),
    })
}

fn identity(args: &IdentityArgs) -> Result<(), RunError> {
    let IdentityArgs { name, qr, state } = args;
    show_identity(&ShowIdentity { state: state.as_deref(), name: *name, qr: *qr, wanted: Wanted::ByCamera })
}

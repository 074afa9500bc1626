//! Sends a camera's frames, sealed, over UDP.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use sealcam::camera::args::{Cli, Command, KeygenArgs};
use sealcam::camera::config::StreamConfig;
use sealcam::camera::demo::demo;
use sealcam::camera::devices::Devices;
use sealcam::camera::run;
use sealcam::exit::{self, RunError};
use sealcam::keys::{key_file, random};
use sealcam::logging;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(io::stderr());
    exit::status(&match cli.command {
        Command::Stream(args) => {
            StreamConfig::try_from(*args).map_err(RunError::from).and_then(|config| run::stream(&config))
        }
        Command::Run(_) | Command::Check(_) | Command::Status(_) | Command::Source(_) => Ok(()),
        Command::Keygen(args) => keygen(&args),
        Command::Devices => say(&Devices::of_this_machine().to_string()),
        Command::Demo(args) => demo(&args),
    })
}

fn keygen(args: &KeygenArgs) -> Result<(), RunError> {
    let mut bytes = [0; 32];
    random(&mut bytes).map_err(RunError::failed)?;
    let made = key_file::create(&args.out, &bytes);
    zeroize::Zeroize::zeroize(&mut bytes);
    let key = made.map_err(RunError::usage)?;
    say(&format!(
        "New key in {out}, fingerprint {}.\n\
         Copy the file to your viewers' machines, for example with\n  \
         scp -p {out} viewer:\n\
         Whoever holds it can watch the stream and forge it. Give every camera a key of its own.\n",
        key.fingerprint(),
        out = args.out.display(),
    ))
}

/// Writes to standard output; a reader that has gone away is no failure.
fn say(text: &str) -> Result<(), RunError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(RunError::failed(why)),
        _ => Ok(()),
    }
}

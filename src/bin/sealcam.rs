//! Sends a camera's frames, sealed, over UDP.

use std::io::stderr;
use std::process::ExitCode;

use clap::Parser;
use sealcam::camera::args::{
    CheckArgs, Cli, Command, IdentityArgs, KeygenArgs, ServeArgs, SourceArgs, StatusArgs,
};
use sealcam::camera::config::{Audience, StreamConfig};
use sealcam::camera::control::client::ask;
use sealcam::camera::control::{self, Request};
use sealcam::camera::demo::demo;
use sealcam::camera::devices::Devices;
use sealcam::camera::file_config::{self, Effective};
use sealcam::camera::pair::pair;
use sealcam::camera::status::Health;
use sealcam::camera::viewers::viewers;
use sealcam::camera::{run, service};
use sealcam::commands::{ShowIdentity, Wanted, say, show_identity};
use sealcam::exit::{self, RunError};
use sealcam::keys::{key_file, random};
use sealcam::live::{LiveText, stderr_is_live};
use sealcam::logging;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let live = LiveText::new(stderr(), true);
    logging::start(live.for_log(stderr()));
    let live = stderr_is_live().then_some(live);
    exit::status(&match cli.command {
        Command::Stream(args) => StreamConfig::try_from(*args)
            .map_err(RunError::from)
            .and_then(|config| run::stream(&config, live)),
        Command::Serve(args) => serve(*args, live),
        Command::Run(args) => service::run(&args.config, live),
        Command::Check(args) => check(&args),
        Command::Status(args) => status(&args),
        Command::Source(args) => source(args),
        Command::Keygen(args) => keygen(&args),
        Command::Identity(args) => identity(&args),
        Command::Pair(args) => pair(&args),
        Command::Viewers(args) => viewers(&args),
        Command::Devices => say(&Devices::of_this_machine().to_string()),
        Command::Demo(args) => demo(&args),
    })
}

fn serve(mut args: ServeArgs, live: Option<LiveText<std::io::Stderr>>) -> Result<(), RunError> {
    let control = args.control.take();
    service::serve(StreamConfig::try_from(args)?, control, live)
}

fn check(args: &CheckArgs) -> Result<(), RunError> {
    let config = file_config::read(&args.file.config)?;
    if args.quiet {
        return Ok(());
    }
    say(&Effective(&config).to_string())?;
    // Whoever checks need not be whoever may read the key.
    let Audience::Shared(key) = &config.stream.audience else { return Ok(()) };
    if let Err(why) = key.path().and_then(|key| key_file::read(&key).map_err(|why| why.to_string())) {
        log::warn!("the settings are good; the key was not looked at: {why}");
    }
    Ok(())
}

fn status(args: &StatusArgs) -> Result<(), RunError> {
    let (reply, line) = ask(&control::find(args.service.control.as_deref()), &Request::Status {})?;
    let Some(status) = reply.status else { return say(&line) };
    say(if args.json { line } else { status.to_string() }.as_str())?;
    match status.health {
        Health { healthy: true, .. } => Ok(()),
        Health { why, .. } => Err(RunError::Failed(format!("the service runs, but is not healthy: {why}"))),
    }
}

fn source(args: SourceArgs) -> Result<(), RunError> {
    let request = args.name.map_or(Request::Sources {}, |name| Request::Source { name });
    let (reply, _) = ask(&control::find(args.service.control.as_deref()), &request)?;
    let mut text = String::new();
    for source in &reply.sources {
        text += &format!("{} {}  {}\n", if source.active { "*" } else { " " }, source.name, source.source);
    }
    if reply.active.is_none() {
        text += "switched off: no source is sent\n";
    }
    say(&text)
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

fn identity(args: &IdentityArgs) -> Result<(), RunError> {
    let IdentityArgs { name, qr, state } = args;
    show_identity(&ShowIdentity { state: state.as_deref(), name: *name, qr: *qr, wanted: Wanted::ByViewer })
}

//! The command line of `sealview`.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::wire::Name;

/// Receives a sealed camera stream: shows it, records it, pipes it on.
#[derive(Debug, Parser)]
#[command(name = "sealview", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Getting going:
  sealview watch 0.0.0.0:5000 --key secret.key             what a camera sends to this machine
  sealview watch 239.1.2.3:5000 --key secret.key           what it sends to a multicast group
  sealview watch 0.0.0.0:5000 --key secret.key --record today.mkv
  sealview watch 0.0.0.0:5000 --key secret.key --no-window --stdout | ffplay -f mjpeg -

Keys in the window: q closes it, f full screen, s saves a picture, i shows figures.
The log level is set with RUST_LOG (error, warn, info, debug).
Exit status: 0 done, 1 failed at run time, 2 wrong usage or configuration.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Listen at an address, or join a group, for a stream under a shared key
    Watch(Box<WatchArgs>),
    /// Pair with a camera by the code that `sealcam pair` shows there
    Pair(PairArgs),
    /// Show this viewer's public key, which cameras need to let it in; made on first use
    Identity(IdentityArgs),
    /// List, add or forget the cameras that this viewer knows
    Cameras(CamerasArgs),
}

/// Options of `sealview pair`.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// The camera: its machine's name or address, with :PORT if that is not 5004
    #[arg(value_name = "CAMERA[:PORT]")]
    pub camera: String,

    /// The code, such as 48213-k7m2qx
    #[arg(value_name = "CODE")]
    pub code: String,

    /// What the camera is to call this viewer [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// What to call the camera here [default: what it calls itself]
    #[arg(long = "as", value_name = "NAME")]
    pub save_as: Option<Name>,

    /// Where this viewer's key and the cameras are kept [default: $STATE_DIRECTORY, else ~/.local/state/sealcam]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Options of `sealview identity`.
#[derive(Debug, Args)]
pub struct IdentityArgs {
    /// What the camera is to call this viewer, in the line to type there [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// Draw the QR code even if standard output is no terminal
    #[arg(long)]
    pub qr: bool,

    /// Where the key is kept [default: $STATE_DIRECTORY, else ~/.local/state/sealcam]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Options of `sealview cameras`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct CamerasArgs {
    /// Where the list is kept [default: $STATE_DIRECTORY, else ~/.local/state/sealcam]
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,

    /// What to do [default: list]
    #[command(subcommand)]
    pub command: Option<CamerasCommand>,
}

/// What to do with the list of cameras.
#[derive(Debug, Subcommand)]
pub enum CamerasCommand {
    /// Show the cameras that are known: name, fingerprint, key, where they were last reached
    List,
    /// Make a camera known
    Add(AddCameraArgs),
    /// Know a camera no longer
    Forget {
        /// What it is called in the list
        #[arg(value_name = "NAME")]
        name: Name,
    },
}

/// Options of `sealview cameras add`.
#[derive(Debug, Args)]
pub struct AddCameraArgs {
    /// What to call the camera
    #[arg(value_name = "NAME")]
    pub name: Name,

    /// Its public key, sealpub1..., from `sealcam identity`
    // Text until it is looked at: a complaint of the parser would repeat a secret that was pasted.
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Where it is; IPv6 addresses in brackets
    #[arg(value_name = "ADDR:PORT")]
    pub address: Option<SocketAddr>,
}

/// Options of `sealview watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The address and port to listen at, or the multicast group to join
    #[arg(value_name = "ADDR:PORT")]
    pub at: String,

    /// The shared key, made by `sealcam keygen`
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,

    /// Join the group on this interface, or listen only there; by name or address
    #[arg(long, value_name = "ADDR|NAME")]
    pub interface: Option<crate::net::Interface>,

    /// Open no window
    #[arg(long)]
    pub no_window: bool,

    /// Write the frames to standard output, one JPEG image after the other
    #[arg(long)]
    pub stdout: bool,

    /// Record the frames as received: .mkv (Matroska), .mjpeg or .mjpg (images one after the other); an
    /// existing file is never overwritten, NO SIGNAL pictures are left out
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Write the first frame into this file, and the newest one at the end
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,

    /// Stop after this many whole frames
    #[arg(long, value_name = "N")]
    pub frames: Option<NonZeroU64>,

    /// Give up, with exit status 1, when no whole frame has come for this time
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<f64>,

    /// Write a line of JSON figures every second, and a last one at the end; - is standard output
    #[arg(long, value_name = "FILE|-")]
    pub stats_json: Option<PathBuf>,

    /// Keep here what was seen, to refuse recordings [default: $STATE_DIRECTORY, else ~/.local/state/sealcam]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Forget what was seen under this key: for a camera that has lost its start counter
    #[arg(long)]
    pub forget: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    if (0.1..=1e6).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("{seconds} is not within 0.1 to 1000000"))
    }
}

//! The command line of `sealview`.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::wire::{Name, Role};

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
  sealview connect barn                                    a paired camera of `sealview cameras`
  sealview cameras find                                    which cameras announce themselves here
  sealview connect 192.168.1.30 --key sealpub1...          one that is not known yet

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
    /// Connect to a paired camera
    Connect(Box<ConnectArgs>),
    /// Change the picture of a paired camera
    Tune(Box<TuneArgs>),
    /// List, let in or put out the viewers of a paired camera
    Viewers(Box<ViewersArgs>),
    /// Show this viewer's public key, which cameras need to let it in; made on first use
    Identity(IdentityArgs),
    /// List, add or forget the cameras that this viewer knows, or find those on the local network
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

/// Which paired camera, and how it is reached.
#[derive(Debug, Args)]
pub struct PeerArgs {
    /// Its name in `sealview cameras`, or its address or host name; the port is 5004 unless one is given
    #[arg(value_name = "CAMERA[:PORT]")]
    pub camera: String,

    /// Its public key, sealpub1..., if it is not among `sealview cameras`
    // Text until it is looked at: a complaint of the parser would repeat a secret that was pasted.
    #[arg(long = "key", value_name = "KEY", global = true)]
    pub camera_key: Option<String>,

    /// Reach it by this interface; by name or address
    #[arg(long, value_name = "ADDR|NAME", global = true)]
    pub interface: Option<crate::net::Interface>,

    /// Where the own key and the cameras are kept [default: $STATE_DIRECTORY, else ~/.local/state/sealcam]
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,
}

/// Options of `sealview connect`.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// Which camera
    #[command(flatten)]
    pub peer: PeerArgs,

    /// Receive from the multicast group that the camera names, as long as anything comes from there
    #[arg(long)]
    pub multicast: bool,

    /// What becomes of the frames
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Options of `sealview tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Which camera
    #[command(flatten)]
    pub peer: PeerArgs,

    /// JPEG quality
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: Option<u8>,

    /// Frames per second
    #[arg(long, value_name = "N", value_parser = fps)]
    pub fps: Option<f64>,

    /// Size of the pictures
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub size: Option<String>,

    /// Which of the camera's sources is sent, or off
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,

    /// The part of the picture that is set upright, as in `sealcam stream --area`; off for the whole picture
    #[arg(long, value_name = "FILE|off")]
    pub area: Option<PathBuf>,

    /// Set a control of the camera, such as brightness=120; may be given several times
    #[arg(long = "control", value_name = "NAME=VALUE")]
    pub controls: Vec<String>,
}

/// Options of `sealview viewers`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct ViewersArgs {
    /// Which camera
    #[command(flatten)]
    pub peer: PeerArgs,

    /// What to do [default: list]
    #[command(subcommand)]
    pub command: Option<ViewersCommand>,
}

/// What to do with the viewers of a camera.
#[derive(Debug, Subcommand)]
pub enum ViewersCommand {
    /// Show whom the camera lets in, and who is there
    List,
    /// Let a viewer in
    Add(AddViewerArgs),
    /// Let a viewer in no longer, and put it out
    Remove {
        /// What it is called at the camera
        #[arg(value_name = "NAME")]
        name: Name,
    },
}

/// Options of `sealview viewers CAMERA add`.
#[derive(Debug, Args)]
pub struct AddViewerArgs {
    /// What the camera is to call the viewer
    #[arg(value_name = "NAME")]
    pub name: Name,

    /// Its public key, sealpub1..., from `sealview identity` there
    // As above.
    #[arg(value_name = "KEY")]
    pub key: String,

    /// What it may do: view, tune or admin
    #[arg(long, value_name = "ROLE", default_value_t = Role::View)]
    pub role: Role,
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
    /// Show the cameras that announce themselves on the local network, and which of them claim a key that is known;
    /// whether it is theirs shows when connecting
    Find {
        /// Ask on this interface only; by name or address
        #[arg(long, value_name = "ADDR|NAME")]
        interface: Option<crate::net::Interface>,
    },
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

    /// What becomes of the frames
    #[command(flatten)]
    pub view: ViewArgs,

    /// Keep here what was seen, to refuse recordings [default: $STATE_DIRECTORY, else ~/.local/state/sealcam]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Forget what was seen under this key: for a camera that has lost its start counter
    #[arg(long)]
    pub forget: bool,
}

/// What becomes of the frames, whichever way they come.
#[derive(Debug, Args)]
pub struct ViewArgs {
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
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    if (0.1..=1e6).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("{seconds} is not within 0.1 to 1000000"))
    }
}

fn fps(text: &str) -> Result<f64, String> {
    let fps: f64 = text.parse().map_err(|_| format!("{text:?} is no number of frames per second"))?;
    if (0.1..=240.0).contains(&fps) { Ok(fps) } else { Err(format!("{fps} is not within 0.1 to 240")) }
}

fn size(text: &str) -> Result<String, String> {
    let side = |text: &str| text.parse().is_ok_and(|side: u16| side > 0);
    match text.split_once('x') {
        Some((width, height)) if side(width) && side(height) => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is no width and height: write 640x360")),
    }
}

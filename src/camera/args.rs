//! The command line of `sealcam`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::audience::DEFAULT_LISTEN;
use super::v4l2::FormatChoice;
use super::values::{CodePoint, Fps, Hops, Percent, Quality, Size, SourceSpec};
use crate::wire::{Name, Role};

/// Sends a camera's frames, sealed, over UDP.
///
/// Every datagram is encrypted and authenticated (ChaCha20-Poly1305). A camera's JPEG frames are passed
/// through untouched wherever that is possible.
#[derive(Debug, Parser)]
#[command(name = "sealcam", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Getting going:
  sealcam demo                                    see it work: no camera, no key, no network needed
  sealcam devices                                 what cameras there are
  sealcam serve                                   send to paired viewers; then let one in:
  sealcam pair                                    shows a code for `sealview pair CAMERA CODE`
  sealcam keygen --out secret.key                 make a shared key; copy it to the viewer's machine
  sealcam stream 192.168.1.20:5000 --key secret.key
  sealview watch 0.0.0.0:5000 --key secret.key    on the machine 192.168.1.20
  sealcam stream 239.1.2.3:5000 --key secret.key  to everyone in a multicast group
  sealcam run --config sealcam.toml               as a service: reload with SIGHUP, ask it with sealcam status

The log level is set with RUST_LOG (error, warn, info, debug).
Exit status: 0 done, 1 failed at run time, 2 wrong usage or configuration.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send to one address or multicast group under a shared key
    Stream(Box<StreamArgs>),
    /// Send to paired viewers, each with a key of its own, admitted and removed at will
    Serve(Box<ServeArgs>),
    /// Run as a service: send what a configuration file says, until told to stop
    Run(ConfigArgs),
    /// Check a configuration file and print the settings that are in effect
    Check(CheckArgs),
    /// Show what the running service does
    Status(StatusArgs),
    /// Switch the running service to another source, or list its sources
    Source(SourceArgs),
    /// Make a shared key in an owner-only file
    Keygen(KeygenArgs),
    /// Show this camera's public key, which its viewers need; made on first use
    Identity(IdentityArgs),
    /// Let a viewer in by a short code: on its machine, `sealview pair` takes it within two minutes
    Pair(PairArgs),
    /// Add, list or remove the viewers that are let in
    Viewers(ViewersArgs),
    /// List the cameras of this machine: formats, sizes, rates, stable paths
    Devices,
    /// Show the whole way at work: a test scene goes sealed over loopback into the receiver
    Demo(DemoArgs),
}

/// When JPEG frames are touched, for the help of the options that cause it.
const TOUCHED: &str = "\
When frames are touched:
  A JPEG frame is sent as the camera made it, bit for bit, unless
    --quality is lower than what the camera used. Its coefficients are
      then quantised again, which costs less than decoding and encoding.
    --area is given, or --size is not a size that the source delivers.
      It is then decoded, transformed and encoded again.
  Raw frames (YUYV, UYVY, NV12, YU12, RGB24, GREY) are always encoded,
  with --quality (80 unless given), baseline, with a restart marker in
  every row of blocks.";

const SOURCES: &str = "Where frames come from: /dev/videoN, pattern[:WxH@FPS], file:PATH (.mjpeg, .avi or a \
                       folder of .jpg; loops), or - (MJPEG on standard input)";

const AREA: &str = "JSON with four picked corners to rectify: \
                    {\"selected_rect\":[[x,y] x4],\"visible_rect\":[[x,y] x4]}";

/// Options of `sealcam stream`.
#[derive(Debug, Args)]
#[command(after_help = TOUCHED)]
pub struct StreamArgs {
    /// Where to send: a host or a multicast group; IPv6 addresses in brackets
    #[arg(value_name = "ADDR:PORT")]
    pub destination: String,

    /// The shared key, made by `sealcam keygen`
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it")]
    pub sending: SendingArgs,
}

/// Options of `sealcam serve`.
#[derive(Debug, Args)]
#[command(after_help = TOUCHED)]
pub struct ServeArgs {
    /// Where viewers come to; by default at every address of this machine
    #[arg(long, value_name = "ADDR:PORT", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,

    /// What the camera calls itself [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// Viewers at once
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u8).range(1..))]
    pub max_viewers: u8,

    /// Let a viewer go that has not been heard for so long
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = clap::value_parser!(u8).range(3..))]
    pub idle: u8,

    /// Capture only while somebody watches
    #[arg(long)]
    pub on_demand: bool,

    /// Do not sign frames: every viewer can then forge them for the others; saves CPU and about one datagram in
    /// thirty. Figures and viewers tell of it
    #[arg(long)]
    pub unsigned: bool,

    /// Send to this multicast group as well, for the viewers that ask for it; handshakes stay with the listener
    #[arg(long, value_name = "ADDR:PORT")]
    pub group: Option<SocketAddr>,

    /// Do not tell the local network (by mDNS) the camera's name, port and key's fingerprint, by which its viewers
    /// find it again at another address
    #[arg(long)]
    pub no_announce: bool,

    /// The control socket, for `status`, `source` and `pair` [default: /run/sealcam/control.sock, else
    /// $XDG_RUNTIME_DIR/sealcam/control.sock]
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it")]
    pub sending: SendingArgs,
}

/// What is sent, and how.
#[derive(Debug, Args)]
pub struct SendingArgs {
    /// Where frames come from
    #[arg(long, value_name = "SRC", default_value = "/dev/video0", help = SOURCES)]
    pub source: SourceSpec,

    /// JPEG quality, 1..=100; see below for when frames are touched
    #[arg(long, value_name = "1-100")]
    pub quality: Option<Quality>,

    /// Frames per second: asked of the camera, and the most that is sent
    #[arg(long, value_name = "N")]
    pub fps: Option<Fps>,

    /// Picture size: asked of the source, else scaled to
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,

    /// What to take from the camera: auto, mjpeg, yuyv, uyvy, nv12, yu12, rgb24 or grey
    #[arg(long, value_name = "FORMAT", default_value_t = FormatChoice::Auto)]
    pub format: FormatChoice,

    /// Bytes of UDP payload in a full datagram, 128 up to what the route carries; 1200 unless the path is
    /// known to carry 1472 (IPv6: 1452)
    #[arg(long, value_name = "BYTES")]
    pub packet_size: Option<usize>,

    /// How much of the frame interval a frame is spread over; 0 sends it at once
    #[arg(long, value_name = "PERCENT", default_value = "25")]
    pub pace: Percent,

    /// Send from this interface, by name or address; paired viewers come in by it alone
    #[arg(long, value_name = "ADDR|NAME")]
    pub interface: Option<crate::net::Interface>,

    /// Let receivers on this machine hear what goes to a multicast group
    #[arg(long)]
    pub loopback: bool,

    /// How many routers a datagram may pass; 1 for a group unless given
    #[arg(long, value_name = "N")]
    pub ttl: Option<Hops>,

    /// Differentiated services code point; 34 is interactive video
    #[arg(long, value_name = "0-63", default_value = "34")]
    pub dscp: CodePoint,

    /// JSON with four picked corners to rectify
    #[arg(long, value_name = "FILE", help = AREA)]
    pub area: Option<PathBuf>,

    /// JSON with what to ask of the camera: {"width":640,"height":360,"fps":60}; --size and --fps win
    #[arg(long, value_name = "FILE")]
    pub camera_config: Option<PathBuf>,

    /// Stop after this many frames
    #[arg(long, value_name = "N")]
    pub frames: Option<std::num::NonZeroU64>,

    /// Write a line of JSON figures every second, and a last one at the end; - is standard output
    #[arg(long, value_name = "FILE|-")]
    pub stats_json: Option<PathBuf>,

    /// Keep the start counter here [default: $STATE_DIRECTORY, else ~/.local/state/sealcam]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Options of `sealcam run` and `sealcam check`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file, TOML; `sealcam check` says what is wrong with it, and where
    #[arg(long, value_name = "FILE", default_value = "/etc/sealcam/sealcam.toml")]
    pub config: PathBuf,
}

/// Options of `sealcam check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What to check.
    #[command(flatten)]
    pub file: ConfigArgs,
    /// Say nothing unless something is wrong; the key is not looked at
    #[arg(long)]
    pub quiet: bool,
}

/// What scripts want to know of `sealcam status`.
const STATUS_CODES: &str = "\
Exit status:
  0  healthy: new frames are flowing, or the service is switched off by choice
  1  not healthy, or no service is running; a sentence on standard error says which
  2  wrong usage";

/// Options of `sealcam status`.
#[derive(Debug, Args)]
#[command(after_help = STATUS_CODES)]
pub struct StatusArgs {
    /// One line of JSON instead of text
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it")]
    pub service: ServiceArgs,
}

/// Options of `sealcam source`.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// The source to switch to; `off` sends nothing [default: list the sources]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it")]
    pub service: ServiceArgs,
}

/// Which service to speak to.
#[derive(Debug, Args)]
pub struct ServiceArgs {
    /// The service's control socket [default: /run/sealcam/control.sock, else that of this user,
    /// $XDG_RUNTIME_DIR/sealcam/control.sock]
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
}

/// Options of `sealcam keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The file to write; it must not exist yet
    #[arg(long, value_name = "FILE", default_value = "secret.key")]
    pub out: PathBuf,
}

/// Options of `sealcam identity`.
#[derive(Debug, Args)]
pub struct IdentityArgs {
    /// What viewers are to call this camera, in the line to type there [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// Draw the QR code even if standard output is no terminal
    #[arg(long)]
    pub qr: bool,

    /// Where the key is kept [default: $STATE_DIRECTORY, else ~/.local/state/sealcam; the service's is
    /// /var/lib/sealcam]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Options of `sealcam pair`.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// What the viewer may do: view (watch), tune (also change the picture) or admin (also let viewers in)
    #[arg(long, value_name = "ROLE", default_value_t = Role::View)]
    pub role: Role,

    /// Show a QR code, with a longer code in it
    #[arg(long)]
    pub qr: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it")]
    pub service: ServiceArgs,
}

/// How the list of viewers can be edited.
const VIEWERS_FILE: &str = "\
The list is the file `viewers` in the state folder, one viewer a line, and may
be edited by hand. A running service notices changes by itself. As root the
commands edit the list of a service's user, which stays its owner:
  sudo sealcam viewers list --state /var/lib/sealcam";

/// Options of `sealcam viewers`.
#[derive(Debug, Args)]
#[command(after_help = VIEWERS_FILE, disable_help_subcommand = true)]
pub struct ViewersArgs {
    /// Where the list is kept [default: $STATE_DIRECTORY, else ~/.local/state/sealcam; the service's is
    /// /var/lib/sealcam]
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: ViewersCommand,
}

/// What to do with the list of viewers.
#[derive(Debug, Subcommand)]
pub enum ViewersCommand {
    /// Let a viewer in
    Add(AddViewerArgs),
    /// Show who is let in: name, role, fingerprint, key
    List {
        /// One line of JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Let a viewer in no longer
    Remove {
        /// What it is called in the list
        #[arg(value_name = "NAME")]
        name: Name,
    },
}

/// Options of `sealcam viewers add`.
#[derive(Debug, Args)]
pub struct AddViewerArgs {
    /// What to call the viewer
    #[arg(value_name = "NAME")]
    pub name: Name,

    /// Its public key, sealpub1..., from `sealview identity`
    // Text until it is looked at: a complaint of the parser would repeat a secret that was pasted.
    #[arg(value_name = "KEY")]
    pub key: String,

    /// What it may do: view (watch), tune (also change the picture) or admin (also let viewers in)
    #[arg(long, value_name = "ROLE", default_value_t = Role::View)]
    pub role: Role,
}

/// Options of `sealcam demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where frames come from, as for `stream` [default: the first camera, else the test scene]
    #[arg(long, value_name = "SRC")]
    pub source: Option<String>,

    /// Show no window even where there is a display
    #[arg(long)]
    pub no_window: bool,

    /// Without a window: stop after this time
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,

    /// Without a window: where to leave a picture to look at
    #[arg(long, value_name = "FILE", default_value = "sealcam-demo.jpg")]
    pub snapshot: PathBuf,
}

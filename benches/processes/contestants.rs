//! Who takes part, and how each is started.

use std::env;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::pictures::Images;
use crate::program::Program;

/// Bytes of a datagram.
pub(crate) const DATAGRAM: usize = 1400;

/// A pair of programs, or one way to run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    Product,
    /// The product with its default pacing.
    Paced,
    Floor,
    GStreamer,
}

/// Where the images come from and go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    /// From a file at 30 frames a second, to nobody.
    File,
    /// From the sender's standard input to the receiver's standard output.
    Pipes,
}

/// The images and a folder for what the programs need; removed in the end.
pub(crate) struct Stage {
    pub(crate) images: Images,
    folder: PathBuf,
}

impl Stage {
    pub(crate) fn new() -> io::Result<Self> {
        let images = Images::new();
        let folder = env::temp_dir().join(format!("sealcam-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let stage = Self { images, folder };
        stage.images.write_plain(&stage.folder.join("images.mjpeg"))?;
        stage.images.write_avi(&stage.folder.join("images.avi"))?;
        let keygen =
            Command::new(SEALCAM).arg("keygen").arg("--out").arg(stage.folder.join("key")).output()?;
        assert!(keygen.status.success(), "{}", String::from_utf8_lossy(&keygen.stderr));
        Ok(stage)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left behind lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const SEALCAM: &str = env!("CARGO_BIN_EXE_sealcam");
const SEALVIEW: &str = env!("CARGO_BIN_EXE_sealview");

impl Contestant {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Paced => "product, paced",
            Self::Floor => "floor",
            Self::GStreamer => "GStreamer",
        }
    }

    /// Whether it can be run here.
    pub(crate) fn is_there(self) -> bool {
        if self != Self::GStreamer {
            return true;
        }
        ["avidemux", "jpegparse", "rtpjpegpay", "rtpjpegdepay", "srtpenc", "srtpdec", "udpsink"].iter().all(
            |element| {
                let inspect = Command::new("gst-inspect-1.0")
                    .arg("--exists")
                    .arg(element)
                    .stderr(Stdio::null())
                    .status();
                inspect.is_ok_and(|status| status.success())
            },
        )
    }

    /// Starts the receiver and then the sender.
    pub(crate) fn start(self, stage: &Stage, feed: Feed) -> io::Result<[Program; 2]> {
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let [mut sender, mut receiver] = match self {
            Self::Product | Self::Paced => self.product(stage, feed, port),
            Self::Floor => floor(stage, feed, port)?,
            Self::GStreamer => gstreamer(stage, feed, port),
        };
        let piped = feed == Feed::Pipes;
        let receiver = Program::start(&mut receiver, piped)?;
        crate::program::pause(0.4);
        Ok([Program::start(&mut sender, piped)?, receiver])
    }

    fn product(self, stage: &Stage, feed: Feed, port: u16) -> [Command; 2] {
        let address = format!("127.0.0.1:{port}");
        let (mut sender, mut receiver) = (Command::new(SEALCAM), Command::new(SEALVIEW));
        sender.args(["stream", &address, "--packet-size", &DATAGRAM.to_string()]);
        receiver.args(["watch", &address, "--no-window"]);
        for program in [&mut sender, &mut receiver] {
            program.args(["--key", &stage.path("key"), "--state", &stage.path("state")]);
        }
        if self == Self::Product {
            sender.args(["--pace", "0"]);
        }
        match feed {
            Feed::File => {
                sender.args(["--source", &format!("file:{}", stage.path("images.mjpeg")), "--fps", "30"]);
            }
            Feed::Pipes => {
                sender.args(["--source", "-"]);
                receiver.arg("--stdout");
            }
        }
        [sender, receiver]
    }
}

fn floor(stage: &Stage, feed: Feed, port: u16) -> io::Result<[Command; 2]> {
    let address = format!("127.0.0.1:{port}");
    let this = env::current_exe()?;
    let (mut sender, mut receiver) = (Command::new(&this), Command::new(&this));
    let (from, to) = match feed {
        Feed::File => (stage.path("images.mjpeg"), "none"),
        Feed::Pipes => ("-".to_owned(), "-"),
    };
    sender.args(["floor-send", &address, &from]);
    receiver.args(["floor-receive", &address, to]);
    Ok([sender, receiver])
}

/// With the element's defaults: AES-128 in counter mode and HMAC-SHA1-80, packets of 1,400 bytes. The
/// receive buffer is as large as the product asks for.
fn gstreamer(stage: &Stage, feed: Feed, port: u16) -> [Command; 2] {
    let key = "00112233445566778899".repeat(3);
    let (source, sink, sync) = match feed {
        Feed::File => (format!("filesrc location={} ! avidemux", stage.path("images.avi")), "fakesink", true),
        Feed::Pipes => ("fdsrc fd=0 blocksize=1048576 ! jpegparse".to_owned(), "fdsink fd=1", false),
    };
    let sender = format!(
        "{source} ! rtpjpegpay ssrc=1234 ! srtpenc key={key} ! udpsink host=127.0.0.1 port={port} sync={sync}"
    );
    let caps = format!(
        "application/x-srtp,media=(string)video,clock-rate=(int)90000,encoding-name=(string)JPEG,payload=(int)26,\
         ssrc=(uint)1234,srtp-key=(buffer){key},srtp-cipher=(string)aes-128-icm,srtp-auth=(string)hmac-sha1-80,\
         srtcp-cipher=(string)aes-128-icm,srtcp-auth=(string)hmac-sha1-80"
    );
    let receiver = format!(
        "udpsrc address=127.0.0.1 port={port} buffer-size=4194304 caps={caps} ! srtpdec ! rtpjpegdepay ! \
         {sink} sync=false"
    );
    [sender, receiver].map(|pipeline| {
        let mut command = Command::new("gst-launch-1.0");
        command.arg("-q").args(pipeline.split(' '));
        command
    })
}

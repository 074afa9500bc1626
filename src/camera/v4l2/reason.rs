//! Why there is no picture: for the notice, the log and the last message.

use core::fmt;
use std::path::Path;

use nix::errno::Errno;
use v4l::FourCC;

use super::device::{Identity, Kind};
use super::formats::{Encoding, Offer, is_bayer};
use super::negotiate::FormatChoice;
use super::sys::Refused;
use crate::time::Duration;

/// Why a camera gives no picture at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It was there, and is not any more.
    Unplugged,
    /// It has not been there yet.
    NotFound,
    /// Another program has it.
    Busy,
    /// The node may not be opened.
    Denied,
    /// What the bus has left is not enough for the smallest mode.
    Bandwidth,
    /// The stream has been started, and no frame has come yet.
    Starting,
    /// Nothing came for so long.
    Silent(Duration),
    /// What came for so long could not be used.
    Broken(Duration),
    /// Another camera has taken its place.
    OtherCamera,
    /// Anything else that the driver refused.
    Refused(Refused),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unplugged => f.write_str("camera unplugged"),
            Self::NotFound => f.write_str("camera not found"),
            Self::Busy => f.write_str("device busy: another program uses the camera"),
            Self::Denied => f.write_str("permission denied: the user must be in group video"),
            Self::Bandwidth => f.write_str("USB bandwidth: too many cameras on one bus"),
            Self::Starting => f.write_str("waiting for the first frame"),
            Self::Silent(time) => write!(f, "no frame for {} s", time.as_secs_f32()),
            Self::Broken(time) => write!(f, "only broken frames for {} s", time.as_secs_f32()),
            Self::OtherCamera => f.write_str("another camera is at this device"),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

/// Why a device could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OpenError {
    /// It may work later.
    Later(Reason),
    /// It never will; the sentence says why and what to do.
    Never(String),
}

impl From<Refused> for OpenError {
    fn from(refused: Refused) -> Self {
        Self::Later(match refused.errno {
            Errno::ENOENT | Errno::ENODEV | Errno::ENXIO => Reason::NotFound,
            Errno::EACCES | Errno::EPERM => Reason::Denied,
            Errno::EBUSY => Reason::Busy,
            Errno::ENOSPC => Reason::Bandwidth,
            _ => Reason::Refused(refused),
        })
    }
}

/// How a camera on the ribbon cable of a Raspberry Pi is used all the same.
const CSI: &str = "A camera on the CSI connector needs libcamera: start this program under libcamerify \
    (`libcamerify sealcam ...`), or pipe: `rpicam-vid --codec mjpeg -o - | sealcam stream --source - ...` \
    (with `-t 0` it runs without end)";

/// The sentence for a node that may not be opened.
pub(super) fn denied(path: &Path) -> String {
    format!(
        "{}: permission denied; add the user to the group of cameras: `sudo usermod -aG video $USER`, \
         then log in again",
        path.display()
    )
}

/// The sentence for a path that is not a video device.
pub(super) fn no_video_device(path: &Path) -> String {
    format!("{}: not a V4L2 device; `sealcam devices` lists the cameras", path.display())
}

/// The sentence for a node that delivers no pictures.
pub(super) fn no_capture_device(path: &Path, identity: &Identity, kind: Kind) -> String {
    format!("{}: {identity} {kind}; `sealcam devices` lists the cameras. {CSI}", path.display())
}

/// The sentence for a device none of whose formats can be sent.
pub(super) fn no_usable_format(path: &Path, identity: &Identity, offers: &[Offer]) -> String {
    let path = path.display();
    let codes = codes(offers);
    if offers.iter().any(|offer| is_bayer(offer.fourcc)) || identity.is_csi_receiver() {
        return format!("{path}: {identity} offers only a sensor's raw data ({codes}). {CSI}");
    }
    format!(
        "{path}: {identity} offers only {codes}, and sealcam takes MJPG, YUYV, UYVY, NV12, YU12, RGB3 or GREY"
    )
}

/// The sentence for a device that lacks the one format that will do.
pub(super) fn format_not_offered(path: &Path, choice: FormatChoice, offers: &[Offer]) -> String {
    let usable: Vec<Offer> = offers.iter().filter(|o| Encoding::of(o.fourcc).is_some()).cloned().collect();
    format!("--format {choice}: {} does not offer it, but {}", path.display(), codes(&usable))
}

fn codes(offers: &[Offer]) -> String {
    let codes: Vec<String> = offers.iter().map(|offer| code(offer.fourcc)).collect();
    if codes.is_empty() { "no format".to_owned() } else { codes.join(", ") }
}

/// A format's code for people; bytes that cannot be shown are replaced.
pub(crate) fn code(fourcc: FourCC) -> String {
    let text = String::from_utf8_lossy(&fourcc.repr);
    text.chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect::<String>()
        .trim()
        .to_owned()
}

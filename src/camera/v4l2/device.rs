//! Opens a node and asks who it is.

use core::fmt;
use std::path::Path;

use v4l::capability::Flags;

use super::sys::{Node, Refused};

/// Driver name of libcamera's compatibility layer.
const COMPATIBILITY_DRIVER: &str = "libcamera";

/// An open V4L2 node of any kind.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) node: Node,
    pub(crate) identity: Identity,
    pub(crate) kind: Kind,
}

/// Who a device says it is. Names come from firmware: whatever is not UTF-8 in them is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the kernel driver: `uvcvideo`.
    pub driver: String,
    /// Name of the camera: `HD Pro Webcam C920`.
    pub card: String,
    /// Where it is attached: `usb-0000:01:00.0-1.3`.
    pub bus: String,
}

/// What a node is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Delivers pictures, in mapped buffers of one plane.
    Capture,
    /// Delivers pictures, but only in buffers of several planes.
    MultiPlanar,
    /// Delivers data about pictures, not pictures.
    Metadata,
    /// A codec, an output, a tuner or other.
    Other,
}

impl Device {
    pub(crate) fn open(path: &Path) -> Result<Self, Refused> {
        let node = Node::open(path)?;
        let capability = node.capability()?;
        let all = Flags::from(capability.capabilities);
        let flags = if all.contains(Flags::DEVICE_CAPS) { Flags::from(capability.device_caps) } else { all };
        let identity = Identity {
            driver: name(&capability.driver),
            card: name(&capability.card),
            bus: name(&capability.bus_info),
        };
        Ok(Self { node, identity, kind: Kind::of(flags) })
    }
}

impl Identity {
    /// Whether it is libcamera's preloaded layer that answers, which keeps only a part of V4L2's rules.
    pub(crate) fn is_compatibility_layer(&self) -> bool {
        self.driver == COMPATIBILITY_DRIVER
    }

    /// Whether the driver is one of those that hand over a CSI sensor's raw data on a Raspberry Pi.
    pub(crate) fn is_csi_receiver(&self) -> bool {
        ["unicam", "bcm2835-unicam", "rp1-cfe", "bcm2835-isp", "pispbe"].contains(&self.driver.as_str())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.card, self.driver, self.bus)
    }
}

impl Kind {
    fn of(flags: Flags) -> Self {
        if flags.intersects(Flags::VIDEO_M2M | Flags::VIDEO_M2M_MPLANE) {
            Self::Other
        } else if flags.contains(Flags::VIDEO_CAPTURE | Flags::STREAMING) {
            Self::Capture
        } else if flags.contains(Flags::VIDEO_CAPTURE_MPLANE) {
            Self::MultiPlanar
        } else if flags.intersects(Flags::META_CAPTURE | Flags::META_OUTPUT) {
            Self::Metadata
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capture => "delivers pictures",
            Self::MultiPlanar => "delivers pictures only in buffers of several planes",
            Self::Metadata => "delivers data about pictures, not pictures",
            Self::Other => "is not for capture (a codec, an output or a tuner)",
        })
    }
}

/// The text before the first zero byte. What commands a terminal is replaced as well: lists of devices are
/// printed, and states are told to systemd by the line.
pub(crate) fn name(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    text.trim().replace(|c: char| c.is_control(), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_zero_and_need_not_be_utf8() {
        // (bytes, name)
        let cases: [(&[u8], &str); 6] = [
            (b"HD Webcam\0\0\0", "HD Webcam"),
            (b"no end", "no end"),
            (b"\0rest", ""),
            (b"Cam\xe9ra\0", "Cam\u{fffd}ra"),
            (b"cut within \xe2\x82", "cut within \u{fffd}"),
            (b"Cam\n<2>su: \x1b[2J\xc2\x9bx\t\0", "Cam\u{fffd}<2>su: \u{fffd}[2J\u{fffd}x"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(name(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn nodes_are_told_apart_by_their_capabilities() {
        let cases = [
            (Flags::VIDEO_CAPTURE | Flags::STREAMING | Flags::EXT_PIX_FORMAT, Kind::Capture),
            (Flags::VIDEO_CAPTURE | Flags::READ_WRITE, Kind::Other),
            (Flags::VIDEO_CAPTURE_MPLANE | Flags::STREAMING, Kind::MultiPlanar),
            (Flags::META_CAPTURE | Flags::STREAMING, Kind::Metadata),
            (Flags::VIDEO_M2M | Flags::VIDEO_CAPTURE | Flags::STREAMING, Kind::Other),
            (Flags::empty(), Kind::Other),
        ];
        for (flags, expected) in cases {
            assert_eq!(Kind::of(flags), expected, "{flags:?}");
        }
    }
}

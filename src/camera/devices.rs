//! The cameras of this machine, for `sealcam devices`.
//!
//! Every `/dev/video*` node is opened and asked; many of them are not cameras (a USB camera has a second
//! node for metadata, a Raspberry Pi has a dozen for its codecs), and those are named in one line each.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::v4l2::{
    Control, DEFAULT_SIZE, Device, Encoding, Identity, Kind, LINKS, Offer, Refused, code, controls, is_bayer,
    offers, stable_link,
};

/// All video nodes, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Devices {
    /// The nodes.
    pub nodes: Vec<Listed>,
}

/// One video node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name now: `/dev/video0`.
    pub path: PathBuf,
    /// A name that stays with the camera, if udev keeps one.
    pub stable: Option<PathBuf>,
    /// Who it is; `None` if it could not be asked.
    pub identity: Option<Identity>,
    /// What it is good for.
    pub use_: Use,
    /// What can be set about it.
    pub controls: Vec<Control>,
}

/// What a node is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// Delivers pictures in these formats.
    Camera(Vec<Offer>),
    /// Is no camera.
    Other(Kind),
    /// May not be opened by this user.
    Denied,
    /// Could not be asked; the text says why.
    Refused(String),
}

impl Devices {
    /// The nodes of this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::below(Path::new("/dev"), Path::new(LINKS))
    }

    /// The nodes in `folder`, with stable names from below `links`. A missing folder has none.
    #[must_use]
    pub fn below(folder: &Path, links: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut numbered: Vec<(u32, PathBuf)> = entries
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
                Some((number, entry.path()))
            })
            .collect();
        numbered.sort();
        Self { nodes: numbered.into_iter().map(|(_, path)| ask(path, links)).collect() }
    }

    /// Whether there is a camera that `sealcam` can use.
    #[must_use]
    pub fn any_usable(&self) -> bool {
        self.nodes.iter().any(Listed::usable)
    }

    /// What to do when there is no camera to use.
    fn advice(&self) -> &'static str {
        let offers = |listed: &Listed| match &listed.use_ {
            Use::Camera(offers) => offers.iter().any(|offer| is_bayer(offer.fourcc)),
            _ => false,
        };
        let csi = |listed: &Listed| listed.identity.as_ref().is_some_and(Identity::is_csi_receiver);
        if self.nodes.iter().any(|listed| csi(listed) || offers(listed)) {
            "A camera on the CSI connector gives only its sensor's raw data here. Start under libcamerify:\n  \
             libcamerify sealcam devices\nor pipe from the camera program:\n  \
             rpicam-vid -t 0 --codec mjpeg -o - | sealcam stream --source - ..."
        } else if self.nodes.iter().any(|listed| listed.use_ == Use::Denied) {
            "This user may not open the cameras. Join the group that may, then log in again:\n  \
             sudo usermod -aG video $USER"
        } else {
            "Plug in a USB camera and look again (`dmesg` tells what the kernel makes of it).\n\
             For a camera on a Raspberry Pi's CSI connector, start under libcamerify:\n  \
             libcamerify sealcam devices\nor pipe from the camera program:\n  \
             rpicam-vid -t 0 --codec mjpeg -o - | sealcam stream --source - ...\n\
             Without any camera, `sealcam demo` shows the test scene."
        }
    }
}

impl Listed {
    /// Whether it delivers a format that can be sent.
    #[must_use]
    pub fn usable(&self) -> bool {
        match &self.use_ {
            Use::Camera(offers) => offers.iter().any(|offer| Encoding::of(offer.fourcc).is_some()),
            _ => false,
        }
    }
}

fn ask(path: PathBuf, links: &Path) -> Listed {
    let stable = stable_link(&path, links);
    let (identity, use_, controls) = match Device::open(&path) {
        Ok(device) if device.kind != Kind::Capture => {
            (Some(device.identity), Use::Other(device.kind), Vec::new())
        }
        Ok(device) => {
            let answer = offers(&device.node, DEFAULT_SIZE);
            let controls = controls(&device.node);
            (Some(device.identity), answer.map_or_else(refused, Use::Camera), controls)
        }
        Err(error) => (None, refused(error), Vec::new()),
    };
    Listed { path, stable, identity, use_, controls }
}

fn refused(refused: Refused) -> Use {
    match refused.errno {
        Errno::EACCES | Errno::EPERM => Use::Denied,
        _ => Use::Refused(refused.to_string()),
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for listed in self.nodes.iter().filter(|listed| listed.usable()) {
            writeln!(f, "{listed}")?;
        }
        let others = || self.nodes.iter().filter(|listed| !listed.usable());
        if !self.any_usable() {
            writeln!(f, "No camera that sealcam can use was found.\n{}", self.advice())?;
        }
        if others().next().is_some() {
            writeln!(f, "Not for sealcam:")?;
        }
        others().try_for_each(|listed| writeln!(f, "  {listed}"))
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(identity) = &self.identity {
            write!(f, "  {identity}")?;
        }
        match &self.use_ {
            Use::Other(kind) => write!(f, " {kind}"),
            Use::Denied => write!(f, "  permission denied"),
            Use::Refused(why) => write!(f, "  {why}"),
            Use::Camera(offers) => {
                if let Some(stable) = &self.stable {
                    write!(f, "\n    stable name {}", stable.display())?;
                }
                offers.iter().try_for_each(|offer| format_lines(f, offer))?;
                if !self.controls.is_empty() {
                    write!(f, "\n    controls")?;
                }
                self.controls.iter().try_for_each(|control| write!(f, "\n         {control}"))
            }
        }
    }
}

fn format_lines(f: &mut fmt::Formatter<'_>, offer: &Offer) -> fmt::Result {
    write!(f, "\n    {:<4}", code(offer.fourcc))?;
    if Encoding::of(offer.fourcc).is_none() {
        return write!(f, " {} (not used)", offer.description);
    }
    for (number, size) in offer.sizes.iter().enumerate() {
        let indent = if number == 0 { " " } else { "\n         " };
        write!(f, "{indent}{}  {}", size.extent, size.rates)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use v4l::FourCC;

    use super::*;
    use crate::camera::v4l2::{Extent, Interval, Rates, SizeOffer};

    fn identity(driver: &str, card: &str) -> Option<Identity> {
        Some(Identity { driver: driver.into(), card: card.into(), bus: "usb-1".into() })
    }

    fn listed(path: &str, identity: Option<Identity>, use_: Use) -> Listed {
        Listed { path: path.into(), stable: None, identity, use_, controls: Vec::new() }
    }

    fn offer(code: &[u8; 4], sizes: Vec<SizeOffer>) -> Offer {
        Offer { fourcc: FourCC::new(code), description: "some format".into(), sizes }
    }

    #[test]
    fn a_camera_is_listed_with_all_that_it_can_do() {
        let rates =
            |rates: &[u32]| Rates::Exact(rates.iter().filter_map(|rate| Interval::new(1, *rate)).collect());
        let sizes = vec![
            SizeOffer { extent: Extent::Exact((640, 480)), rates: rates(&[30, 15]) },
            SizeOffer { extent: Extent::Exact((1280, 720)), rates: rates(&[10]) },
        ];
        let range = Extent::Range { min: (32, 32), max: (1920, 1080), step: (2, 2) };
        let offers = vec![
            offer(b"MJPG", sizes),
            offer(b"YUYV", vec![SizeOffer { extent: range, rates: Rates::Unknown }]),
            offer(b"H264", Vec::new()),
        ];
        let mut camera = listed("/dev/video0", identity("uvcvideo", "HD Webcam"), Use::Camera(offers));
        camera.stable = Some("/dev/v4l/by-id/usb-HD_Webcam".into());
        let meta = listed("/dev/video1", identity("uvcvideo", "HD Webcam"), Use::Other(Kind::Metadata));
        let devices = Devices { nodes: vec![camera, meta] };
        assert_eq!(
            devices.to_string(),
            "/dev/video0  HD Webcam (uvcvideo, usb-1)\n    \
             stable name /dev/v4l/by-id/usb-HD_Webcam\n    \
             MJPG 640x480  30 15 fps\n         1280x720  10 fps\n    \
             YUYV 32x32 to 1920x1080  rates not stated\n    \
             H264 some format (not used)\n\
             Not for sealcam:\n  \
             /dev/video1  HD Webcam (uvcvideo, usb-1) delivers data about pictures, not pictures\n"
        );
        assert!(devices.any_usable());
    }

    #[test]
    fn without_a_camera_the_listing_says_what_to_do() {
        let bayer = Use::Camera(vec![offer(b"pBAA", Vec::new())]);
        // (nodes, words of the advice)
        let cases = [
            (vec![], ["Plug in", "libcamerify", "rpicam-vid"]),
            (
                vec![listed("/dev/video0", identity("unicam", "unicam"), bayer)],
                ["raw data", "libcamerify", "rpicam-vid"],
            ),
            (
                vec![listed("/dev/video0", identity("rp1-cfe", "x"), Use::Other(Kind::MultiPlanar))],
                ["raw data", "libcamerify", "rpicam-vid"],
            ),
            (vec![listed("/dev/video0", None, Use::Denied)], ["may not", "usermod", "video"]),
        ];
        for (nodes, words) in cases {
            let text = Devices { nodes }.to_string();
            assert!(text.starts_with("No camera"), "{text}");
            for word in words {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
    }

    #[test]
    fn a_missing_folder_has_no_devices() {
        let none = Path::new("/nonexistent");
        assert_eq!(Devices::below(none, none), Devices::default());
    }
}

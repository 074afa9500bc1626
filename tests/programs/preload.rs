//! The real `sealcam` with libraries preloaded into it: a fake camera, a counter of allocations.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::images::{self, Tables};
use crate::library::build;
use crate::program::Room;

/// A room with a fake camera, whose node is `@video0`.
pub(crate) struct Studio {
    pub(crate) room: Room,
    /// The images that it shows in turn in MJPG modes.
    pub(crate) images: Vec<Vec<u8>>,
}

impl Studio {
    /// Shows the usual small images.
    pub(crate) fn new(name: &str, scenario: &str) -> Self {
        let room = Room::new(name);
        fs::create_dir(room.path("images")).unwrap();
        images::write(&room.path("images"), Tables::Own);
        let images: Vec<_> =
            (0..images::COUNT).map(|n| fs::read(room.path(format!("images/{n}.jpg"))).unwrap()).collect();
        let studio = Self { room, images };
        studio.scenario("scenario", scenario);
        studio
    }

    /// Shows `images` instead.
    pub(crate) fn showing(name: &str, images: Vec<Vec<u8>>, scenario: &str) -> Self {
        let mut studio = Self::new(name, scenario);
        studio.images = images;
        studio.show("images", &studio.images);
        studio
    }

    /// Writes images into a folder of this room, in place of what is there.
    pub(crate) fn show(&self, folder: &str, images: &[Vec<u8>]) {
        let folder = self.room.path(folder);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for (nth, image) in images.iter().enumerate() {
            fs::write(folder.join(format!("{nth}.jpg")), image).unwrap();
        }
    }

    /// Writes a scenario; node, log and images are those of this room unless `text` says otherwise.
    pub(crate) fn scenario(&self, file: &str, text: &str) {
        let at = |name: &str| self.room.path(name).display().to_string();
        let before = format!("node {}\nlog {}\nframes {}\n", at("video0"), at("log"), at("images"));
        fs::write(self.room.path(file), before + text).unwrap();
    }

    /// `sealcam stream` from the fake camera.
    pub(crate) fn camera(&self, to: &str, args: &str) -> Command {
        self.preloaded(to, args, &[&build("fake_camera")])
    }

    /// The same, and its allocations are counted.
    pub(crate) fn counted_camera(&self, to: &str, args: &str) -> Command {
        let mut command = self.preloaded(to, args, &[&build("fake_camera"), &build("malloc_counter")]);
        command.env("MALLOC_COUNTER", self.room.path("counts"));
        command
    }

    fn preloaded(&self, to: &str, args: &str, libraries: &[&Path]) -> Command {
        let mut command = self.room.camera(to, &format!("--source @video0 {args}"));
        let list: Vec<_> = libraries.iter().map(|library| library.display().to_string()).collect();
        command.env("LD_PRELOAD", list.join(":")).env("FAKE_CAMERA", self.room.path("scenario"));
        command
    }

    /// The number of a frame in an MJPG mode, whose bytes must be those that the camera sent.
    #[track_caller]
    pub(crate) fn number_of(&self, jpeg: &[u8]) -> u64 {
        let (number, rest) = comment(jpeg).expect("a numbered frame");
        let image = &self.images[number as usize % self.images.len()];
        assert!(rest == &image[2..], "frame {number} has changed on the way");
        number
    }

    /// What the camera has seen; it must not have been misused.
    #[track_caller]
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.room.path("log")).unwrap_or_default();
        assert!(!log.contains("VIOLATION"), "{log}");
        log
    }
}

/// The number that the fake camera wrote into an image, and what follows.
pub(crate) fn comment(jpeg: &[u8]) -> Option<(u64, &[u8])> {
    let segment = jpeg.strip_prefix(&[0xff, 0xd8, 0xff, 0xfe])?;
    let len = usize::from(u16::from_be_bytes([segment[0], segment[1]]));
    let text = std::str::from_utf8(&segment[2..len]).ok()?;
    Some((text.strip_prefix("frame ")?.parse().ok()?, &segment[len..]))
}

//! The camera that was open last: found again, and not confused with another one in its place.

use std::path::PathBuf;

use super::by_id::stable_link;
use super::device::Identity;
use super::reason::{OpenError, Reason};
use super::session::Session;
use super::settings::CameraSettings;

/// The camera that was open last.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) identity: Identity,
    /// Its stable name. Stays what it was at first: later the number may be another camera's.
    link: Option<PathBuf>,
}

impl Known {
    pub(super) const fn new(identity: Identity) -> Self {
        Self { identity, link: None }
    }

    /// Opens it again: under its stable name, else under the name that was asked for.
    ///
    /// Only the same camera will do, for numbers are given out anew, and a link by socket is any camera's
    /// that is plugged in there. A link that was asked for is followed wherever it leads.
    pub(super) fn open(&self, settings: &CameraSettings) -> Result<Session, OpenError> {
        let request = settings.request();
        let path = &settings.path;
        let expected = (!path.is_symlink()).then_some(&self.identity);
        let Some(link) = &self.link else { return Session::open(path, &request, expected) };
        match Session::open(link, &request, expected) {
            Err(OpenError::Later(Reason::NotFound)) if self.may_be(settings) => {
                Session::open(path, &request, expected)
            }
            Err(OpenError::Later(Reason::NotFound)) => Err(OpenError::Later(Reason::OtherCamera)),
            result => result,
        }
    }

    /// Whether nothing tells the node that was asked for from this camera: two of one model differ only in
    /// their links.
    fn may_be(&self, settings: &CameraSettings) -> bool {
        let found = stable_link(&settings.path, &settings.links);
        found.is_none() || self.link.is_none() || found == self.link
    }

    /// Looks up the stable name of the node that was asked for, once it has been opened and a frame has
    /// come: udev makes the link a moment after the node. `false` if it is that of another camera.
    pub(super) fn learn(&mut self, settings: &CameraSettings) -> bool {
        if self.link.is_none() {
            self.link = stable_link(&settings.path, &settings.links);
            if let Some(link) = &self.link {
                log::info!("{}: will be found again as {}", settings.path.display(), link.display());
            }
        }
        self.may_be(settings)
    }
}

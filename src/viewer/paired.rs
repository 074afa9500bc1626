//! A viewer's side of a paired camera, for watching and for asking.
//!
//! | file | what lives there |
//! |---|---|
//! | `target` | which camera is meant: the address book, addresses, host names |
//! | `socket` | the socket, which outlives changes of the network |
//! | `link` | the connection over that socket |
//! | `search` | the camera looked for on the local network while it does not answer |
//! | `words` | how things stand, in words |
//! | `requests` | what a camera is asked, and what it answers |
//! | `errand` | one question, or a few, and then away |
//! | [`tune`], [`viewers`] | the commands |

mod errand;
mod link;
pub mod requests;
mod search;
mod socket;
mod target;
#[cfg(test)]
pub(super) mod testing;
pub mod tune;
pub mod viewers;
mod words;

use super::config::PeerConfig;
use crate::exit::RunError;
use crate::keys::cameras::CamerasFile;
use crate::keys::identity::{self, IdentityError, public_key_to_text};
use crate::keys::state::StateFolder;
use crate::net::Interface;
use crate::proto::identity::StaticSecret;

pub use link::Link;
pub use socket::PairedSocket;
pub use target::Target;
pub use words::{Scene, Situation, trouble};

/// A camera, and who this viewer is for it.
#[derive(Debug)]
pub struct Peer {
    /// Which camera.
    pub target: Target,
    /// This viewer's own key.
    pub identity: StaticSecret,
    /// The address book.
    pub book: CamerasFile,
    /// The interface to reach the camera by.
    pub interface: Option<Interface>,
}

impl Peer {
    /// Reads the own key and the address book, and finds the camera that is meant.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn find(config: &PeerConfig) -> Result<Self, RunError> {
        let state = StateFolder::open(config.state.as_deref()).map_err(RunError::failed)?;
        let mut book = CamerasFile::new(state.clone());
        let list = book.read()?;
        let target = Target::find(config, &list, &book.path(), target::look_up)?;
        let own = identity::load_or_create(&state).map_err(|why| match why {
            IdentityError::File(_) => RunError::usage(why),
            _ => RunError::failed(why),
        })?;
        let peer = Self { target, identity: own.secret, book, interface: config.interface.clone() };
        if own.is_new {
            log::info!("made a key for this viewer: {}", peer.own_key());
        }
        Ok(peer)
    }

    /// This viewer's public key as text.
    #[must_use]
    pub fn own_key(&self) -> String {
        public_key_to_text(&self.identity.public())
    }
}

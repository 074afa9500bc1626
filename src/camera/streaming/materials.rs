//! What a stream is made of before it begins.

use zeroize::Zeroizing;

use super::datagram;
use super::output::Output;
use crate::camera::config::{Audience, PairedSettings, StreamConfig};
use crate::camera::crowd::{Crowd, Invitation, machine_name};
use crate::camera::sending;
use crate::exit::RunError;
use crate::keys::state::StateFolder;
use crate::keys::{identity, key_file, random, start_counter};
use crate::proto::group::StreamFacts;
use crate::proto::identity::StaticSecret;
use crate::proto::key_schedule::{SharedKey, StreamKey};
use crate::proto::manifest::Signer;
use crate::proto::sender::{Sender, SenderSettings};
use crate::time::Instant;
use crate::wire::{MAX_FRAME, StreamId};

/// Keys, and where state is kept.
pub struct Materials {
    key: Key,
    state: StateFolder,
}

enum Key {
    Shared(SharedKey),
    Own(StaticSecret),
}

/// A sender, and where its datagrams go.
pub(super) struct Made {
    pub(super) fingerprint: String,
    pub(super) signer: Option<[u8; 32]>,
    pub(super) sender: Sender,
    pub(super) output: Output,
}

impl Materials {
    /// Reads the key and opens the state folder.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn gather(config: &StreamConfig) -> Result<Self, RunError> {
        let spelling = config.spelling;
        let wrong = |why: &dyn std::fmt::Display| RunError::usage(spelling.retell(&format!("--key: {why}")));
        let shared = match &config.audience {
            Audience::Shared(key) => {
                let path = key.path().map_err(|why| wrong(&why))?;
                Some(key_file::read(&path).map_err(|why| wrong(&why))?)
            }
            Audience::Paired(_) => None,
        };
        let state = StateFolder::open(config.state.as_deref());
        let state = state.map_err(|why| RunError::failed(spelling.retell(&why.to_string())))?;
        let key = match shared {
            Some(key) => Key::Shared(key),
            None => Key::Own(identity::load_or_create(&state).map_err(RunError::failed)?.secret),
        };
        Ok(Self { key, state })
    }

    /// Where state is kept.
    #[must_use]
    pub const fn state(&self) -> &StateFolder {
        &self.state
    }

    /// The camera's own key, if the stream is for paired viewers.
    #[must_use]
    pub const fn own_key(&self) -> Option<&StaticSecret> {
        match &self.key {
            Key::Shared(_) => None,
            Key::Own(secret) => Some(secret),
        }
    }

    pub(super) fn make(&self, config: &StreamConfig, now: Instant) -> Result<Made, RunError> {
        let mut bits = [0; 8];
        random(&mut bits).map_err(RunError::failed)?;
        let stream = start_counter::next_stream(&self.state, bits).map_err(RunError::failed)?;
        match (&self.key, &config.audience) {
            (Key::Own(secret), Audience::Paired(paired)) => self.paired(config, paired, secret, stream, now),
            (Key::Shared(key), _) => shared(config, key, stream, now),
            (Key::Own(_), Audience::Shared(_)) => {
                Err(RunError::Failed("the stream is no longer for paired viewers: restart".into()))
            }
        }
    }

    fn paired(
        &self,
        config: &StreamConfig,
        paired: &PairedSettings,
        secret: &StaticSecret,
        stream: StreamId,
        now: Instant,
    ) -> Result<Made, RunError> {
        let fresh = || {
            let mut bytes = Zeroizing::new([0; 32]);
            random(&mut *bytes).map_err(RunError::failed).map(|()| bytes)
        };
        let datagram = config.packet_size.unwrap_or(datagram::ANYWHERE);
        let signer = if paired.signed { Some(Signer::new(&*fresh()?)) } else { None };
        let public = signer.as_ref().map(Signer::public);
        let settings = SenderSettings { datagram, max_frame: 0, pace_percent: config.pace_percent };
        // Nobody has this key, and it seals nothing: the crowd's own takes its place with the first frame.
        let nobodys = StreamKey::from_bytes(*fresh()?);
        let sender = Sender::paired(settings, 0, &nobodys, stream, signer, now).map_err(RunError::usage)?;
        let facts = facts(&sender, public);
        let invitation =
            Invitation { secret: secret.clone(), state: self.state.clone(), name: machine_name() };
        let crowd = Crowd::open(config, paired, invitation, facts, now)?;
        Ok(Made {
            fingerprint: secret.public().fingerprint().to_string(),
            signer: public,
            sender,
            output: Output::Many(Box::new(crowd)),
        })
    }
}

/// What viewers must know of what `sender` sends.
pub(super) fn facts(sender: &Sender, signer: Option<[u8; 32]>) -> StreamFacts {
    StreamFacts {
        stream: sender.stream(),
        signer,
        // A datagram is at most 65,507 bytes, a frame 16 MiB.
        datagram: sender.datagram() as u16,
        max_frame: MAX_FRAME as u32,
    }
}

fn shared(config: &StreamConfig, key: &SharedKey, stream: StreamId, now: Instant) -> Result<Made, RunError> {
    let (socket, trouble) = sending::open(config)?;
    let datagram = datagram::datagram_size(config, &socket)?;
    // Room is made when a source is opened.
    let settings = SenderSettings { datagram, max_frame: 0, pace_percent: config.pace_percent };
    let sender = Sender::new(settings, key, stream, now).map_err(RunError::usage)?;
    sending::warn_of(&socket, trouble, config.spelling);
    Ok(Made {
        fingerprint: key.fingerprint().to_string(),
        signer: None,
        sender,
        output: Output::One(Box::new(socket)),
    })
}

//! What a crowd opens towards the network.

use crate::camera::audience::PairedSettings;
use crate::camera::config::StreamConfig;
use crate::camera::sending;
use crate::exit::RunError;
use crate::net::discovery::{Announcing, Service};
use crate::net::{ManyOptions, ManySocket, MediaSender};
use crate::proto::identity::PublicKey;
use crate::time::Instant;
use crate::wire::Name;

/// What tells the local network where the camera is, unless that is unwanted or nobody there could come.
pub(super) fn announcing(
    config: &StreamConfig,
    paired: &PairedSettings,
    name: Name,
    own: PublicKey,
    port: u16,
    now: Instant,
) -> Option<Announcing> {
    let service = Service::new(name, port, &own.fingerprint().to_string());
    let announcing = || Announcing::new(service, paired.listen.ip(), config.send.interface.as_ref(), now);
    paired.announce.then(announcing).flatten()
}

/// Where viewers come in.
pub(super) fn listen(config: &StreamConfig, paired: &PairedSettings) -> Result<ManySocket, RunError> {
    let options = ManyOptions {
        interface: config.send.interface.clone(),
        ttl: config.send.ttl.filter(|_| paired.group.is_none()),
        dscp: config.send.dscp,
        ..ManyOptions::new(paired.listen)
    };
    let told = |why: &dyn std::fmt::Display| config.spelling.retell(&format!("--listen: {why}"));
    let socket = ManySocket::open(&options).map_err(|why| {
        if why.is_passing() && config.is_patient() {
            RunError::Failed(told(&why))
        } else {
            RunError::Usage(told(&why))
        }
    })?;
    if let Some(warning) = socket.buffer_warning() {
        log::warn!("{warning}");
    }
    Ok(socket)
}

/// The way to the group, which may not be there yet.
pub(super) fn to_group(config: &StreamConfig) -> Result<MediaSender, RunError> {
    let (sender, trouble) = sending::open(config)?;
    sending::warn_of(&sender, trouble, config.spelling);
    Ok(sender)
}

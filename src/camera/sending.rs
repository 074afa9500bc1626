//! The socket to a stream's one destination, or to the group of paired viewers.

use std::net::Ipv4Addr;

use super::config::{Spelling, StreamConfig};
use crate::exit::RunError;
use crate::net::{MediaSender, NetError, SendOptions};

/// Opens a socket to the destination; to nobody while that is not known, and nothing is sent through it.
///
/// # Errors
///
/// [`RunError`] if no waiting helps; what else is wrong comes with the socket.
pub fn open(config: &StreamConfig) -> Result<(MediaSender, Option<NetError>), RunError> {
    let nowhere = config.is_pending().then(|| SendOptions::new((Ipv4Addr::LOCALHOST, 9).into()));
    MediaSender::open_patiently(nowhere.as_ref().unwrap_or(&config.send)).map_err(|why| {
        let what = if config.audience.paired().is_some() { "--group" } else { "sending" };
        let told = config.spelling.retell(&format!("{what}: {why}"));
        // What the system refuses now it may grant later.
        let passing = config.is_patient() && matches!(why, NetError::System { .. });
        if passing { RunError::Failed(told) } else { RunError::Usage(told) }
    })
}

/// Says what is not as it should be about a socket.
pub fn warn_of(socket: &MediaSender, trouble: Option<NetError>, spelling: Spelling) {
    let warnings = [
        trouble.map(|why| spelling.retell(&why.to_string())),
        socket.buffer_warning(),
        socket.wifi_multicast_warning(),
    ];
    for warning in warnings.into_iter().flatten() {
        log::warn!("{warning}");
    }
}

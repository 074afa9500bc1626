//! How large datagrams are.

use crate::camera::config::StreamConfig;
use crate::exit::RunError;
use crate::net::{MediaSender, SendOptions};
use crate::wire::MIN_DATAGRAM;

/// Bytes of UDP payload that get through nearly everywhere, tunnels included.
pub(super) const ANYWHERE: usize = 1200;

/// Bytes of a datagram: as asked for, else the usual size as far as the route carries it.
///
/// A size that the route does not carry now is an error, but that a service starts with what it carries.
pub(super) fn datagram_size(config: &StreamConfig, socket: &MediaSender) -> Result<usize, RunError> {
    let Some(size) = config.packet_size else { return Ok(carried(usual(&config.send), socket)) };
    match socket.check_datagram(size) {
        Ok(()) => Ok(size),
        Err(why) if config.is_patient() => {
            let smaller = carried(size, socket);
            log::warn!("packet-size: {why}; datagrams of {smaller} bytes are sent until it carries them");
            Ok(smaller)
        }
        Err(why) => Err(RunError::usage(config.spelling.retell(&format!("--packet-size: {why}")))),
    }
}

/// The size to come back to whenever the route carries it. `None`: the size was asked for by someone who is
/// told when it does not pass, and it is not changed behind anyone's back.
pub(super) fn wanted(config: &StreamConfig) -> Option<usize> {
    match config.packet_size {
        None if config.audience.paired().is_some() => Some(ANYWHERE),
        None => Some(usual(&config.send)),
        Some(size) => config.is_patient().then_some(size),
    }
}

/// What an Ethernet frame carries where the stream stays on one, else what gets through anywhere.
pub(super) fn usual(send: &SendOptions) -> usize {
    let to = send.to.ip().to_canonical();
    let stays_here = to.is_loopback() || to.is_multicast() && send.ttl.unwrap_or(1) == 1;
    match stays_here {
        true if to.is_ipv4() => 1472,
        true => 1452,
        false => ANYWHERE,
    }
}

/// As much of the usual size as the route carries now; even, as datagrams are.
pub(super) fn carried(usual: usize, socket: &MediaSender) -> usize {
    let limit = socket.max_datagram().unwrap_or(ANYWHERE);
    (limit.min(usual) & !1).max(MIN_DATAGRAM)
}

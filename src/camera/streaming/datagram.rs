//! How large datagrams are.

use crate::camera::config::StreamConfig;
use crate::exit::RunError;
use crate::net::{MediaSender, SendOptions};
use crate::wire::MIN_DATAGRAM;

/// Bytes of UDP payload that get through nearly everywhere, tunnels included.
const ANYWHERE: usize = 1200;

/// Bytes of a datagram: as asked for, else the usual size as far as the route carries it.
pub(super) fn datagram_size(config: &StreamConfig, socket: &MediaSender) -> Result<usize, RunError> {
    if let Some(size) = config.packet_size {
        let wrong = |why| RunError::usage(config.spelling.retell(&format!("--packet-size: {why}")));
        socket.check_datagram(size).map_err(wrong)?;
        return Ok(size);
    }
    Ok(carried(usual(&config.send), socket))
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

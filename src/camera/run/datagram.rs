//! How large datagrams are.

use crate::camera::config::StreamConfig;
use crate::exit::RunError;
use crate::net::MediaSender;
use crate::wire::MIN_DATAGRAM;

/// Bytes of a datagram: as asked for, else what the route is sure to carry.
pub(super) fn datagram_size(config: &StreamConfig, socket: &MediaSender) -> Result<usize, RunError> {
    /// What gets through nearly everywhere, tunnels included.
    const ANYWHERE: usize = 1200;
    let to = config.send.to.ip().to_canonical();
    if let Some(size) = config.packet_size {
        socket.check_datagram(size).map_err(|why| RunError::usage(format!("--packet-size: {why}")))?;
        return Ok(size);
    }
    let stays_here = to.is_loopback() || to.is_multicast() && config.send.ttl.unwrap_or(1) == 1;
    let ethernet = if to.is_ipv4() { 1472 } else { 1452 };
    let usual = if stays_here { ethernet } else { ANYWHERE };
    Ok(socket.max_datagram().map_or(ANYWHERE, |limit| limit.min(usual)).max(MIN_DATAGRAM))
}

//! The kernel's socket buffers: asked for, granted, and warned about.

use super::sys;
use socket2::Socket;

/// Which of a socket's two buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Send,
    Receive,
}

impl Side {
    const fn options(self) -> (libc::c_int, libc::c_int) {
        match self {
            Self::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
            Self::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        }
    }
}

/// Asks for a buffer of `bytes` and returns how much was granted.
pub(super) fn ask(socket: &Socket, side: Side, bytes: usize) -> usize {
    let (force, plain) = side.options();
    // The kernel doubles the figure for its own book-keeping and must not overflow.
    let wanted = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX).min(libc::c_int::MAX / 2);
    // Force passes over the system's limit, where the process may (CAP_NET_ADMIN).
    if sys::set_int(socket, libc::SOL_SOCKET, force, wanted).is_err() {
        // A limit is no error: the kernel grants what it may, which is read below.
        let _ = sys::set_int(socket, libc::SOL_SOCKET, plain, wanted);
    }
    sys::get_int(socket, libc::SOL_SOCKET, plain).map_or(0, |n| n.unsigned_abs() as usize / 2)
}

/// What to tell the person in charge if less was granted than `asked`.
pub(super) fn warning(side: Side, asked: usize, granted: usize) -> Option<String> {
    let (name, limit, harm) = match side {
        Side::Send => ("send", "net.core.wmem_max", "a frame waits for it to drain"),
        Side::Receive => ("receive", "net.core.rmem_max", "a frame's burst may not fit and is lost"),
    };
    (granted < asked).then(|| {
        format!(
            "the system grants a {name} buffer of {granted} bytes where {asked} were asked for: {harm}; \
             raise the limit with `sysctl -w {limit}={asked}`, and for good with `{limit} = {asked}` \
             in /etc/sysctl.d/60-sealcam.conf"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};

    #[test]
    fn what_is_granted_is_read_back() {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        for side in [Side::Send, Side::Receive] {
            assert_eq!(ask(&socket, side, 65_536), 65_536, "{side:?}");
            assert!(
                ask(&socket, side, usize::MAX) >= 65_536,
                "a wish too large is cut, not wrapped: {side:?}"
            );
        }
    }

    #[test]
    fn a_smaller_grant_names_the_sysctl() {
        let text = warning(Side::Receive, 4 << 20, 212_992).unwrap();
        assert!(text.contains("212992") && text.contains("sysctl -w net.core.rmem_max=4194304"), "{text}");
        assert!(warning(Side::Send, 9, 8).unwrap().contains("net.core.wmem_max"));
        assert_eq!(warning(Side::Receive, 4 << 20, 4 << 20), None);
    }
}

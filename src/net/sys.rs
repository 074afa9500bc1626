#![allow(unsafe_code, reason = "batches and control messages, which neither std nor socket2 offers")]
//! The system calls of media sockets: batches and control messages, over libc.
//!
//! Written by hand because the wrappers at hand share or reuse control messages between calls and lose
//! them. Here every call builds its headers and control messages anew, on the stack: nothing is
//! allocated, no pointer outlives the call, and what the kernel shortened last time cannot matter.

use libc::{c_int, c_void};
use nix::errno::Errno;
use socket2::{SockAddr, Socket};
use std::mem::{size_of, size_of_val, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Most datagrams in one message with segmentation offload, and in one call without: the kernel's
/// `UDP_MAX_SEGMENTS` until Linux 6.8, which allows 128.
pub(super) const MOST_SEGMENTS: usize = 64;

/// Most messages taken from the kernel in one call. Where it merges datagrams, one would do as well; where
/// it does not, 1 costs half as much CPU again as 16, and 8 a few per cent more.
pub(super) const MOST_MESSAGES: usize = 16;

/// Room for control messages, aligned as `cmsghdr` wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

const _: () = assert!(align_of::<Control>() >= align_of::<libc::cmsghdr>());
// SAFETY: CMSG_SPACE only computes.
const _: () = assert!(unsafe { libc::CMSG_SPACE(4) } as usize * 2 <= size_of::<Control>());

/// Names the destination of a message; a connected socket needs none.
fn address_to(header: &mut libc::msghdr, to: Option<&SockAddr>) {
    if let Some(to) = to {
        // The kernel does not write through the address of a send.
        header.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_namelen = to.len();
    }
}

/// Sends `bytes` as datagrams of `segment` bytes (the last may be shorter) in one message: all or none.
///
/// At most [`MOST_SEGMENTS`] datagrams and what one IP packet can hold, else `EINVAL` or `EMSGSIZE`.
pub(super) fn send_segmented(
    fd: BorrowedFd<'_>,
    to: Option<&SockAddr>,
    bytes: &[u8],
    segment: u16,
) -> Result<usize, Errno> {
    let mut iovec = readable(bytes);
    let mut control = Control([0; 64]);
    // SAFETY: all-zero is a valid msghdr; the padding that some C libraries have is not nameable.
    let mut header: libc::msghdr = unsafe { zeroed() };
    address_to(&mut header, to);
    header.msg_iov = &raw mut iovec;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE only computes. CMSG_FIRSTHDR yields the start of `control`, which is aligned
    // and has room for one message of two bytes (asserted above for two of four); CMSG_DATA stays within.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(2) as _;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = libc::SOL_UDP;
        (*message).cmsg_type = libc::UDP_SEGMENT;
        (*message).cmsg_len = libc::CMSG_LEN(2) as _;
        libc::CMSG_DATA(message).cast::<u16>().write_unaligned(segment);
    }
    // SAFETY: `header` points at `iovec`, `control` and `to`, all alive; the kernel only reads `bytes`.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT) };
    Errno::result(sent).map(isize::unsigned_abs)
}

/// Sends the first datagrams of `bytes`, each of `datagram` bytes but the last, in one call. Returns how
/// many were accepted, at least one.
pub(super) fn send_many(
    fd: BorrowedFd<'_>,
    to: Option<&SockAddr>,
    bytes: &[u8],
    datagram: usize,
) -> Result<usize, Errno> {
    // SAFETY: all-zero is a valid iovec (null, empty) and a valid mmsghdr.
    let mut iovecs: [libc::iovec; MOST_SEGMENTS] = unsafe { zeroed() };
    // SAFETY: as above.
    let mut headers: [libc::mmsghdr; MOST_SEGMENTS] = unsafe { zeroed() };
    let mut count = 0;
    for ((piece, iovec), header) in bytes.chunks(datagram).zip(&mut iovecs).zip(&mut headers) {
        *iovec = readable(piece);
        header.msg_hdr.msg_iov = iovec;
        header.msg_hdr.msg_iovlen = 1;
        address_to(&mut header.msg_hdr, to);
        count += 1;
    }
    // SAFETY: the first `count` headers point at as many iovecs and at `to`, all alive; the kernel only reads `bytes`.
    let sent =
        unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
    Errno::result(sent).map(|n| n.unsigned_abs() as usize)
}

/// Sends one datagram.
pub(super) fn send_one(fd: BorrowedFd<'_>, to: Option<&SockAddr>, bytes: &[u8]) -> Result<usize, Errno> {
    let (name, len) = to.map_or((std::ptr::null(), 0), |to| (to.as_ptr().cast(), to.len()));
    // SAFETY: the kernel reads `bytes.len()` bytes at `bytes` and `len` at `name`, which is null if that is 0.
    let sent = unsafe {
        let (fd, flags) = (fd.as_raw_fd(), libc::MSG_DONTWAIT);
        libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, name, len)
    };
    Errno::result(sent).map(isize::unsigned_abs)
}

/// What the kernel says about one received message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Received {
    /// Bytes written into the message's buffer.
    pub(super) len: usize,
    /// Where it came from; `None` if that is no IP address.
    pub(super) from: Option<SocketAddr>,
    /// Size of the datagrams that were merged into it, if they were.
    pub(super) segment: Option<usize>,
    /// Whether the message was longer than its buffer.
    pub(super) cut: bool,
    /// Datagrams that this socket has lost to a full buffer so far (wraps), if any.
    pub(super) lost: Option<u32>,
}

/// Takes waiting messages, without blocking: the n-th into the n-th `stride` bytes of `memory`, what is
/// to know about it into the n-th of `about`. Returns how many, at least one.
pub(super) fn receive_many(
    fd: BorrowedFd<'_>,
    memory: &mut [u8],
    stride: usize,
    about: &mut [Received; MOST_MESSAGES],
) -> Result<usize, Errno> {
    // SAFETY: all-zero is a valid iovec, sockaddr_in6 and mmsghdr.
    let (mut iovecs, mut names, mut headers): (
        [libc::iovec; MOST_MESSAGES],
        [libc::sockaddr_in6; MOST_MESSAGES],
        [libc::mmsghdr; MOST_MESSAGES],
    ) = unsafe { (zeroed(), zeroed(), zeroed()) };
    let mut controls = [Control([0; 64]); MOST_MESSAGES];
    let mut count = 0;
    let parts = memory.chunks_exact_mut(stride).zip(&mut iovecs).zip(&mut names).zip(&mut controls);
    for ((((buffer, iovec), name), control), header) in parts.zip(&mut headers) {
        *iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let header = &mut header.msg_hdr;
        header.msg_iov = iovec;
        header.msg_iovlen = 1;
        header.msg_name = (&raw mut *name).cast();
        header.msg_namelen = size_of_val(name) as _;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(control) as _;
        count += 1;
    }
    // SAFETY: the first `count` headers point at as many iovecs, names and controls, all alive and as
    // long as said; each iovec is a part of `memory` of its own. A null timeout is allowed.
    let received = unsafe {
        let (fd, headers) = (fd.as_raw_fd(), headers.as_mut_ptr());
        libc::recvmmsg(fd, headers, count, libc::MSG_DONTWAIT as _, std::ptr::null_mut())
    };
    let received = Errno::result(received)?.unsigned_abs() as usize;
    for ((header, name), about) in headers.iter().zip(&names).zip(about).take(received) {
        let (segment, lost) = control_messages(&header.msg_hdr);
        *about = Received {
            len: header.msg_len as usize,
            from: address(name),
            segment,
            cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            lost,
        };
    }
    Ok(received)
}

#[allow(clippy::unnecessary_cast, reason = "cmsg_len is a u32 in some C libraries")]
/// The segment size (`UDP_GRO`) and the loss count (`SO_RXQ_OVFL`) of a message just received.
fn control_messages(header: &libc::msghdr) -> (Option<usize>, Option<u32>) {
    let (mut segment, mut lost) = (None, None);
    // SAFETY: the kernel filled in `msg_control` and `msg_controllen`, which the caller's buffer backs;
    // the CMSG macros stay within, and each value is read only if the message says it is long enough.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(head) = message.as_ref() {
            if head.cmsg_len as usize >= libc::CMSG_LEN(4) as usize {
                let value = libc::CMSG_DATA(message).cast::<u32>().read_unaligned();
                match (head.cmsg_level, head.cmsg_type) {
                    (libc::SOL_UDP, libc::UDP_GRO) => segment = Some(value as usize).filter(|s| *s > 0),
                    (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => lost = Some(value),
                    _ => {}
                }
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    (segment, lost)
}

/// The address in `name`, which the kernel wrote; IPv4 addresses in IPv6 clothes are undressed.
fn address(name: &libc::sockaddr_in6) -> Option<SocketAddr> {
    match c_int::from(name.sin6_family) {
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(match ip.to_ipv4_mapped() {
                Some(v4) => SocketAddrV4::new(v4, port).into(),
                None => SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id).into(),
            })
        }
        libc::AF_INET => {
            // SAFETY: the family says it is a sockaddr_in, which is shorter and no more strictly aligned.
            let v4 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        _ => None,
    }
}

const fn readable(bytes: &[u8]) -> libc::iovec {
    // The kernel does not write through the iovec of a send.
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

/// Sets a socket option that is an `int`.
pub(super) fn set_int(socket: &Socket, level: c_int, name: c_int, value: c_int) -> std::io::Result<()> {
    set(socket, level, name, &value)
}

/// Reads a socket option that is an `int`.
pub(super) fn get_int(socket: &Socket, level: c_int, name: c_int) -> Result<c_int, Errno> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` and `len` are alive, and `len` says how long `value` is.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast::<c_void>(), &raw mut len)
    };
    Errno::result(result).map(|_| value)
}

/// Sends IPv4 multicast out of the interface `index`, from `source` (unspecified: the kernel's choice).
pub(super) fn set_multicast_interface_v4(
    socket: &Socket,
    index: u32,
    source: Ipv4Addr,
) -> std::io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: u32::from(source).to_be() },
        imr_ifindex: index.cast_signed(),
    };
    set(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

fn set<T>(socket: &Socket, level: c_int, name: c_int, value: &T) -> std::io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is `len` bytes long and the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast::<c_void>(), len)
    };
    Errno::result(result).map(drop).map_err(Into::into)
}

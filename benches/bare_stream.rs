#![allow(unsafe_code, reason = "calls the kernel directly")]
//! The floor of sealing and sending, receiving and opening: the same cipher over the same bytes and the
//! same kind of system calls, nothing else. No checks, no counters, no fallbacks: not a program to use.

use std::mem::zeroed;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit, Nonce};

const HEADER: usize = 48;
const TAG: usize = 16;
/// Where the packet number stands in the header.
const PACKET: std::ops::Range<usize> = 16..24;
/// Most bytes in one message: UDP over IPv4 carries no more.
const LONGEST: usize = 65_507;
const MESSAGES: usize = 16;
const ROOM: usize = 65_536;

fn cipher() -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&[7; 32].into())
}

fn nonce(packet: [u8; 8]) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&packet);
    nonce.into()
}

fn set(socket: &UdpSocket, level: i32, name: i32, value: i32) {
    // SAFETY: the kernel reads an int at `value`.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), 4) };
    assert_eq!(done, 0, "a socket option was refused: {}", std::io::Error::last_os_error());
}

/// Seals frames into one slab and sends them with segmentation offload.
pub(crate) struct BareSender {
    socket: UdpSocket,
    cipher: ChaCha20Poly1305,
    slab: Vec<u8>,
    datagram: usize,
    packet: u64,
}

impl BareSender {
    /// Sends to `to` in datagrams of `datagram` bytes; frames have at most `largest` bytes.
    pub(crate) fn new(to: SocketAddr, datagram: usize, largest: usize) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(to).expect("loopback");
        set(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, datagram as i32);
        let slots = largest.div_ceil(datagram - HEADER - TAG);
        Self { socket, cipher: cipher(), slab: vec![0; slots * datagram], datagram, packet: 0 }
    }

    /// Seals and sends. The last datagram must come out shorter than the others: it ends the frame.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let mut end = 0;
        let parts = frame.chunks(self.datagram - HEADER - TAG);
        for (part, slot) in parts.zip(self.slab.chunks_mut(self.datagram)) {
            let (header, rest) = slot.split_at_mut(HEADER);
            let packet = self.packet.to_be_bytes();
            header[PACKET].copy_from_slice(&packet);
            let (body, rest) = rest.split_at_mut(part.len());
            let buffers = InOutBuf::new(part, body).expect("equal lengths");
            let tag = self.cipher.encrypt_inout_detached(&nonce(packet), header, buffers);
            rest[..TAG].copy_from_slice(&tag.expect("a short message"));
            self.packet += 1;
            end += HEADER + part.len() + TAG;
        }
        for message in self.slab[..end].chunks((LONGEST / self.datagram).min(64) * self.datagram) {
            // Nobody listening yet is no concern of the floor's.
            let _ = self.socket.send(message);
        }
    }
}

/// Receives in batches and opens frames into one buffer.
pub(crate) struct BareReceiver {
    socket: UdpSocket,
    cipher: ChaCha20Poly1305,
    memory: Vec<u8>,
    frame: Vec<u8>,
    filled: usize,
    full: usize,
}

impl BareReceiver {
    /// Takes datagrams of `datagram` bytes, and shorter ones that end a frame, from a bound socket.
    pub(crate) fn new(socket: UdpSocket, datagram: usize, largest: usize) -> Self {
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, 4 << 20);
        set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1);
        Self {
            socket,
            cipher: cipher(),
            memory: vec![0; MESSAGES * ROOM],
            frame: vec![0; largest],
            filled: 0,
            full: datagram,
        }
    }

    /// Waits for one batch, opens it and gives each frame that ends in it to `each`.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(&[u8])) {
        // SAFETY: all-zero is a valid iovec, mmsghdr and integer.
        let (mut iovecs, mut headers, mut controls): (
            [libc::iovec; MESSAGES],
            [libc::mmsghdr; MESSAGES],
            [[u64; 4]; MESSAGES],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let parts = self.memory.chunks_exact_mut(ROOM).zip(&mut iovecs).zip(&mut controls);
        for (((buffer, iovec), control), header) in parts.zip(&mut headers) {
            *iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: ROOM };
            header.msg_hdr.msg_iov = iovec;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of_val(control) as _;
        }
        // SAFETY: each header points at an iovec and a control buffer of its own, alive and as long as said.
        let received = unsafe {
            let fd = self.socket.as_raw_fd();
            let wait = libc::MSG_WAITFORONE as _;
            libc::recvmmsg(fd, headers.as_mut_ptr(), MESSAGES as _, wait, std::ptr::null_mut())
        };
        let received = usize::try_from(received).unwrap_or(0);
        for (header, bytes) in headers.iter().zip(self.memory.chunks_exact(ROOM)).take(received) {
            let bytes = &bytes[..header.msg_len as usize];
            for datagram in bytes.chunks(segment(&header.msg_hdr).unwrap_or(ROOM)) {
                let (head, sealed) = datagram.split_at(HEADER);
                let (body, tag) = sealed.split_at(sealed.len() - TAG);
                let into = &mut self.frame[self.filled..][..body.len()];
                let packet = head[PACKET].try_into().expect("eight bytes");
                let tag: [u8; TAG] = tag.try_into().expect("sixteen bytes");
                let buffers = InOutBuf::new(body, into).expect("equal lengths");
                let opened = self.cipher.decrypt_inout_detached(&nonce(packet), head, buffers, &tag.into());
                opened.expect("loopback forges nothing");
                self.filled += body.len();
                if datagram.len() < self.full {
                    each(&self.frame[..self.filled]);
                    self.filled = 0;
                }
            }
        }
    }
}

/// The size that the kernel merged datagrams of.
fn segment(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel filled in the control buffer, which is alive; its only message is an int.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        (!message.is_null()).then(|| libc::CMSG_DATA(message).cast::<i32>().read_unaligned() as usize)
    }
}

//! The sending socket's life: opened, used, lost with the network, and opened again.

use super::batch::{Batcher, Calls, Outcome, SendCounters, Sent};
use super::buffers::{self, Side};
use super::connect::Connection;
use super::{Batching, NetError, SendOptions, sys};
use crate::time::{Duration, Instant};
use core::fmt;
use nix::errno::Errno;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// First and longest pause between two attempts to open a lost socket again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long segmentation offload stays off before it is tried again: the route may have changed.
const OFFLOAD_PAUSE: Duration = Duration::from_secs(60);
/// How often the source address is looked at.
const SOURCE_INTERVAL: Duration = Duration::from_secs(1);

/// Sends media to one address or group.
///
/// Three kinds of method: [`send_run`](Self::send_run) for every run of datagrams,
/// [`tend`](Self::tend) once a frame or at least once a second, which mends what the network broke, and the
/// rest, which tell. Nothing that the network does ends a sender: a failed run says why, and the next frame
/// may go through.
#[derive(Debug)]
pub struct MediaSender {
    options: SendOptions,
    connection: Connection,
    batcher: Batcher,
    health: Health,
    /// When offload was seen to be lost, and when the source address is due to be looked at.
    offload_lost_at: Option<Instant>,
    look_at_source: Instant,
}

/// Whether datagrams find their way.
#[derive(Debug)]
enum Health {
    Well,
    /// They do not. `since`: when `tend` first saw it, and with it the next attempt to mend.
    Lost {
        errno: i32,
        since: Option<Mending>,
    },
    /// They do again, and `tend` has not said so yet.
    Mended {
        since: Instant,
    },
}

#[derive(Debug, Clone, Copy)]
struct Mending {
    since: Instant,
    next: Instant,
    pause: Duration,
}

/// A turn in the sender's fortune, for one line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tended {
    /// Datagrams stopped finding a way to the destination.
    Lost {
        /// The system's error number.
        errno: i32,
    },
    /// They find it again.
    Back {
        /// For how long they did not.
        after: Duration,
    },
    /// The machine's address changed, and the socket was opened anew.
    Moved,
    /// The route or the driver refuses segmentation offload; sending costs more without.
    OffloadLost,
}

impl fmt::Display for Tended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { errno } => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(f, "no way to the destination: {error}; frames are dropped until there is one")
            }
            Self::Back { after } => write!(f, "the network is back after {:.1} s", after.as_secs_f64()),
            Self::Moved => f.write_str("this machine's address changed, sending from the new one"),
            Self::OffloadLost => {
                f.write_str("the network refuses segmentation offload; sending datagrams in batches instead")
            }
        }
    }
}

impl MediaSender {
    /// Opens a socket and connects it, so that the route and its MTU are known.
    ///
    /// # Errors
    ///
    /// A [`NetError`] that says what is wrong; [`NetError::is_passing`] tells whether waiting may help.
    pub fn open(options: &SendOptions) -> Result<Self, NetError> {
        Connection::open(options).map(|connection| Self::new(options, connection, Health::Well))
    }

    /// As [`open`](Self::open), but where the network is merely not there yet the sender is returned
    /// together with the reason: [`tend`](Self::tend) connects it as soon as that is possible.
    ///
    /// # Errors
    ///
    /// A [`NetError`] that no waiting mends.
    pub fn open_patiently(options: &SendOptions) -> Result<(Self, Option<NetError>), NetError> {
        match Self::open(options) {
            Ok(sender) => Ok((sender, None)),
            Err(error) if error.is_passing() => {
                let to = SocketAddr::new(options.to.ip().to_canonical(), options.to.port());
                let connection = Connection::unconnected(options, to)?;
                let lost = Health::Lost { errno: Errno::ENETUNREACH as i32, since: None };
                Ok((Self::new(options, connection, lost), Some(error)))
            }
            Err(error) => Err(error),
        }
    }

    /// Goes on through `other`, a socket for another destination or interface; counts go on too.
    pub fn move_to(&mut self, mut other: Self) {
        other.batcher.counters = self.batcher.counters;
        *self = other;
    }

    fn new(options: &SendOptions, connection: Connection, health: Health) -> Self {
        let batcher = Batcher::new(options.batching, connection.longest());
        let (options, look_at_source) = (options.clone(), Instant::ORIGIN);
        let mut sender = Self { options, connection, batcher, health, offload_lost_at: None, look_at_source };
        sender.batcher.set_offload(sender.may_offload());
        sender
    }

    fn may_offload(&self) -> bool {
        self.options.batching == Batching::Segmentation && self.connection.offload
    }

    /// Sends `run`: back-to-back datagrams, all of `datagram` bytes but the last, which may be shorter.
    ///
    /// Takes as many system calls as it must (one for 64 datagrams or 64 KiB, with segmentation offload),
    /// allocates nothing and never blocks. What the kernel took is counted exactly: after
    /// [`Outcome::Blocked`] go on from [`Sent::bytes`].
    ///
    /// # Panics
    ///
    /// If `datagram` is 0.
    pub fn send_run(&mut self, run: &[u8], datagram: usize) -> Sent {
        let sent = self.batcher.send_run(&mut Kernel(&self.connection), run, datagram);
        self.note(sent);
        sent
    }

    fn note(&mut self, sent: Sent) {
        match (&mut self.health, sent.outcome) {
            (Health::Lost { errno, .. }, Outcome::Unreachable { errno: new }) => *errno = new,
            // Back for a moment only: still the same loss.
            (Health::Mended { since }, Outcome::Unreachable { errno }) => {
                let mending = Mending { since: *since, next: *since, pause: FIRST_PAUSE };
                self.health = Health::Lost { errno, since: Some(mending) };
            }
            (_, Outcome::Unreachable { errno }) => self.health = Health::Lost { errno, since: None },
            // A full buffer says nothing about the way.
            (Health::Lost { .. }, Outcome::Blocked) if sent.bytes == 0 => {}
            (Health::Lost { since, .. }, _) => {
                self.health = since.map_or(Health::Well, |m| Health::Mended { since: m.since });
            }
            _ => {}
        }
    }

    /// Mends what the network broke, and says so once per turn of events.
    ///
    /// A lost socket is opened anew, its interface looked up again, at once and then after pauses of 0.1 to
    /// 1 s; so is one whose source address has left this machine, as after a new DHCP lease. Segmentation
    /// offload is tried again a minute after it failed. Call once a frame, or at least once a second;
    /// while all is well it costs nothing but, once a second, the look at the source address.
    ///
    /// The descriptor of [`as_fd`](Self::as_fd) may be another one afterwards.
    pub fn tend(&mut self, now: Instant) -> Option<Tended> {
        match self.health {
            Health::Lost { errno, since: None } => {
                let next = now + FIRST_PAUSE;
                self.health =
                    Health::Lost { errno, since: Some(Mending { since: now, next, pause: FIRST_PAUSE }) };
                self.reopen();
                Some(Tended::Lost { errno })
            }
            Health::Lost { errno, since: Some(mending) } => {
                if now >= mending.next {
                    let pause = LONGEST_PAUSE.min(mending.pause * 2);
                    let mending = Mending { next: now + pause, pause, ..mending };
                    self.health = Health::Lost { errno, since: Some(mending) };
                    self.reopen();
                }
                None
            }
            Health::Mended { since } => {
                self.health = Health::Well;
                Some(Tended::Back { after: now - since })
            }
            Health::Well => self.look_at_source(now).or_else(|| self.tend_offload(now)),
        }
    }

    /// The kernel goes on sending IPv6 from an address that it has lost, which routers and firewalls
    /// drop without a word.
    fn look_at_source(&mut self, now: Instant) -> Option<Tended> {
        if now < self.look_at_source {
            return None;
        }
        self.look_at_source = now + SOURCE_INTERVAL;
        (!self.connection.source_is_ours() && self.reopen()).then_some(Tended::Moved)
    }

    fn tend_offload(&mut self, now: Instant) -> Option<Tended> {
        if self.batcher.offload()
            || self.options.batching != Batching::Segmentation
            || !self.connection.offload
        {
            return None;
        }
        match self.offload_lost_at {
            None => {
                self.offload_lost_at = Some(now);
                Some(Tended::OffloadLost)
            }
            Some(at) if now.since(at) >= OFFLOAD_PAUSE => {
                self.offload_lost_at = Some(now);
                self.batcher.set_offload(true);
                None
            }
            Some(_) => None,
        }
    }

    /// Opens the socket anew, as it was asked for; the old one stays if that fails.
    fn reopen(&mut self) -> bool {
        let Ok(connection) = Connection::open(&self.options) else { return false };
        self.connection = connection;
        // Another interface may be able to do what the old one was not.
        self.batcher.set_offload(self.may_offload());
        self.offload_lost_at = None;
        self.batcher.counters.reopened += 1;
        true
    }

    /// The largest UDP payload that the route carries now, as far as the kernel knows it: the interface's
    /// MTU, or less once a router has said so, minus 28 bytes of headers (48 for IPv6). One system call.
    #[must_use]
    pub fn max_datagram(&self) -> Option<usize> {
        self.connection.max_datagram()
    }

    /// Whether datagrams of `size` bytes fit the route.
    ///
    /// # Errors
    ///
    /// [`NetError::DatagramTooLarge`], with the limit and where it comes from.
    pub fn check_datagram(&self, size: usize) -> Result<(), NetError> {
        let limit = self.max_datagram().unwrap_or(self.connection.longest());
        if size <= limit {
            return Ok(());
        }
        Err(NetError::DatagramTooLarge {
            asked: size,
            limit,
            mtu: self.connection.mtu().unwrap_or(65_535),
            interface: self.connection.link.as_ref().map(|l| l.name.clone()),
        })
    }

    /// What to tell the person in charge if this is multicast over Wi-Fi.
    #[must_use]
    pub fn wifi_multicast_warning(&self) -> Option<String> {
        let link = self.connection.link.as_ref()?;
        (self.connection.to.ip().is_multicast() && link.is_wifi()).then(|| {
            format!(
                "sending to the group {} over Wi-Fi ({}): access points send multicast at their lowest rate and \
                 nobody repeats a lost datagram; expect loss, lower the quality, or send to each viewer's address",
                self.connection.to.ip(),
                link.name
            )
        })
    }

    /// What to tell the person in charge if the system granted a smaller send buffer than asked for.
    #[must_use]
    pub fn buffer_warning(&self) -> Option<String> {
        buffers::warning(Side::Send, self.options.buffer, self.connection.granted)
    }

    /// Send buffer granted \[bytes\].
    #[must_use]
    pub const fn granted(&self) -> usize {
        self.connection.granted
    }

    /// What was done so far.
    #[must_use]
    pub const fn counters(&self) -> SendCounters {
        self.batcher.counters
    }

    /// Whether runs go out with segmentation offload.
    #[must_use]
    pub const fn offloads(&self) -> bool {
        self.batcher.offload()
    }

    /// The address and port that datagrams come from, if connected.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.connection.socket.local_addr().ok()?.as_socket()
    }

    /// The socket, to wait for room in its buffer (`POLLOUT`). Ask anew for every wait: it changes when
    /// [`tend`](Self::tend) opens another.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.socket.as_fd()
    }
}

/// The system calls on a real socket.
struct Kernel<'a>(&'a Connection);

impl Calls for Kernel<'_> {
    fn segmented(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno> {
        let segment = u16::try_from(datagram).map_err(|_| Errno::EMSGSIZE)?;
        sys::send_segmented(self.0.socket.as_fd(), None, bytes, segment)
    }

    fn many(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno> {
        sys::send_many(self.0.socket.as_fd(), None, bytes, datagram)
    }

    fn single(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        sys::send_one(self.0.socket.as_fd(), None, bytes)
    }

    fn limit(&self) -> Option<usize> {
        self.0.max_datagram()
    }
}

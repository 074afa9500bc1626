//! What receivers tell, on every system.

/// Something else to wait for: a descriptor, or a socket where descriptors are not known.
#[cfg(unix)]
pub type Other<'a> = std::os::fd::BorrowedFd<'a>;
/// Something else to wait for: a descriptor, or a socket where descriptors are not known.
#[cfg(windows)]
pub type Other<'a> = std::os::windows::io::BorrowedSocket<'a>;

/// What a receiver has taken since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiveCounters {
    /// Datagrams handed over.
    pub datagrams: u64,
    /// Their UDP payload \[bytes\].
    pub bytes: u64,
    /// Messages taken from the kernel; fewer than the datagrams where it merged them.
    pub messages: u64,
    /// Calls that receive.
    pub system_calls: u64,
    /// Datagrams lost because the receive buffer was full.
    pub lost: u64,
    /// Messages that were longer than any UDP datagram can be; what was cut off is lost.
    pub cut: u64,
    /// Errors stepped over: ICMP reports, lost interfaces.
    pub faults: u64,
}

impl ReceiveCounters {
    /// These and those of another socket.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            datagrams: self.datagrams + other.datagrams,
            bytes: self.bytes + other.bytes,
            messages: self.messages + other.messages,
            system_calls: self.system_calls + other.system_calls,
            lost: self.lost + other.lost,
            cut: self.cut + other.cut,
            faults: self.faults + other.faults,
        }
    }
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    /// There are datagrams.
    pub media: bool,
    /// The other descriptor is readable, or at its end.
    pub also: bool,
}

/// Room for datagrams, which a log must not be filled with.
pub(super) struct Memory(pub(super) Box<[u8]>);

impl Memory {
    pub(super) fn new(len: usize) -> Self {
        Self(vec![0; len].into_boxed_slice())
    }
}

impl core::fmt::Debug for Memory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

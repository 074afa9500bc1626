//! One run of datagrams to all who watch.
//!
//! One socket serves all but the group, so its buffer fills with what the slowest device lets out. A run for which
//! there is no room is waited for once; a viewer whose turn comes twice in vain is passed over for that run, and the
//! next run begins with the viewer after it, so that it is not always the same ones who lose.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use crate::net::{ManySocket, MediaSender, Outcome, SendCounters, Sent, Tended};
use crate::time::Instant;

/// Sends a run to each viewer in turn.
pub(super) struct Fan {
    /// Those who get the run under way.
    to: Vec<SocketAddr>,
    /// Which of them comes first.
    first: usize,
    /// How many of them have all of it, or were passed over.
    done: usize,
    /// The one whose turn it is was waited for.
    waited: bool,
    /// See [`Fan::take_limit`].
    smallest: Option<usize>,
    /// Bytes that the next one has.
    offset: usize,
    /// Bytes of the run under way; 0 if there is none.
    len: usize,
    multicast: Option<MediaSender>,
    passed_over: u64,
    /// Those for whom the last frame is sent again; empty: what is sent is for all.
    newcomers: Vec<SocketAddr>,
}

impl Fan {
    pub(super) fn new(viewers: usize, multicast: Option<MediaSender>) -> Self {
        Self {
            to: Vec::with_capacity(viewers + 1),
            first: 0,
            waited: false,
            smallest: None,
            done: 0,
            offset: 0,
            len: 0,
            multicast,
            passed_over: 0,
            newcomers: Vec::with_capacity(viewers),
        }
    }

    /// What is sent from now on is for these alone.
    pub(super) fn only_to(&mut self, newcomers: &[SocketAddr]) {
        self.reset();
        self.newcomers.clear();
        self.newcomers.extend_from_slice(newcomers);
    }

    /// Forgets the run under way.
    pub(super) fn reset(&mut self) {
        self.len = 0;
    }

    /// Sends `run`, or goes on with what is the start of it. `recipients` are asked for a new one only.
    pub(super) fn send_run<'a>(
        &mut self,
        socket: &mut ManySocket,
        run: &[u8],
        datagram: usize,
        recipients: impl FnOnce() -> &'a [SocketAddr],
    ) -> Sent {
        if self.len == 0 || self.len > run.len() {
            self.to.clear();
            self.to.extend_from_slice(if self.newcomers.is_empty() { recipients() } else { &self.newcomers });
            (self.done, self.offset, self.len, self.waited) = (0, 0, run.len(), false);
        }
        let run = &run[..self.len];
        while self.done < self.to.len() {
            let to = self.to[(self.first + self.done) % self.to.len()];
            let rest = &run[self.offset..];
            let sent = match &mut self.multicast {
                Some(multicast) if to.ip().is_multicast() => multicast.send_run(rest, datagram),
                _ => socket.send_run(rest, datagram, to),
            };
            match sent.outcome {
                Outcome::All => {}
                Outcome::Blocked if !self.waited => {
                    self.offset += sent.bytes;
                    self.waited = true;
                    return Sent { bytes: 0, outcome: Outcome::Blocked };
                }
                Outcome::TooLarge { limit } => {
                    self.passed_over += 1;
                    self.smallest = self.smallest.into_iter().chain(limit).min();
                }
                _ => self.passed_over += 1,
            }
            self.waited = false;
            self.done += 1;
            self.offset = 0;
        }
        self.first = self.first.wrapping_add(1);
        Sent { bytes: std::mem::take(&mut self.len), outcome: Outcome::All }
    }

    /// Mends the way to the group while it is used: whether it is mended shows when something is sent.
    pub(super) fn tend(&mut self, now: Instant) -> Option<Tended> {
        let is_used = self.to.iter().any(|to| to.ip().is_multicast());
        self.multicast.as_mut().filter(|_| is_used)?.tend(now)
    }

    /// The group's socket, if that is the one which had no room.
    pub(super) fn full(&self) -> Option<BorrowedFd<'_>> {
        let next = self.to.get((self.first + self.done) % self.to.len().max(1))?;
        self.multicast.as_ref().filter(|_| self.len != 0 && next.ip().is_multicast()).map(MediaSender::as_fd)
    }

    /// The largest datagram that the path of some viewer carries, if one was too large for it since this was
    /// asked last.
    pub(super) const fn take_limit(&mut self) -> Option<usize> {
        self.smallest.take()
    }

    /// `unicast` and what went to the group.
    pub(super) fn counters(&self, unicast: SendCounters) -> SendCounters {
        let Some(group) = self.multicast.as_ref().map(MediaSender::counters) else { return unicast };
        SendCounters {
            datagrams: unicast.datagrams + group.datagrams,
            bytes: unicast.bytes + group.bytes,
            segmented: unicast.segmented + group.segmented,
            system_calls: unicast.system_calls + group.system_calls,
            blocked: unicast.blocked + group.blocked,
            refused: unicast.refused + group.refused,
            too_large: unicast.too_large + group.too_large,
            unreachable: unicast.unreachable + group.unreachable,
            offload_lost: unicast.offload_lost + group.offload_lost,
            reopened: unicast.reopened + group.reopened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::ManyOptions;

    #[test]
    fn all_get_the_whole_run_and_one_without_a_way_holds_nobody_up() {
        let mut socket = ManySocket::open(&ManyOptions::new("127.0.0.1:0".parse().unwrap())).unwrap();
        let viewers: Vec<_> = (0..3).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let mut to: Vec<_> = viewers.iter().map(|viewer| viewer.local_addr().unwrap()).collect();
        // Nothing of 240.0.0.0/4 has a route.
        to.insert(1, "240.0.0.1:9".parse().unwrap());
        let mut fan = Fan::new(4, None);
        let run = vec![7; 3_000];
        for _ in 0..2 {
            let sent = fan.send_run(&mut socket, &run, 1_000, || &to);
            assert_eq!((sent.bytes, sent.outcome), (3_000, Outcome::All));
        }
        for viewer in &viewers {
            viewer.set_nonblocking(true).unwrap();
            let mut got = 0;
            while let Ok(len) = viewer.recv(&mut [0; 2_000]) {
                got += len;
            }
            assert_eq!(got, 6_000);
        }
        assert_eq!(fan.passed_over, 2);
    }
}

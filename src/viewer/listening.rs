//! The socket of `sealview watch`, and the wait for a network that is not there yet.

use std::io;
use std::net::SocketAddr;
use std::thread;

use crate::exit::RunError;
use crate::net::{MediaReceiver, NetError, Other, Ready, ReceiveCounters, ReceiveOptions};
use crate::time::{Duration, Instant};

/// Between attempts to listen where that is not possible yet.
const RETRY: Duration = Duration::from_secs(1);
/// A group is joined again after this time of silence: a switch may have forgotten the membership, an
/// interface may have come back.
const RENEWAL: Duration = Duration::from_secs(2);

/// Listens, or will as soon as the interface or the route is there.
pub struct Listening {
    options: ReceiveOptions,
    socket: Option<MediaReceiver>,
    /// Why there is no socket yet.
    trouble: Option<String>,
    act_at: Instant,
}

impl Listening {
    /// Begins to listen, if that is possible already.
    ///
    /// # Errors
    ///
    /// [`RunError`] for what no waiting mends.
    pub fn start(options: &ReceiveOptions, now: Instant) -> Result<Self, RunError> {
        let mut this = Self { options: options.clone(), socket: None, trouble: None, act_at: now };
        this.open()?;
        this.act_at = now + RENEWAL;
        Ok(this)
    }

    fn open(&mut self) -> Result<(), RunError> {
        match MediaReceiver::open(&self.options) {
            Ok(socket) => {
                if let Some(warning) = socket.buffer_warning() {
                    log::warn!("{warning}");
                }
                if self.trouble.take().is_some() {
                    log::info!("listening on {} now", self.options.at);
                }
                self.socket = Some(socket);
                Ok(())
            }
            Err(why @ NetError::InUse { .. }) => Err(RunError::usage(why)),
            Err(why) if why.is_passing() => {
                let text = why.to_string();
                if self.trouble.as_ref() != Some(&text) {
                    log::warn!("{text}; trying again until it works");
                    self.trouble = Some(text);
                }
                Ok(())
            }
            Err(why) => Err(RunError::usage(why)),
        }
    }

    /// Opens what could not be opened before, and joins a group that has been `silent` again.
    ///
    /// # Errors
    ///
    /// [`RunError`] for what no waiting mends.
    pub fn tend(&mut self, silent: bool, now: Instant) -> Result<(), RunError> {
        if now < self.act_at {
            return Ok(());
        }
        let Some(socket) = &mut self.socket else {
            self.act_at = now + RETRY;
            return self.open();
        };
        self.act_at = now + RENEWAL;
        if silent && let Err(why) = socket.renew_membership() {
            log::debug!("joining again: {why}");
        }
        Ok(())
    }

    /// Waits for datagrams, for `also`, or for `timeout`; returns what there is, or may be.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn wait(&self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        match &self.socket {
            Some(socket) => socket.wait(timeout, also),
            None => {
                thread::park_timeout(timeout);
                Ok(Ready { media: false, also: true })
            }
        }
    }

    /// Hands over the datagrams of one batch, and returns how many they were.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn receive(&mut self, each: impl FnMut(&[u8], SocketAddr)) -> io::Result<usize> {
        self.socket.as_mut().map_or(Ok(0), |socket| socket.receive(each))
    }

    /// The socket, if there is one already, to wait for datagrams together with another one.
    #[must_use]
    pub const fn socket(&self) -> Option<&MediaReceiver> {
        self.socket.as_ref()
    }

    /// What was taken so far.
    #[must_use]
    pub fn counters(&self) -> ReceiveCounters {
        self.socket.as_ref().map(MediaReceiver::counters).unwrap_or_default()
    }

    /// Why nothing can be heard at all.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Interface;

    const START: Instant = Instant::from_millis(5_000);

    #[test]
    fn an_interface_that_is_not_there_yet_is_waited_for() {
        let options = ReceiveOptions {
            interface: Some(Interface::Name("sealcam-none0".into())),
            ..ReceiveOptions::new(SocketAddr::from(([239, 7, 7, 7], 45_677)))
        };
        let mut listening = Listening::start(&options, START).unwrap();
        assert!(listening.trouble().unwrap().contains("sealcam-none0"));
        assert!(!listening.wait(Duration::from_millis(1), None).unwrap().media);
        assert_eq!(listening.receive(|_, _| ()).unwrap(), 0);
        listening.options.interface = Some(Interface::Name("lo".into()));
        listening.tend(true, START + RENEWAL).unwrap();
        assert_eq!(listening.trouble(), None);
        assert!(listening.socket.is_some());
    }

    #[test]
    fn a_port_that_is_taken_is_told_at_once() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let options = ReceiveOptions::new(taken.local_addr().unwrap());
        assert!(matches!(Listening::start(&options, START), Err(RunError::Usage(_))));
    }
}

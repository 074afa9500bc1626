//! From the slab to the network: sealed datagrams leave when they are due, and never hold anything up.

use super::Streaming;
use super::datagram::carried;
use super::materials::facts;
use super::output::Output;
use crate::camera::crowd::Crowd;
use crate::clock;
use crate::net::Outcome;
use crate::proto::manifest::MIN_SIGNED_DATAGRAM;
use crate::proto::sender::{Sender, Transmit};
use crate::time::{Duration, Instant};
use crate::wire::MIN_DATAGRAM;

/// A frame that the network has not taken after this time is given up for a newer one.
pub(super) const STUCK: Duration = Duration::from_millis(100);
/// Whoever comes so long after the last frame gets it once more; else the next one is not far.
const WELCOME_AFTER: Duration = Duration::from_millis(100);
/// Over so long it is spread.
const WELCOME_SPAN: Duration = Duration::from_millis(20);
/// Pause where the socket is writable but the device behind it is full.
const FULL_DEVICE_PAUSE: Duration = Duration::from_millis(1);

/// The network takes nothing at the moment.
pub(super) struct Blocked {
    pub(super) since: Instant,
    /// Waiting for room in the socket is of no use; try again then.
    pub(super) retry_at: Option<Instant>,
}

/// What has been said, and is not said again for every frame.
#[derive(Default)]
pub(super) struct Told {
    too_large: bool,
    pub(super) oversized: bool,
}

impl Streaming {
    /// Shows those who have just come the last frame, if the next one may take its time.
    pub(super) fn welcome(&mut self, now: Instant) {
        if !self.output.crowd_mut().is_some_and(Crowd::has_newcomers) {
            return;
        }
        // Those who have come after a change of the key do not have the last one.
        take_media_key(&mut self.output, &mut self.sender);
        let Some(crowd) = self.output.crowd_mut() else { return };
        let late = self.sealed_at.is_some_and(|sealed| now.since(sealed) >= WELCOME_AFTER);
        if late && self.sender.repeat(now, WELCOME_SPAN) {
            crowd.repeat_for_newcomers();
        }
    }

    /// Sends what is due.
    pub(super) fn transmit(&mut self, now: Instant) {
        if self.config.is_pending() {
            return self.give_up();
        }
        if let Some(blocked) = &self.blocked {
            if now.since(blocked.since) >= STUCK {
                self.give_up();
            } else if blocked.retry_at.is_some_and(|at| now < at) {
                return;
            }
        }
        while let Transmit::Run { bytes, datagram } = self.sender.poll_transmit(now) {
            let sent = self.output.send_run(bytes, datagram);
            self.sender.transmitted(sent.bytes);
            match sent.outcome {
                Outcome::All => {
                    self.blocked = None;
                    if self.sender.is_idle() {
                        self.frame_left();
                        // One small path makes the next frame's datagrams smaller; this one was for the others.
                        if let Some(limit) = self.output.crowd_mut().and_then(Crowd::take_limit) {
                            self.path_is_smaller(Some(limit));
                        }
                    }
                }
                Outcome::Blocked => {
                    let before = self.blocked.take().filter(|_| sent.bytes == 0);
                    let retry_at = before.is_some().then(|| now + FULL_DEVICE_PAUSE);
                    self.blocked = Some(Blocked { since: before.map_or(now, |b| b.since), retry_at });
                    return;
                }
                outcome => {
                    // A host that refuses has been reached: the way is well, nobody listens.
                    if outcome == Outcome::Refused && self.leaving.as_ref().is_some_and(|it| !it.notice) {
                        self.flow.left(now);
                    }
                    self.give_up();
                    // The socket tells the rest through its counters and `tend`.
                    if let Outcome::TooLarge { limit } = outcome {
                        self.path_is_smaller(limit);
                    }
                }
            }
        }
    }

    /// Drops what is left of the frame: a newer one is worth more.
    pub(super) fn give_up(&mut self) {
        self.abandoned += u64::from(self.leaving.is_some());
        self.sender.abandon();
        self.output.give_up();
        self.blocked = None;
        self.leaving = None;
    }

    fn frame_left(&mut self) {
        if let Some(leaving) = self.leaving.take() {
            let now = clock::now();
            self.stages.sent.add(now.since(leaving.captured));
            if !leaving.notice {
                self.flow.left(now);
            }
        }
    }

    /// Adapts to a smaller path, or says once why frames do not leave.
    fn path_is_smaller(&mut self, limit: Option<usize>) {
        let least = if self.signer.is_some() { MIN_SIGNED_DATAGRAM } else { MIN_DATAGRAM };
        let smaller = limit.filter(|limit| (least..self.sender.datagram()).contains(limit));
        if let (Some(limit), Some(_)) = (smaller, self.usual_datagram) {
            log::info!("the path carries datagrams of {limit} bytes at most; cutting frames accordingly");
            self.set_datagram(limit);
        } else if !self.told.too_large {
            self.told.too_large = true;
            let carries = limit.map_or("less".to_owned(), |limit| format!("{limit} bytes at most"));
            log::error!(
                "datagrams of {} bytes do not pass: the path carries {carries}; use a smaller {}",
                self.sender.datagram(),
                self.config.spelling.retell("--packet-size")
            );
        }
    }

    /// A path that was smaller for a while, or was said to be, carries the usual size again.
    pub(super) fn path_may_be_larger(&mut self) {
        let Some(usual) = self.usual_datagram else { return };
        // Nobody knows the paths of paired viewers; one that is still too small says so at once.
        let carries = self.output.one().map_or(usual, |socket| carried(usual, socket));
        if carries > self.sender.datagram() && self.set_datagram(carries) {
            log::info!("the path carries datagrams of {carries} bytes again");
        }
    }

    /// Cuts datagrams of another size from now on.
    pub(super) fn set_datagram(&mut self, datagram: usize) -> bool {
        let done = self.sender.set_datagram(datagram);
        if let Err(why) = done {
            log::error!("{why}");
        } else if let Some(crowd) = self.output.crowd_mut() {
            crowd.set_facts(clock::now(), facts(&self.sender, self.signer));
        }
        done.is_ok()
    }
}

/// Seals under the viewers' newest media key from now on.
pub(super) fn take_media_key(output: &mut Output, sender: &mut Sender) {
    let news = output.crowd_mut().and_then(|crowd| crowd.take_media_key(sender.sealed_under_key()));
    if let Some((epoch, key)) = news {
        sender.set_key(epoch, &key);
    }
}

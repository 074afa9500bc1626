//! Whether pictures flow: for the watchdog, which restarts what hangs, and for the health that is told.
//!
//! The two ask differently. A source that says NO SIGNAL once a second works, so the watchdog is content,
//! whether or not the network takes anything; but nobody sees the camera, so the health is bad.

use core::fmt;

use crate::time::{Duration, Instant};

/// The least that is waited for a picture before anything is called bad.
const LEAST: Duration = Duration::from_secs(3);

/// What a source produced, and when.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    state: State,
    /// When a new picture last left whole, of whichever source.
    left: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing is sent, by choice.
    Idle,
    Open {
        since: Instant,
        /// The last picture or notice.
        sign: Option<Instant>,
        /// The last new picture.
        fresh: Option<Instant>,
        /// There have been notices, and no new picture, since.
        dark: Option<Instant>,
        /// How long the source may be silent.
        patience: Duration,
        /// How long at most from one picture sent to the next: the limit of the rate.
        interval: Duration,
    },
}

/// Whether new pictures reach the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do; the last one so long ago.
    Flowing(Duration),
    /// Nothing is to be sent.
    Idle,
    /// A source was opened so long ago, and its first picture has not come yet.
    Starting(Duration),
    /// The camera gives no picture, for so long.
    NoSignal(Duration),
    /// The source has given nothing for so long, not even a notice.
    Silent(Duration),
    /// There are pictures, but for so long none has left: the network takes none, or they cannot be encoded.
    Stuck(Duration),
}

impl Verdict {
    /// Whether that is as it should be.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Flowing(_) | Self::Idle)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flowing(_) => f.write_str("new frames are flowing"),
            Self::Idle => f.write_str("switched off"),
            Self::Starting(time) => write!(f, "no frame yet, after {:.1} s", time.as_secs_f32()),
            Self::NoSignal(time) => write!(f, "no signal for {:.1} s", time.as_secs_f32()),
            Self::Silent(time) => write!(f, "nothing from the source for {:.1} s", time.as_secs_f32()),
            Self::Stuck(time) => write!(f, "frames come, but none has left for {:.1} s", time.as_secs_f32()),
        }
    }
}

impl Default for Flow {
    fn default() -> Self {
        Self::new()
    }
}

impl Flow {
    /// Nothing is open yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Idle, left: None }
    }

    /// No source, by choice.
    pub const fn close(&mut self) {
        self.state = State::Idle;
    }

    /// A source was opened whose pictures are sent at most once an `interval`; the first sign of it may take
    /// it `patience`.
    pub const fn open(&mut self, now: Instant, patience: Duration, interval: Duration) {
        self.state = State::Open { since: now, sign: None, fresh: None, dark: None, patience, interval };
    }

    /// Pictures are sent at most once an `interval` from now on.
    pub const fn retime(&mut self, every: Duration) {
        if let State::Open { interval, .. } = &mut self.state {
            *interval = every;
        }
    }

    /// The source gave a picture, or a notice instead; the next one may take it `patience`.
    pub fn produced(&mut self, now: Instant, notice: bool, next: Duration) {
        if let State::Open { sign, fresh, dark, patience, .. } = &mut self.state {
            *sign = Some(now);
            *patience = next;
            if notice {
                dark.get_or_insert(now);
            } else {
                *fresh = Some(now);
                *dark = None;
            }
        }
    }

    /// A new picture has left whole.
    pub const fn left(&mut self, now: Instant) {
        self.left = Some(now);
    }

    /// Since when no new picture has left.
    #[must_use]
    pub fn since_new(&self, now: Instant) -> Option<Duration> {
        self.left.map(|left| now.since(left))
    }

    /// Whether the source has given a new picture since it was opened.
    #[must_use]
    pub const fn has_shown(&self) -> bool {
        matches!(self.state, State::Open { fresh: Some(_), .. })
    }

    /// Whether the source works, be it by saying that there is no signal: what the watchdog wants to know.
    #[must_use]
    pub fn is_alive(&self, now: Instant) -> bool {
        match self.state {
            State::Idle => true,
            State::Open { since, sign, patience, .. } => {
                now.since(sign.unwrap_or(since)) <= LEAST + 2 * patience
            }
        }
    }

    /// Whether new pictures flow.
    #[must_use]
    pub fn verdict(&self, now: Instant) -> Verdict {
        let State::Open { since, sign, fresh, dark, patience, interval } = self.state else {
            return Verdict::Idle;
        };
        if let Some(dark) = dark {
            return Verdict::NoSignal(now.since(dark));
        }
        let Some(fresh) = fresh else {
            // After a switch pictures are missed only when they have been for a while.
            return match self.left.map(|left| now.since(left)).filter(|time| *time <= LEAST) {
                Some(time) => Verdict::Flowing(time),
                None => Verdict::Starting(now.since(since)),
            };
        };
        let silent = now.since(sign.unwrap_or(since));
        if silent > LEAST + patience {
            return Verdict::Silent(silent);
        }
        match self.left.filter(|left| *left >= since) {
            Some(left) if now.since(left) <= LEAST + patience + 2 * interval => {
                Verdict::Flowing(now.since(left))
            }
            // The first picture is still on its way.
            None if now.since(since) <= LEAST || now.since(fresh).is_zero() => {
                Verdict::Starting(now.since(since))
            }
            left => Verdict::Stuck(now.since(left.unwrap_or(since))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);
    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(1_000_000 + millis)
    }

    #[test]
    fn pictures_that_leave_are_healthy_and_alive() {
        let mut flow = Flow::new();
        assert_eq!(flow.verdict(at(0)), Verdict::Idle);
        flow.open(at(0), Duration::ZERO, FRAME);
        assert_eq!(flow.verdict(at(500)), Verdict::Starting(Duration::from_millis(500)));
        for millis in (600..10_000).step_by(33) {
            flow.produced(at(millis), false, SECOND);
            flow.left(at(millis + 5));
            assert!(flow.verdict(at(millis + 20)).is_good() && flow.is_alive(at(millis + 20)));
        }
    }

    #[test]
    fn notices_keep_the_watchdog_content_but_are_not_healthy() {
        let mut flow = Flow::new();
        flow.open(at(0), Duration::ZERO, FRAME);
        flow.produced(at(30), false, SECOND);
        flow.left(at(31));
        for second in 1..60 {
            flow.produced(at(second * 1000), true, SECOND);
            let now = at(second * 1000 + 999);
            assert!(flow.is_alive(now), "{second}");
            assert_eq!(flow.verdict(now), Verdict::NoSignal(Duration::from_millis(second * 1000 - 1)));
        }
        flow.produced(at(60_000), false, SECOND);
        flow.left(at(60_001));
        assert_eq!(flow.verdict(at(60_010)), Verdict::Flowing(Duration::from_millis(9)));
    }

    #[test]
    fn a_network_that_takes_nothing_is_unhealthy_but_no_reason_to_restart() {
        let mut flow = Flow::new();
        flow.open(at(0), Duration::ZERO, FRAME);
        flow.left(at(10));
        for millis in (0..20_000).step_by(33) {
            flow.produced(at(millis), false, SECOND);
            assert!(flow.is_alive(at(millis + 30)));
        }
        assert!(matches!(flow.verdict(at(19_900)), Verdict::Stuck(_)), "{:?}", flow.verdict(at(19_900)));
    }

    #[test]
    fn a_source_that_hangs_is_neither() {
        let mut flow = Flow::new();
        flow.open(at(0), Duration::ZERO, FRAME);
        // Not even a first notice.
        assert!(flow.is_alive(at(3_000)) && !flow.is_alive(at(3_001)));
        flow.produced(at(4_000), false, 2 * SECOND);
        flow.left(at(4_001));
        assert!(flow.is_alive(at(11_000)) && !flow.is_alive(at(11_001)));
        assert!(matches!(flow.verdict(at(9_001)), Verdict::Silent(_)));
    }

    #[test]
    fn a_slow_source_has_time_for_its_first_picture() {
        let mut flow = Flow::new();
        flow.open(at(0), 25 * SECOND, FRAME);
        assert!(flow.is_alive(at(53_000)) && !flow.is_alive(at(53_001)));
    }

    #[test]
    fn slow_rates_are_no_fault_and_idling_is_none() {
        let mut flow = Flow::new();
        // One frame in ten seconds is sent, thirty a second come.
        flow.open(at(0), Duration::ZERO, 10 * SECOND);
        flow.left(at(100));
        flow.produced(at(9_900), false, SECOND);
        assert!(flow.verdict(at(9_900)).is_good());
        flow.close();
        assert!(flow.is_alive(at(1_000_000)) && flow.verdict(at(1_000_000)).is_good());
        // Pictures from long before the switch do not vouch for the new source.
        flow.open(at(1_000_000), Duration::ZERO, FRAME);
        assert!(!flow.verdict(at(1_000_001)).is_good());
        // Those from just before it do, for a moment.
        flow.left(at(1_000_500));
        flow.open(at(1_000_600), Duration::ZERO, FRAME);
        assert!(flow.verdict(at(1_001_600)).is_good() && !flow.verdict(at(1_003_600)).is_good());
    }
}

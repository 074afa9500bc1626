//! A network in virtual time: what real ones do to datagrams, from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use sealcam::time::{Duration, Instant};

use crate::random::Random;

/// What the link does. [`Conditions::CLEAN`] does nothing but take a millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) loss: Loss,
    /// Part of the datagrams that arrive twice.
    pub(crate) duplicated: f64,
    /// Part of the datagrams in which bits change.
    pub(crate) corrupted: f64,
    /// Part of the datagrams that lose their end.
    pub(crate) truncated: f64,
    pub(crate) delay: Duration,
    /// Up to this much is added to the delay of each datagram by itself, so they overtake each other.
    pub(crate) jitter: Duration,
    pub(crate) bottleneck: Option<Bottleneck>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    None,
    /// Each datagram by itself.
    Random(f64),
    /// Gilbert and Elliott's two states: nothing is lost in the good one, `bad_loss` in the bad one.
    Bursty {
        to_bad: f64,
        to_good: f64,
        bad_loss: f64,
    },
}

/// The slowest hop: a queue of so many datagrams; what comes when it is full is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bottleneck {
    pub(crate) datagrams_per_second: u64,
    pub(crate) queue: usize,
}

impl Conditions {
    pub(crate) const CLEAN: Self = Self {
        loss: Loss::None,
        duplicated: 0.0,
        corrupted: 0.0,
        truncated: 0.0,
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        bottleneck: None,
    };
}

/// What became of the datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) overflowed: u64,
    pub(crate) duplicated: u64,
    pub(crate) changed: u64,
    pub(crate) delivered: u64,
}

/// When it arrives, a number that keeps the order of those that arrive together, and its bytes.
type Flying = (Instant, u64, Rc<[u8]>);

pub(crate) struct Link {
    conditions: Conditions,
    random: Random,
    in_bad_state: bool,
    /// When the bottleneck's queue will be empty.
    empty_at: Instant,
    flying: BinaryHeap<Reverse<Flying>>,
    order: u64,
    tally: Tally,
}

impl Link {
    pub(crate) fn new(conditions: Conditions, random: Random) -> Self {
        Self {
            conditions,
            random,
            in_bad_state: false,
            empty_at: Instant::ORIGIN,
            flying: BinaryHeap::new(),
            order: 0,
            tally: Tally::default(),
        }
    }

    /// What it does with the datagrams from now on.
    pub(crate) fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    pub(crate) fn send(&mut self, now: Instant, datagram: &[u8]) {
        self.tally.sent += 1;
        let Some(out_at) = self.pass_bottleneck(now) else {
            self.tally.overflowed += 1;
            return;
        };
        if self.is_lost() {
            self.tally.lost += 1;
            return;
        }
        let bytes = self.perhaps_damaged(datagram);
        let copies = 1 + u64::from(self.random.chance(self.conditions.duplicated));
        self.tally.duplicated += copies - 1;
        for _ in 0..copies {
            let jitter = self.random.below(self.conditions.jitter.as_micros() as u64 + 1);
            let at = out_at + self.conditions.delay + Duration::from_micros(jitter);
            self.order += 1;
            self.flying.push(Reverse((at, self.order, Rc::clone(&bytes))));
        }
    }

    /// When the next datagram arrives.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.flying.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next datagram that has arrived by `now`.
    pub(crate) fn receive(&mut self, now: Instant) -> Option<Rc<[u8]>> {
        self.next_arrival().filter(|at| *at <= now)?;
        let Reverse((_, _, bytes)) = self.flying.pop()?;
        self.tally.delivered += 1;
        Some(bytes)
    }

    fn pass_bottleneck(&mut self, now: Instant) -> Option<Instant> {
        let Some(bottleneck) = self.conditions.bottleneck else { return Some(now) };
        let each = Duration::from_micros(1_000_000 / bottleneck.datagrams_per_second);
        let from = self.empty_at.max(now);
        let queued = from.since(now).as_micros() / each.as_micros();
        if queued as usize >= bottleneck.queue {
            return None;
        }
        self.empty_at = from + each;
        Some(self.empty_at)
    }

    fn is_lost(&mut self) -> bool {
        match self.conditions.loss {
            Loss::None => false,
            Loss::Random(probability) => self.random.chance(probability),
            Loss::Bursty { to_bad, to_good, bad_loss } => {
                let turn = if self.in_bad_state { to_good } else { to_bad };
                self.in_bad_state ^= self.random.chance(turn);
                self.in_bad_state && self.random.chance(bad_loss)
            }
        }
    }

    fn perhaps_damaged(&mut self, datagram: &[u8]) -> Rc<[u8]> {
        let corrupted = self.random.chance(self.conditions.corrupted);
        let truncated = self.random.chance(self.conditions.truncated);
        let mut bytes = datagram.to_vec();
        if corrupted {
            for _ in 0..self.random.between(1, 4) {
                let bit = self.random.below(datagram.len() as u64 * 8) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        if truncated {
            bytes.truncate(self.random.below(datagram.len() as u64) as usize);
        }
        self.tally.changed += u64::from(bytes != datagram);
        bytes.into()
    }
}

#[test]
fn the_link_does_what_it_is_told() {
    let conditions = Conditions {
        loss: Loss::Bursty { to_bad: 0.02, to_good: 0.18, bad_loss: 0.5 },
        duplicated: 0.1,
        corrupted: 0.1,
        ..Conditions::CLEAN
    };
    let mut link = Link::new(conditions, Random::new(1));
    for n in 0..100_000 {
        link.send(Instant::from_micros(n), &[0; 100]);
    }
    while link.receive(Instant::from_millis(10_000)).is_some() {}
    let tally = link.tally();
    // A tenth of the time in the bad state, half of which is lost.
    assert!((4_500..5_500).contains(&tally.lost), "{tally:?}");
    assert!((9_000..10_000).contains(&tally.duplicated), "{tally:?}");
    assert_eq!(tally.sent + tally.duplicated, tally.delivered + tally.lost + tally.overflowed);
    assert!((9_000..10_000).contains(&tally.changed), "{tally:?}");
}

#[test]
fn a_full_queue_drops_the_tail() {
    let bottleneck = Some(Bottleneck { datagrams_per_second: 1_000, queue: 10 });
    let mut link = Link::new(Conditions { bottleneck, ..Conditions::CLEAN }, Random::new(1));
    let start = Instant::from_millis(1);
    for _ in 0..15 {
        link.send(start, &[1]);
    }
    assert_eq!(link.tally().overflowed, 5);
    link.send(start + Duration::from_millis(3), &[1]);
    assert_eq!(link.tally().overflowed, 5);
    assert_eq!(link.next_arrival(), Some(start + Duration::from_millis(2)));
}

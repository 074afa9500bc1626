//! A token bucket that is one instant: when all that was spent will be made up for.

use crate::time::{Duration, Instant};

/// How fast a [`Budget`] fills, and how far.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// The time that makes up for one that was spent.
    pub each: Duration,
    /// How many can be spent at once.
    pub burst: u32,
}

/// What may still be spent. It needs no tending: time fills it.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    made_up: Instant,
}

impl Budget {
    /// Nothing has been spent.
    pub const FULL: Self = Self { made_up: Instant::ORIGIN };

    /// Spends one at `now` if `reserve` are left afterwards; says whether.
    pub fn spend(&mut self, now: Instant, rate: Rate, reserve: u32) -> bool {
        let after = self.made_up.max(now) + rate.each;
        let may_owe = rate.each * rate.burst.saturating_sub(reserve);
        let spent = after.since(now) <= may_owe;
        if spent {
            self.made_up = after;
        }
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { each: Duration::from_millis(20), burst: 5 };

    fn spent_at_once(budget: &mut Budget, now: Instant, reserve: u32) -> usize {
        (0..100).filter(|_| budget.spend(now, RATE, reserve)).count()
    }

    #[test]
    fn a_burst_at_once_and_then_what_time_brings() {
        // A clock that has just begun is no debt.
        let (mut budget, mut now) = (Budget::FULL, Instant::ORIGIN);
        assert_eq!(spent_at_once(&mut budget, now, 0), 5);
        now += Duration::from_millis(19);
        assert_eq!(spent_at_once(&mut budget, now, 0), 0);
        now += Duration::from_millis(1);
        assert_eq!(spent_at_once(&mut budget, now, 0), 1);
        now += Duration::from_secs(3_600);
        assert_eq!(spent_at_once(&mut budget, now, 0), 5, "no more than a burst is saved up");
    }

    #[test]
    fn a_reserve_is_left_for_who_may_touch_it() {
        let (mut budget, now) = (Budget::FULL, Instant::from_millis(1_000));
        assert_eq!(spent_at_once(&mut budget, now, 2), 3);
        assert_eq!(spent_at_once(&mut budget, now, 0), 2);
        assert_eq!(spent_at_once(&mut budget, now, 9), 0);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let (mut budget, now) = (Budget::FULL, Instant::from_millis(1_000));
        assert_eq!(spent_at_once(&mut budget, now, 0), 5);
        assert_eq!(spent_at_once(&mut budget, Instant::from_millis(500), 0), 0);
    }
}

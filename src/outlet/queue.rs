//! How a value gets from the network thread to a slow outlet.
//!
//! Both ends here hold a lock only to move a value in or out, so the giving side never waits for
//! the taking side's work. When the taker is slow, the oldest value makes room and is counted.

use crate::time::Duration;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The queue was closed and is empty: no value will come any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// A place for one value: a newer one replaces it.
#[derive(Debug)]
pub struct Latest<T> {
    queue: Queue<T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Latest<T> {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        Self { queue: Queue::new(Limit { items: 1, bytes: usize::MAX }) }
    }

    /// Puts `value` in; an older one that nobody took is dropped.
    pub fn put(&self, value: T) {
        self.queue.offer(value, 0);
    }

    /// The value, if there is one.
    pub fn take(&self) -> Option<T> {
        self.queue.take()
    }

    /// Waits up to `timeout` for a value; `Ok(None)` when none came.
    ///
    /// # Errors
    ///
    /// [`Closed`] once [`Latest::close`] was called and the last value was taken.
    pub fn wait(&self, timeout: Duration) -> Result<Option<T>, Closed> {
        self.queue.wait(timeout)
    }

    /// Waits for a value without limit; `None` once the place is closed and empty.
    pub fn wait_for_next(&self) -> Option<T> {
        self.queue.wait_for_next()
    }

    /// Ends the wait of the taker; values put in later are ignored.
    pub fn close(&self) {
        self.queue.close();
    }
}

/// The most that a [`Queue`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Values, at least 1.
    pub items: usize,
    /// Bytes, as told to [`Queue::offer`]; one value of any size always fits.
    pub bytes: usize,
}

/// A queue with a limit: when it is full, its oldest values make room.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    limit: Limit,
}

#[derive(Debug)]
struct State<T> {
    /// Never grows past its first capacity: `limit.items`.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    dropped: u64,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue whose memory for `limit.items` values is claimed now.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        let items = VecDeque::with_capacity(limit.items.max(1));
        let state = State { items, bytes: 0, dropped: 0, closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), limit }
    }

    /// Puts `value` of `bytes` bytes at the end; returns how many values made room for it.
    /// After [`Queue::close`] the value is ignored.
    pub fn offer(&self, value: T, bytes: usize) -> u64 {
        let mut state = self.lock();
        if state.closed {
            return 0;
        }
        let mut made_room = 0;
        while !state.items.is_empty()
            && (state.items.len() >= self.limit.items || state.bytes.saturating_add(bytes) > self.limit.bytes)
        {
            if let Some((_, bytes)) = state.items.pop_front() {
                state.bytes -= bytes;
                made_room += 1;
            }
        }
        state.dropped += made_room;
        state.bytes += bytes;
        state.items.push_back((value, bytes));
        drop(state);
        self.filled.notify_one();
        made_room
    }

    /// The oldest value, if there is one.
    pub fn take(&self) -> Option<T> {
        Self::pop(&mut self.lock())
    }

    /// Waits up to `timeout` for a value; `Ok(None)` when none came.
    ///
    /// # Errors
    ///
    /// [`Closed`] once [`Queue::close`] was called and the last value was taken.
    pub fn wait(&self, timeout: Duration) -> Result<Option<T>, Closed> {
        let (mut state, _) = self
            .filled
            .wait_timeout_while(self.lock(), timeout, |state| state.items.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match Self::pop(&mut state) {
            None if state.closed => Err(Closed),
            taken => Ok(taken),
        }
    }

    /// Waits for a value without limit; `None` once the queue is closed and empty.
    pub fn wait_for_next(&self) -> Option<T> {
        let mut state = self
            .filled
            .wait_while(self.lock(), |state| state.items.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        Self::pop(&mut state)
    }

    /// Values that made room for newer ones.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// No more values come: what is queued can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn pop(state: &mut State<T>) -> Option<T> {
        let (value, bytes) = state.items.pop_front()?;
        state.bytes -= bytes;
        Some(value)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn a_newer_value_replaces_an_untaken_one() {
        let latest = Latest::new();
        assert_eq!(latest.take(), None);
        latest.put(1);
        latest.put(2);
        assert_eq!(latest.take(), Some(2));
        assert_eq!(latest.queue.dropped(), 1);
        assert_eq!(latest.wait(Duration::ZERO), Ok(None));
        latest.put(3);
        latest.close();
        latest.put(4);
        assert_eq!(latest.wait(Duration::ZERO), Ok(Some(3)), "what was there can still be taken");
        assert_eq!(latest.wait(Duration::from_secs(60)), Err(Closed));
    }

    #[test]
    fn a_full_queue_gives_up_its_oldest_values() {
        // (limit in items, limit in bytes, sizes offered, what is left)
        let cases: [(usize, usize, &[usize], &[usize]); 5] = [
            (3, 100, &[1, 2, 3], &[1, 2, 3]),
            (3, 100, &[1, 2, 3, 4, 5], &[3, 4, 5]),
            (9, 100, &[40, 50, 60], &[60]),
            (9, 100, &[40, 50, 10], &[40, 50, 10]),
            (9, 100, &[40, 500], &[500]), // alone, anything fits
        ];
        for (items, bytes, offered, left) in cases {
            let queue = Queue::new(Limit { items, bytes });
            for &size in offered {
                queue.offer(size, size);
            }
            assert_eq!(queue.dropped(), (offered.len() - left.len()) as u64, "{offered:?}");
            queue.close();
            let taken: Vec<_> = std::iter::from_fn(|| queue.wait_for_next()).collect();
            assert_eq!(taken, left, "{offered:?}");
        }
    }

    /// Whatever the schedule: values come out in order, the last one always, and none twice.
    #[test]
    fn the_last_value_always_arrives() {
        const LAST: u32 = 50_000;
        for takers in [1, 3] {
            let latest = Arc::new(Latest::new());
            let threads: Vec<_> = (0..takers)
                .map(|_| {
                    let latest = Arc::clone(&latest);
                    thread::spawn(move || {
                        let mut seen = Vec::new();
                        while let Ok(taken) = latest.wait(Duration::from_secs(60)) {
                            seen.extend(taken);
                        }
                        seen
                    })
                })
                .collect();
            for value in 0..=LAST {
                latest.put(value);
            }
            latest.close();
            let seen: Vec<Vec<u32>> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            for one in &seen {
                assert!(one.is_sorted_by(|a, b| a < b), "out of order");
            }
            let taken: usize = seen.iter().map(Vec::len).sum();
            assert_eq!(taken as u64 + latest.queue.dropped(), u64::from(LAST) + 1, "lost or doubled");
            assert!(seen.iter().any(|one| one.last() == Some(&LAST)), "the newest was lost");
        }
    }
}

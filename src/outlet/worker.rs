//! A thread with a bounded queue before it: the common part of the outlets with slow devices.

use super::queue::{Limit, Queue};
use crate::time::Duration;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// Works through a queue of `T` in a thread of its own and ends with an `R`.
#[derive(Debug)]
pub struct Worker<T, R> {
    shared: Arc<Shared<T, R>>,
}

#[derive(Debug)]
struct Shared<T, R> {
    queue: Queue<T>,
    progress: Mutex<Progress<R>>,
    ended: Condvar,
}

#[derive(Debug)]
enum Progress<R> {
    Working,
    /// `None`: the job panicked, or its outcome was taken already.
    Ended(Option<R>),
}

impl<T: Send + 'static, R: Send + 'static> Worker<T, R> {
    /// Starts `job` in a thread called `name`. The job takes from the queue until that is closed
    /// and empty, or until its device fails.
    ///
    /// # Errors
    ///
    /// The system's, when it gives no thread.
    pub fn start(
        name: &str,
        limit: Limit,
        job: impl FnOnce(&Queue<T>) -> R + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Queue::new(limit),
            progress: Mutex::new(Progress::Working),
            ended: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut ending = Ending { shared: &theirs, outcome: None };
            ending.outcome = Some(job(&theirs.queue));
        })?;
        Ok(Self { shared })
    }

    /// Queues `value`, unless the job has ended.
    pub fn offer(&self, value: T, bytes: usize) {
        self.shared.queue.offer(value, bytes);
    }

    /// Values that the job was too slow for.
    pub fn dropped(&self) -> u64 {
        self.shared.queue.dropped()
    }

    /// Shows the outcome to `look` if the job has ended by itself.
    pub fn if_ended<V>(&self, look: impl FnOnce(Option<&R>) -> V) -> Option<V> {
        match &*self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            Progress::Working => None,
            Progress::Ended(outcome) => Some(look(outcome.as_ref())),
        }
    }

    /// Closes the queue, waits until the job has worked through it and returns its outcome.
    ///
    /// `None` when that takes longer than `patience` (a reader that does not read): the thread is
    /// then left behind and ends with the process. Also `None` if the job panicked.
    pub fn finish(&self, patience: Duration) -> Option<R> {
        self.shared.queue.close();
        let progress = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut progress, _) = self
            .shared
            .ended
            .wait_timeout_while(progress, patience, |progress| matches!(progress, Progress::Working))
            .unwrap_or_else(PoisonError::into_inner);
        match &mut *progress {
            Progress::Working => None,
            Progress::Ended(outcome) => outcome.take(),
        }
    }
}

impl<T, R> Drop for Worker<T, R> {
    /// Lets the thread end; does not wait for it.
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// Notes the end of the job, by a return or by a panic.
struct Ending<'a, T, R> {
    shared: &'a Shared<T, R>,
    outcome: Option<R>,
}

impl<T, R> Drop for Ending<'_, T, R> {
    fn drop(&mut self) {
        self.shared.queue.close();
        let mut progress = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *progress = Progress::Ended(self.outcome.take());
        drop(progress);
        self.shared.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LIMIT: Limit = Limit { items: 4, bytes: 100 };
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn works_off_its_queue_before_it_ends() {
        let worker = Worker::start("sum", LIMIT, |queue: &Queue<u32>| {
            std::iter::from_fn(|| queue.wait_for_next()).sum::<u32>()
        })
        .unwrap();
        for value in [1, 2, 3] {
            worker.offer(value, 1);
        }
        assert_eq!(worker.finish(LONG), Some(6));
    }

    #[test]
    fn leaves_a_stuck_job_behind() {
        let (release, stuck) = mpsc::channel::<()>();
        let worker = Worker::start("stuck", LIMIT, move |_: &Queue<u32>| stuck.recv()).unwrap();
        for value in 0..10 {
            worker.offer(value, 1);
        }
        assert_eq!(worker.dropped(), 6);
        assert!(worker.if_ended(|_| ()).is_none());
        assert!(worker.finish(Duration::from_millis(10)).is_none());
        release.send(()).unwrap();
        assert_eq!(worker.finish(LONG), Some(Ok(())));
    }

    #[test]
    fn an_early_end_and_a_panic_are_seen() {
        let early = Worker::start("early", LIMIT, |_: &Queue<u32>| "disk full").unwrap();
        while early.if_ended(|_| ()).is_none() {
            thread::yield_now();
        }
        early.offer(1, 1);
        assert_eq!(early.if_ended(|outcome| outcome.map(|text| text.len())), Some(Some(9)));
        assert_eq!(early.finish(LONG), Some("disk full"));

        let panicking = Worker::start("panicking", LIMIT, |queue: &Queue<u32>| -> u32 {
            assert!(queue.wait_for_next().is_none(), "a value came");
            0
        })
        .unwrap();
        panicking.offer(1, 1);
        assert_eq!(panicking.finish(LONG), None);
    }
}

//! What becomes of a run when system calls fail, against a network made of a script.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;

/// What the next system call does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Accept,
    /// As many messages of a `sendmmsg`; the others accept.
    Partly(usize),
    Fail(Errno),
}
use Step::{Accept, Fail, Partly};

/// Which system call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Segmented(usize),
    Many(usize),
    Single,
}
use Call::{Many, Segmented, Single};

/// A kernel that follows a script and then accepts everything.
#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    calls: Vec<Call>,
    accepted: Vec<Vec<u8>>,
}

impl Script {
    fn new(steps: &[Step]) -> Self {
        Self { steps: steps.iter().copied().collect(), ..Self::default() }
    }

    fn play(&mut self, call: Call, datagrams: &[&[u8]]) -> Result<usize, Errno> {
        self.calls.push(call);
        let count = match (self.steps.pop_front().unwrap_or(Accept), call) {
            (Fail(errno), _) => return Err(errno),
            (Partly(count), Many(_)) => count.clamp(1, datagrams.len()),
            _ => datagrams.len(),
        };
        self.accepted.extend(datagrams.iter().take(count).map(|d| d.to_vec()));
        Ok(count)
    }
}

impl Calls for Script {
    fn segmented(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno> {
        let datagrams: Vec<_> = bytes.chunks(datagram).collect();
        assert!(datagrams.len() <= MOST_SEGMENTS && bytes.len() <= 65_507, "more than one message holds");
        self.play(Segmented(datagrams.len()), &datagrams).map(|_| bytes.len())
    }

    fn many(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno> {
        let datagrams: Vec<_> = bytes.chunks(datagram).collect();
        self.play(Many(datagrams.len()), &datagrams)
    }

    fn single(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        self.play(Single, &[bytes]).map(|_| bytes.len())
    }

    fn limit(&self) -> Option<usize> {
        Some(1472)
    }
}

fn batcher() -> Batcher {
    Batcher::new(Batching::Segmentation, 65_507)
}

#[test]
fn each_fault_has_its_answer() {
    let datagrams = |n: usize| n * 100;
    let lost = Outcome::Unreachable { errno: Errno::ENETUNREACH as i32 };
    // (script, datagrams accepted of 10, outcome, calls made, offload still on)
    type Case = (&'static [Step], usize, Outcome, &'static [Call], bool);
    let cases: [Case; 14] = [
        (&[], 10, Outcome::All, &[Segmented(10)], true),
        // The driver cannot: the same bytes by sendmmsg, and no more attempts.
        (&[Fail(Errno::EIO)], 10, Outcome::All, &[Segmented(10), Many(10)], false),
        (&[Fail(Errno::EINVAL), Partly(4)], 10, Outcome::All, &[Segmented(10), Many(10), Many(6)], false),
        // Before Linux 6.14 that is also how a datagram too large is refused. Not the offload's fault.
        (
            &[Fail(Errno::EINVAL), Fail(Errno::EMSGSIZE), Fail(Errno::EMSGSIZE)],
            0,
            Outcome::TooLarge { limit: Some(1472) },
            &[Segmented(10), Many(10), Many(10)],
            true,
        ),
        // The source address is gone: nothing can be sent, and nothing is learnt about the offload.
        (
            &[Fail(Errno::EINVAL), Fail(Errno::EINVAL)],
            0,
            Outcome::Unreachable { errno: Errno::EINVAL as i32 },
            &[Segmented(10), Many(10)],
            true,
        ),
        (&[Fail(Errno::EIO), Fail(Errno::EAGAIN)], 0, Outcome::Blocked, &[Segmented(10), Many(10)], true),
        (&[Fail(Errno::EAGAIN)], 0, Outcome::Blocked, &[Segmented(10)], true),
        (&[Fail(Errno::ENOBUFS)], 0, Outcome::Blocked, &[Segmented(10)], true),
        (&[Fail(Errno::EINTR), Fail(Errno::EINTR)], 10, Outcome::All, &[Segmented(10); 3], true),
        // ICMP about earlier datagrams: the same batch once more.
        (&[Fail(Errno::ECONNREFUSED)], 10, Outcome::All, &[Segmented(10); 2], true),
        (&[Fail(Errno::ECONNREFUSED); 2], 0, Outcome::Refused, &[Segmented(10); 2], true),
        (&[Fail(Errno::EMSGSIZE)], 10, Outcome::All, &[Segmented(10); 2], true),
        (&[Fail(Errno::ENETUNREACH); 2], 0, lost, &[Segmented(10); 2], true),
        // No sendmmsg either.
        (
            &[Fail(Errno::EIO), Fail(Errno::ENOSYS), Accept, Fail(Errno::EAGAIN)],
            1,
            Outcome::Blocked,
            &[Segmented(10), Many(10), Single, Single],
            false,
        ),
    ];
    for (steps, accepted, outcome, calls, offload) in cases {
        let (mut script, mut batcher) = (Script::new(steps), batcher());
        let sent = batcher.send_run(&mut script, &[7; 1000], 100);
        assert_eq!(sent, Sent { bytes: datagrams(accepted), outcome }, "{steps:?}");
        assert_eq!(script.calls, calls, "{steps:?}");
        assert_eq!(batcher.offload(), offload, "{steps:?}");
        assert_eq!(batcher.counters.datagrams, accepted as u64, "{steps:?}");
        assert_eq!(batcher.counters.system_calls, calls.len() as u64, "{steps:?}");
    }
}

#[test]
fn a_frame_takes_as_few_messages_as_one_packet_and_64_segments_allow() {
    // (datagram, datagrams in the run, calls)
    let cases: [(usize, usize, &[Call]); 5] = [
        (1400, 143, &[Segmented(46), Segmented(46), Segmented(46), Segmented(5)]),
        (1400, 1, &[Single]),
        (128, 65, &[Segmented(64), Single]),
        (8900, 9, &[Segmented(7), Segmented(2)]),
        // Only one fits a message: offload has nothing to offer, sendmmsg has.
        (40_000, 3, &[Many(3)]),
    ];
    for (datagram, count, calls) in cases {
        let mut script = Script::default();
        let run = vec![0; datagram * count];
        let sent = batcher().send_run(&mut script, &run, datagram);
        assert_eq!(sent, Sent { bytes: run.len(), outcome: Outcome::All });
        assert_eq!(script.calls, calls, "{count} datagrams of {datagram}");
    }
}

#[test]
fn ways_that_were_not_asked_for_are_not_used() {
    for (best, call) in [(Batching::Single, Single), (Batching::Messages, Many(3))] {
        let mut script = Script::default();
        let _ = Batcher::new(best, 65_507).send_run(&mut script, &[0; 300], 100);
        assert_eq!(script.calls.first(), Some(&call));
        assert_eq!(script.accepted.len(), 3);
    }
}

#[test]
fn an_empty_run_is_sent_without_a_call() {
    let mut script = Script::default();
    assert_eq!(batcher().send_run(&mut script, &[], 100), Sent { bytes: 0, outcome: Outcome::All });
    assert!(script.calls.is_empty());
}

fn step() -> impl Strategy<Value = Step> {
    let errnos = vec![
        Errno::EAGAIN,
        Errno::ENOBUFS,
        Errno::EINTR,
        Errno::EINVAL,
        Errno::EIO,
        Errno::EMSGSIZE,
        Errno::ECONNREFUSED,
        Errno::ENETUNREACH,
        Errno::EPERM,
        Errno::ENOSYS,
        Errno::EOPNOTSUPP,
    ];
    prop_oneof![
        2 => Just(Accept),
        2 => (1usize..64).prop_map(Partly),
        5 => prop::sample::select(errnos).prop_map(Fail),
    ]
}

proptest! {
    /// Whatever fails, a caller who goes on from where the sender stopped has sent the run once, in
    /// order, cut as asked.
    #[test]
    fn what_was_accepted_is_the_run_once_and_in_order(
        run in vec(any::<u8>(), 0..20_000),
        datagram in 1usize..700,
        steps in vec(step(), 0..60),
        best in prop::sample::select(&[Batching::Segmentation, Batching::Messages, Batching::Single][..]),
    ) {
        let mut script = Script::new(&steps);
        let mut batcher = Batcher::new(best, 65_507);
        let mut at = 0;
        loop {
            let before = script.accepted.iter().map(Vec::len).sum::<usize>();
            let sent = batcher.send_run(&mut script, &run[at..], datagram);
            at += sent.bytes;
            let after = script.accepted.iter().map(Vec::len).sum::<usize>();
            prop_assert_eq!(after - before, sent.bytes);
            prop_assert!(sent.bytes.is_multiple_of(datagram) || at == run.len());
            if sent.outcome == Outcome::All {
                break;
            }
        }
        let expected: Vec<_> = run.chunks(datagram).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(batcher.counters.datagrams, expected.len() as u64);
        prop_assert_eq!(batcher.counters.bytes, run.len() as u64);
        prop_assert_eq!(script.accepted, expected);
    }
}

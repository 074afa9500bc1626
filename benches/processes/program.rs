#![allow(unsafe_code, reason = "priorities, other processes' CPU clocks, and the capacity of pipes")]
//! Other programs: started, watched, stopped.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::measure::clock;

/// A program that runs until this is dropped.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts `command`; `piped`: with both standard input and output as pipes to here.
    pub(crate) fn start(command: &mut Command, piped: bool) -> io::Result<Self> {
        let stdio = || if piped { Stdio::piped() } else { Stdio::null() };
        let child = command.stdin(stdio()).stdout(stdio()).stderr(Stdio::null()).spawn()?;
        let mut program = Self { child };
        // Room for a whole frame, for every contestant alike.
        program.child.stdin.as_mut().map(widen);
        program.child.stdout.as_mut().map(widen);
        Ok(program)
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("started with pipes")
    }

    pub(crate) fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("started with pipes")
    }

    /// CPU time so far in microseconds, all threads.
    pub(crate) fn cpu(&self) -> f64 {
        let mut id = 0;
        // SAFETY: fills the clock id that it is given.
        let failed = unsafe { libc::clock_getcpuclockid(self.child.id().cast_signed(), &raw mut id) };
        assert_eq!(failed, 0, "the program has ended");
        clock(id)
    }

    /// Times that a thread of it has waited for something so far.
    pub(crate) fn waits(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let status = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
        let voluntary = status.filter_map(|status| {
            status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok())
        });
        voluntary.sum()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts this program, and those that it starts from now on, before all others. Whether the system allows it.
pub(crate) fn go_first() -> bool {
    // SAFETY: all-zero is a valid sched_param; the call reads it.
    unsafe {
        let mut first: libc::sched_param = std::mem::zeroed();
        first.sched_priority = 1;
        libc::sched_setscheduler(0, libc::SCHED_RR, &raw const first) == 0
    }
}

/// Where the end of an image stands in `bytes`.
pub(crate) fn find_end(bytes: &[u8]) -> Option<usize> {
    const EOI: [u8; 2] = [0xff, 0xd9];
    // SAFETY: reads the two slices within their lengths.
    let found = unsafe { libc::memmem(bytes.as_ptr().cast(), bytes.len(), EOI.as_ptr().cast(), EOI.len()) };
    (!found.is_null()).then(|| found.addr() - bytes.as_ptr().addr())
}

fn widen(pipe: &mut impl AsFd) {
    // SAFETY: takes numbers only. Where the system refuses, the pipe keeps its capacity.
    unsafe { libc::fcntl(pipe.as_fd().as_raw_fd(), libc::F_SETPIPE_SZ, 1 << 20) };
}

/// Waits for `seconds`.
#[allow(clippy::disallowed_methods, reason = "nothing here has anything else to do meanwhile")]
pub(crate) fn pause(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

//! One line of text that is kept up to date on a terminal.

use crate::time::{Duration, Instant};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether standard error is a terminal that can rewrite a line.
#[must_use]
pub fn stderr_is_live() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}

/// Shows the newest line of figures: on a terminal always on the same line, in a log file now and
/// then on a new one.
///
/// Log lines must go through [`LiveText::for_log`] on a terminal, or the two are mixed up. Failing
/// writes are ignored: a closed terminal is no reason to stop receiving.
#[derive(Debug)]
pub struct LiveText<W> {
    out: W,
    terminal: bool,
    /// Whether the cursor stands on a line with live text.
    standing: Arc<AtomicBool>,
    next: Option<Instant>,
}

impl<W: Write> LiveText<W> {
    /// Writes to `out`, which is a `terminal` or not.
    pub fn new(out: W, terminal: bool) -> Self {
        Self { out, terminal, standing: Arc::new(AtomicBool::new(false)), next: None }
    }

    /// When [`LiveText::show`] next has an effect; `None`: at once.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.next
    }

    /// Shows what `line` gives, if it is time for that.
    pub fn show(&mut self, now: Instant, line: impl FnOnce() -> String) {
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        self.next = Some(now + if self.terminal { TERMINAL_PERIOD } else { LOG_PERIOD });
        let line = line();
        let _ = if self.terminal {
            // Without automatic wrap a narrow window cuts the line instead of scrolling.
            let written = write!(self.out, "\r{NO_WRAP}{line}{CLEAR_REST}{WRAP}");
            self.standing.store(true, Ordering::Release);
            written.and_then(|()| self.out.flush())
        } else {
            writeln!(self.out, "{line}")
        };
    }

    /// Leaves the line that is shown as it is and goes on below it.
    pub fn finish(&mut self) {
        if self.standing.swap(false, Ordering::AcqRel) {
            let _ = writeln!(self.out);
        }
    }

    /// A writer for log lines to the same terminal: it wipes the live line first.
    pub fn for_log<L: Write>(&self, out: L) -> AboveLive<L> {
        AboveLive { out, standing: Arc::clone(&self.standing) }
    }
}

/// See [`LiveText::for_log`].
#[derive(Debug)]
pub struct AboveLive<L> {
    out: L,
    standing: Arc<AtomicBool>,
}

impl<L: Write> Write for AboveLive<L> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.standing.swap(false, Ordering::AcqRel) {
            write!(self.out, "\r{CLEAR_REST}")?;
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Twice a second is fast enough to read.
const TERMINAL_PERIOD: Duration = Duration::from_millis(500);
/// A log file should not fill up.
const LOG_PERIOD: Duration = Duration::from_secs(5);

// ECMA-48 erase in line, and DEC private mode 7 (automatic wrap).
const CLEAR_REST: &str = "\x1b[K";
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_terminal_keeps_one_line() {
        let mut live = LiveText::new(Vec::new(), true);
        live.show(at(0), || "one".into());
        live.show(at(499), || unreachable!("not due yet"));
        live.show(at(500), || "two".into());
        live.finish();
        live.finish();
        assert_eq!(
            String::from_utf8(live.out).unwrap(),
            "\r\x1b[?7lone\x1b[K\x1b[?7h\r\x1b[?7ltwo\x1b[K\x1b[?7h\n"
        );
    }

    #[test]
    fn a_log_file_gets_a_line_now_and_then() {
        let mut live = LiveText::new(Vec::new(), false);
        for second in 0..11 {
            live.show(at(second * 1000), || second.to_string());
        }
        live.finish();
        assert_eq!(String::from_utf8(live.out).unwrap(), "0\n5\n10\n");
    }

    #[test]
    fn a_log_line_wipes_the_live_line_once() {
        let mut live = LiveText::new(io::sink(), true);
        let mut log = live.for_log(Vec::new());
        log.write_all(b"before\n").unwrap();
        live.show(at(0), || "figures".into());
        log.write_all(b"warning\n").unwrap();
        log.write_all(b"more\n").unwrap();
        assert_eq!(String::from_utf8(log.out).unwrap(), "before\n\r\x1b[Kwarning\nmore\n");
    }
}

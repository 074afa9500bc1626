//! One line per event, for a terminal or for the journal.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write};

use log::{Level, LevelFilter};

/// Starts logging to `out`, which is standard error or a writer to it, at `RUST_LOG`, else at `info`.
///
/// Where standard error goes to systemd's journal, lines begin with the priority that
/// sd-daemon(3) describes; else with nothing but the level, and on a terminal with that only where
/// something is wrong.
pub fn start(out: impl Write + Send + 'static) {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let terminal = std::io::stderr().is_terminal();
    let mut builder = env_logger::Builder::new();
    builder
        .filter_level(LevelFilter::Info)
        .parse_default_env()
        .target(env_logger::Target::Pipe(Box::new(out)));
    builder.format(move |out, record| {
        let message = OneLine(record.args());
        if journal {
            return writeln!(out, "<{}>{message}", priority(record.level()));
        }
        match record.level() {
            Level::Info if terminal => writeln!(out, "{message}"),
            level => writeln!(out, "{}: {message}", level.as_str().to_lowercase()),
        }
    });
    // A second start, as in tests, finds the first one at work.
    builder.try_init().ok();
}

/// A message without anything that could begin a line of the journal or command a terminal: parts of it come
/// from cameras, files and requests.
struct OneLine<T>(T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaped(f), "{}", self.0)
    }
}

struct Escaped<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(is_command) {
            let mut rest = piece.chars();
            match rest.next_back() {
                Some(last) if is_command(last) => {
                    write!(self.0, "{}{}", rest.as_str(), last.escape_default())?
                }
                _ => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}

/// Control characters, and those by which Unicode breaks lines and turns the direction of writing.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_begins_a_line_or_commands_a_terminal() {
        // (message, as it is written)
        let cases = [
            ("", ""),
            ("Cam\u{e9}ra \u{fffd} 50 °C", "Cam\u{e9}ra \u{fffd} 50 °C"),
            ("a\n<2>sshd[1]: b\r\n", "a\\n<2>sshd[1]: b\\r\\n"),
            ("\x1b[2J\u{9b}1m\0", "\\u{1b}[2J\\u{9b}1m\\u{0}"),
            ("\u{202e}abc\u{2028}", "\\u{202e}abc\\u{2028}"),
        ];
        for (message, written) in cases {
            assert_eq!(OneLine(message).to_string(), written);
        }
    }
}

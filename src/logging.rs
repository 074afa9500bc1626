//! One line per event, for a terminal or for the journal.

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
        let message = record.args();
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

const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

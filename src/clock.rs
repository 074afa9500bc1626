//! The system's clock, for the edges only.

use crate::time::Instant;

/// Now, on `CLOCK_MONOTONIC`.
#[cfg(target_os = "linux")]
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
pub fn now() -> Instant {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Instant::ORIGIN, |t| {
        Instant::from_micros(t.tv_sec() as u64 * 1_000_000 + t.tv_nsec() as u64 / 1000)
    })
}

/// Now, on the system's monotonic clock; the origin is the first call.
#[cfg(not(target_os = "linux"))]
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
pub fn now() -> Instant {
    use std::sync::OnceLock;
    use std::time::Instant as System;
    static ORIGIN: OnceLock<System> = OnceLock::new();
    let micros = ORIGIN.get_or_init(System::now).elapsed().as_micros();
    Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

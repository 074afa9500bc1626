#![allow(unsafe_code, reason = "reads clocks that the standard library does not offer")]
//! Clocks and medians.

/// A clock's time in microseconds.
pub(crate) fn clock(id: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills the struct it is given.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// The value that `percent` of the values are not above (nearest rank).
///
/// # Panics
///
/// If there is no value.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

/// The middle value.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// What the compiler was allowed to use, which decides the cipher's speed.
pub(crate) const fn built_for() -> &'static str {
    if cfg!(target_feature = "avx2") {
        "built with AVX2"
    } else if cfg!(target_arch = "x86_64") {
        "built WITHOUT AVX2: is RUSTFLAGS set? It replaces the flags of .cargo/config.toml"
    } else {
        "built for this architecture's baseline"
    }
}

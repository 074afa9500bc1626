//! Random choices that can be made again.

use std::env;
use std::thread;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and every seed is a good one.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0..`end`; the bias is far below what any test here measures.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        ((self.next() as u128 * end as u128) >> 64) as u64
    }

    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below((high - low + 1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    /// Another generator, independent of what this one gives from now on.
    pub(crate) const fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 7);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// Runs `test` with each of `count` seeds, or with the one of `SEALCAM_SEED` alone.
pub(crate) fn for_seeds(count: u64, mut test: impl FnMut(u64)) {
    let seeds = match env::var("SEALCAM_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SEALCAM_SEED: must be a whole number");
            seed..=seed
        }
        Err(_) => 0..=count - 1,
    };
    for seed in seeds {
        let replay = Replay(seed);
        test(seed);
        drop(replay);
    }
}

/// Says how to replay the run during which the test failed.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if thread::panicking() {
            let test = thread::current().name().unwrap_or("").to_owned();
            eprintln!("replay it: SEALCAM_SEED={} cargo test --test protocol {test}", self.0);
        }
    }
}

#[test]
fn the_generator_is_splitmix64() {
    // The first outputs for seed 1234567, as published with the reference implementation.
    let mut random = Random::new(1_234_567);
    assert_eq!(random.next(), 6_457_827_717_110_365_317);
    assert_eq!(random.next(), 3_203_168_211_198_807_973);
    assert_eq!(random.next(), 9_817_491_932_198_370_423);
}

//! Pictures to measure with.

/// Slopes, edges and textures as a camera sees them, with the noise of its sensor: YUYV samples.
pub(crate) fn scene(width: u32, height: u32, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // The sum of four bytes is close enough to a normal distribution; sigma is about 2.5.
        let sum: i64 = state.to_le_bytes()[..4].iter().map(|&byte| i64::from(byte)).sum();
        (sum - 510) as f64 / 59.0
    };
    let mut samples = Vec::with_capacity(2 * (width * height) as usize);
    let shift = seed as f64 * 37.0;
    for row in 0..height {
        for column in 0..width {
            let (x, y) =
                (f64::from(column) * 1920.0 / f64::from(width), f64::from(row) * 1080.0 / f64::from(height));
            let hills = 60.0 * ((x + shift) / 310.0).sin() + 40.0 * (y / 170.0 + (x / 400.0).sin()).cos();
            let field = f64::from(((x / 120.0) as u32 * 7 + (y / 90.0) as u32 * 13 + seed as u32) % 11);
            let grain = if field > 6.0 { 14.0 * (x * 0.71).sin() * (y * 0.53 + x * 0.11).sin() } else { 0.0 };
            let luma = 118.0 + hills + 3.0 * field + grain + noise();
            let chroma = if column % 2 == 0 { (x / 260.0 + shift).sin() } else { (y / 210.0 - shift).cos() };
            samples.push(luma.clamp(16.0, 235.0) as u8);
            samples.push((128.0 + 40.0 * chroma + field + noise() * 0.7) as u8);
        }
    }
    samples
}

use super::*;

const SIZES: [(u32, u32); 9] = [
    (64, 48),
    (64, 2160),
    (3840, 48),
    (118, 80),
    (120, 120),
    (320, 240),
    (640, 480),
    (1280, 720),
    (1920, 1080),
];

#[test]
fn figures_are_written_out() {
    assert_eq!(&clock_text(Duration::from_millis(61_007)), b"01:01.007");
    assert_eq!(&clock_text(Duration::from_millis(100 * 60_000)), b"00:00.000");
    assert_eq!(&counter_text(12_345), b"0012345");
    assert_eq!(&counter_text(10_000_001), b"0000001");
}

#[test]
fn redrawing_the_moving_parts_equals_drawing_anew() {
    for layout in [Layout::Yu12, Layout::Yuyv] {
        for (width, height) in SIZES {
            let mut worn = Scene::new(layout, width, height, 30.0, "a label");
            for tick in (0..400).step_by(7) {
                worn.draw(tick, tick, Duration::from_millis(tick * 33));
            }
            let mut fresh = Scene::new(layout, width, height, 30.0, "a label");
            fresh.draw(399, 399, Duration::from_millis(399 * 33));
            let same = worn.canvas().picture().samples == fresh.canvas().picture().samples;
            assert!(same, "{width}x{height} {layout:?}");
        }
    }
}

#[test]
fn the_digits_fit() {
    for (width, height) in SIZES {
        let scene = Scene::new(Layout::Yu12, width, height, 30.0, "a label");
        let bottom = scene.clock.y.max(scene.counter.y) + lettering::CAPITAL_HEIGHT * scene.clock.scale;
        let right = |x: usize, n| x + lettering::text_width(n, scene.clock.scale);
        assert!(bottom <= height as usize, "{width}x{height}");
        assert!(right(scene.clock.x, CLOCK) <= width as usize, "{width}x{height}");
        assert!(right(scene.counter.x, COUNTER) <= width as usize, "{width}x{height}");
    }
}

#[test]
fn movement_is_even() {
    let places: Vec<usize> = (0..40).map(|tick| bounce(tick, 10, 105)).collect();
    assert!(places.windows(2).all(|pair| pair[0].abs_diff(pair[1]) == 10));
    assert_eq!(places.iter().max(), Some(&100));
    assert!((0..100).all(|tick| wrap(tick, 10, 64) <= 64));
}

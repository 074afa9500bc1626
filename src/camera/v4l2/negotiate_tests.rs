use super::super::formats::SizeOffer;
use super::*;

fn offer(code: &[u8; 4], sizes: &[(u32, u32, &[u32])]) -> Offer {
    let sizes = sizes
        .iter()
        .map(|(width, height, rates)| SizeOffer {
            extent: Extent::Exact((*width, *height)),
            rates: Rates::Exact(rates.iter().filter_map(|rate| Interval::new(1, *rate)).collect()),
        })
        .collect();
    Offer { fourcc: FourCC::new(code), description: String::new(), sizes }
}

/// A usual USB camera.
fn webcam() -> Vec<Offer> {
    vec![
        offer(b"YUYV", &[(640, 480, &[30, 15]), (1280, 720, &[10]), (1920, 1080, &[5]), (160, 120, &[30])]),
        offer(b"MJPG", &[(640, 480, &[60, 30]), (1280, 720, &[30, 24]), (1920, 1080, &[30])]),
        offer(b"H264", &[(1920, 1080, &[30])]),
    ]
}

fn best(offers: &[Offer], wish: Wish) -> String {
    modes(offers, &wish).first().map_or("none".to_owned(), ToString::to_string)
}

#[test]
fn a_wanted_mode_is_taken_where_it_is_offered() {
    let auto = FormatChoice::Auto;
    let yuyv = FormatChoice::Raw(RawFormat::Yuyv);
    // (size, fps, format, mode)
    let cases = [
        (None, None, auto, "MJPG 1280x720 at 30 fps"),
        (None, Some(24), auto, "MJPG 1280x720 at 24 fps"),
        (None, Some(60), auto, "MJPG 640x480 at 60 fps"),
        (None, None, yuyv, "YUYV 640x480 at 30 fps"),
        (Some((640, 480)), None, auto, "MJPG 640x480 at 30 fps"),
        (Some((640, 480)), Some(60), auto, "MJPG 640x480 at 60 fps"),
        (Some((640, 480)), Some(15), yuyv, "YUYV 640x480 at 15 fps"),
        (Some((640, 480)), Some(20), yuyv, "YUYV 640x480 at 30 fps"),
        (Some((160, 120)), None, auto, "YUYV 160x120 at 30 fps"),
        (Some((1920, 1080)), None, auto, "MJPG 1920x1080 at 30 fps"),
        (Some((1920, 1080)), None, FormatChoice::Mjpeg, "MJPG 1920x1080 at 30 fps"),
        (Some((1900, 1000)), None, auto, "MJPG 1920x1080 at 30 fps"),
        (Some((4000, 3000)), None, auto, "MJPG 1920x1080 at 30 fps"),
        (None, None, FormatChoice::Raw(RawFormat::Nv12), "none"),
    ];
    for (size, fps, format, expected) in cases {
        let wish = Wish { size, fps, format, compatibility_layer: false };
        assert_eq!(best(&webcam(), wish), expected, "{wish:?}");
    }
}

#[test]
fn a_raw_format_wins_where_mjpeg_is_too_slow() {
    let offers = [
        offer(b"MJPG", &[(1280, 720, &[15])]),
        offer(b"NV12", &[(1280, 720, &[60])]),
        offer(b"UYVY", &[(1280, 720, &[60])]),
    ];
    let at = |fps| Wish { size: Some((1280, 720)), fps, ..Wish::default() };
    assert_eq!(best(&offers, at(Some(60))), "UYVY 1280x720 at 60 fps");
    assert_eq!(best(&offers, at(Some(15))), "MJPG 1280x720 at 15 fps");
}

#[test]
fn a_wanted_rate_comes_before_the_format_when_no_size_is_wanted() {
    let slow_mjpeg = [offer(b"MJPG", &[(1280, 720, &[15])]), offer(b"YUYV", &[(640, 480, &[60, 30])])];
    let nearly =
        [offer(b"MJPG", &[(1280, 720, &[50])]), offer(b"UYVY", &[(640, 480, &[60]), (1280, 720, &[60])])];
    let none_reaches = [offer(b"MJPG", &[(1280, 720, &[30])]), offer(b"YUYV", &[(640, 480, &[45])])];
    let large = [offer(b"MJPG", &[(1280, 720, &[30]), (1920, 1080, &[60])])];
    let tiny = [offer(b"MJPG", &[(1280, 720, &[30])]), offer(b"YUYV", &[(160, 120, &[60])])];
    let layer = [offer(b"MJPG", &[(1280, 720, &[60])]), offer(b"NV12", &[(1280, 720, &[30])])];
    // (offers, fps, layer, mode)
    let cases: [(&[Offer], Option<u32>, bool, &str); 11] = [
        (&slow_mjpeg, Some(60), false, "YUYV 640x480 at 60 fps"),
        (&slow_mjpeg, Some(20), false, "YUYV 640x480 at 30 fps"),
        (&slow_mjpeg, Some(15), false, "MJPG 1280x720 at 15 fps"),
        (&slow_mjpeg, None, false, "MJPG 1280x720 at 15 fps"),
        (&nearly, Some(60), false, "UYVY 1280x720 at 60 fps"),
        (&nearly, Some(50), false, "MJPG 1280x720 at 50 fps"),
        (&none_reaches, Some(60), false, "YUYV 640x480 at 45 fps"),
        (&large, Some(60), false, "MJPG 1920x1080 at 60 fps"),
        // A thumbnail is not what anybody means.
        (&tiny, Some(60), false, "MJPG 1280x720 at 30 fps"),
        // MJPEG may end the layer, so there it comes last, fast or not.
        (&layer, Some(60), true, "NV12 1280x720 at 30 fps"),
        (&layer, Some(60), false, "MJPG 1280x720 at 60 fps"),
    ];
    for (offers, fps, compatibility_layer, expected) in cases {
        let wish = Wish { fps, compatibility_layer, ..Wish::default() };
        assert_eq!(best(offers, wish), expected, "{wish:?}");
    }
}

#[test]
fn without_a_wish_the_largest_that_fits_is_taken() {
    let large = [offer(b"MJPG", &[(3840, 2160, &[30]), (1920, 1080, &[30])])];
    assert_eq!(best(&large, Wish::default()), "MJPG 1920x1080 at 30 fps");
    let slow = [offer(b"YUYV", &[(1280, 720, &[10]), (640, 480, &[15]), (160, 120, &[30])])];
    assert_eq!(best(&slow, Wish::default()), "YUYV 640x480 at 15 fps");
    let useless = [offer(b"H264", &[(640, 480, &[30])]), offer(b"pBAA", &[(640, 480, &[30])])];
    assert_eq!(best(&useless, Wish::default()), "none");
}

#[test]
fn ranges_and_silence_are_answered_with_what_is_wanted() {
    let shortest = Interval::new(1, 120).unwrap();
    let longest = Interval::new(1, 5).unwrap();
    let range = Offer {
        fourcc: FourCC::new(b"YUYV"),
        description: String::new(),
        sizes: vec![SizeOffer {
            extent: Extent::Range { min: (32, 32), max: (1920, 1080), step: (2, 2) },
            rates: Rates::Range { shortest, longest },
        }],
    };
    let wish = Wish { size: Some((1001, 501)), fps: Some(25), ..Wish::default() };
    assert_eq!(best(core::slice::from_ref(&range), wish), "YUYV 1000x500 at 25 fps");
    let fast = Wish { size: Some((640, 480)), fps: Some(500), ..Wish::default() };
    assert_eq!(best(core::slice::from_ref(&range), fast), "YUYV 640x480 at 120 fps");
    assert_eq!(best(&[range], Wish::default()), "YUYV 1280x720 at 30 fps");
    let silent = [Offer { fourcc: FourCC::new(b"YUYV"), description: String::new(), sizes: Vec::new() }];
    assert_eq!(best(&silent, Wish::default()), "YUYV 1280x720 at 30 fps");
}

#[test]
fn the_compatibility_layer_is_asked_for_raw_frames() {
    let offers = [
        offer(b"MJPG", &[(1280, 720, &[30])]),
        offer(b"UYVY", &[(1280, 720, &[30])]),
        offer(b"NV12", &[(1280, 720, &[30])]),
    ];
    let wish = Wish { compatibility_layer: true, ..Wish::default() };
    assert_eq!(best(&offers, wish), "NV12 1280x720 at 30 fps");
    assert_eq!(best(&offers, Wish { size: Some((1280, 720)), ..wish }), "NV12 1280x720 at 30 fps");
    assert_eq!(best(&offers, Wish { format: FormatChoice::Mjpeg, ..wish }), "MJPG 1280x720 at 30 fps");
}

#[test]
fn a_crowded_bus_gets_the_next_smaller_mode() {
    let wish = Wish { size: Some((1920, 1080)), ..Wish::default() };
    let all = modes(&webcam(), &wish);
    let mut steps = vec![all[0]];
    while let Some(next) = next_smaller(&all, &steps[steps.len() - 1]) {
        steps.push(next);
    }
    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "MJPG 1920x1080 at 30 fps",
            "MJPG 1280x720 at 30 fps",
            "MJPG 640x480 at 30 fps",
            "YUYV 160x120 at 30 fps"
        ]
    );
}

#[test]
fn format_names_are_read_as_they_are_written() {
    for name in ["auto", "mjpeg", "yuyv", "uyvy", "nv12", "yu12", "rgb24", "grey"] {
        assert_eq!(name.parse::<FormatChoice>().map(|choice| choice.to_string()), Ok(name.to_owned()));
    }
    assert_eq!("MJPEG".parse(), Ok(FormatChoice::Mjpeg));
    let error = "h264".parse::<FormatChoice>().unwrap_err();
    assert!(error.to_string().contains("\"h264\": must be auto, mjpeg"), "{error}");
}

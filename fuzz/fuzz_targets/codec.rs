//! Broken images in libjpeg's hands: an error or a picture, and the next good image still works.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use sealcam::codec::{Decoder, PlanarPicture, Requantiser, RgbPicture};
use sealcam::jpeg::{RestartOffsets, walk};

const GOOD: &[u8] = include_bytes!("../seeds/codec/baseline.jpg");

struct Codec {
    decoder: Decoder,
    requantiser: Requantiser,
    rgb: RgbPicture,
    planes: PlanarPicture,
}

thread_local! {
    /// Used for all images, as in the programs: one must not spoil the next.
    static CODEC: RefCell<Codec> = RefCell::new(Codec {
        decoder: Decoder::new(),
        requantiser: Requantiser::new(),
        rgb: RgbPicture::default(),
        planes: PlanarPicture::default(),
    });
}

fuzz_target!(|data: &[u8]| {
    // Large pictures are slow, and no different.
    let sized = data.windows(9).filter(|w| w[0] == 0xff && matches!(w[1], 0xc0..=0xcf));
    let large = sized.map(|w| u32::from(w[5]) << 8 | u32::from(w[6])).chain([0]).max() > Some(512);
    let wide = data.windows(9).any(|w| w[0] == 0xff && matches!(w[1], 0xc0..=0xcf) && w[7] > 2);
    if large || wide {
        return;
    }
    CODEC.with_borrow_mut(|codec| {
        let quality = data.last().map_or(50, |byte| byte % 100 + 1);
        let _ = codec.decoder.decode_rgb(data, &mut codec.rgb);
        let _ = codec.decoder.decode_planar(data, &mut codec.planes);
        if let Ok(smaller) = codec.requantiser.requantise(data, quality) {
            let mut restarts = RestartOffsets::new();
            let summary = walk(smaller, &mut restarts).expect("what is written is a whole image");
            assert_eq!(summary.len, smaller.len());
        }
        codec.decoder.decode_rgb(GOOD, &mut codec.rgb).expect("a good image");
        codec.requantiser.requantise(GOOD, 20).expect("a good image");
    });
});

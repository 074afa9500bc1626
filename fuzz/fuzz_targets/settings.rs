//! Settings in JSON: an area that can be rectified, a size that a camera can have, or a message with a place.

#![no_main]

use std::fs;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use sealcam::area::Area;
use sealcam::camera::area;
use sealcam::camera::camera_config::CameraConfig;
use sealcam::camera::size::Size;

fuzz_target!(|data: &[u8]| {
    let path = PathBuf::from(format!("/dev/shm/sealcam-fuzz-settings-{}.json", std::process::id()));
    fs::write(&path, data).expect("a temporary file");
    match area::read(&path) {
        Ok(area) => {
            let (width, height) = area.output_size();
            assert!(Area::SIDES.contains(&width) && Area::SIDES.contains(&height));
        }
        Err(error) => assert!(error.to_string().contains("sealcam-fuzz-settings")),
    }
    match CameraConfig::read(&path) {
        Ok(config) => {
            let fits = |size: Size| Size::SIDES.contains(&size.width) && Size::SIDES.contains(&size.height);
            assert!(config.size.is_none_or(fits));
            assert!(config.fps.is_none_or(|fps| (1.0..=240.0).contains(&fps)));
        }
        Err(error) => assert!(error.to_string().contains("sealcam-fuzz-settings")),
    }
});

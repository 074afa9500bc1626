//! A configuration file: settings that can run and are printed as a file that means the same, or a message
//! with a place.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sealcam::camera::file_config::{self, Effective};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("/nonexistent/sealcam.toml");
    match file_config::parse(path, text) {
        Ok(config) => {
            assert!(!config.stream.sources.is_empty());
            let printed = Effective(&config).to_string();
            let again = file_config::parse(path, &printed).unwrap_or_else(|why| panic!("{why}\n{printed}"));
            assert_eq!(Effective(&again).to_string(), printed);
        }
        Err(why) => assert!(why.to_string().starts_with("/nonexistent/")),
    }
});

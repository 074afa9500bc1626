//! Key files: a key, or a message that does not quote one.

#![no_main]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use sealcam::keys::key_file;

fuzz_target!(|data: &[u8]| {
    let path = PathBuf::from(format!("/dev/shm/sealcam-fuzz-{}.key", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).expect("a file");
    file.write_all(data).expect("a temporary file");
    match key_file::read(&path) {
        Ok(key) => {
            // What is written for the key is read as the same key.
            let copy = path.with_extension("copy");
            fs::remove_file(&copy).ok();
            key_file::create(&copy, key.expose()).expect("a new file");
            assert_eq!(key_file::read(&copy).expect("a whole key").expose(), key.expose());
            fs::remove_file(&copy).ok();
        }
        Err(error) => {
            let said = error.to_string();
            let quotes = |line: &[u8]| {
                let is_key = line.starts_with(b"sealkey1") && line.len() > 20;
                is_key && said.as_bytes().windows(line.len()).any(|part| part == line)
            };
            assert!(!data.split(|byte| *byte == b'\n').any(quotes), "{said}");
        }
    }
});

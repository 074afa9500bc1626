//! What comes to the doors of the service: a request, more to wait for, or an answer that refuses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sealcam::camera::control;
use sealcam::camera::http;
use sealcam::camera::server::LONGEST_REQUEST;

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(LONGEST_REQUEST)];
    match control::parse(data) {
        Ok(request) => assert_eq!(request.is_some(), data.contains(&b'\n')),
        Err(refusal) => {
            let line = refusal.to_line();
            assert!(!refusal.ok && line.iter().filter(|byte| **byte == b'\n').count() == 1);
        }
    }
    // Nothing waits for more than a request may have.
    assert!(data.len() < LONGEST_REQUEST || http::parse(data) != http::Request::More);
});

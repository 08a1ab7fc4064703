//! The head of an update, which somebody uploads, and the line that the image's script reports.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_site::appliance::update::{HEAD_BYTES, UpdateState, looks_like_one};
use perch_site::fuzzing::update_state;

fuzz_target!(|input: &[u8]| {
    if looks_like_one(input) {
        assert!(input.len() == HEAD_BYTES && input.starts_with(b"SHA256SUMS\0"));
    }
    if let UpdateState::Refused(words) = update_state(&String::from_utf8_lossy(input)) {
        assert!(words.chars().count() <= 500 && !words.contains(char::is_control));
    }
});

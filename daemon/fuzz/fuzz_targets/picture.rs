//! An uploaded picture of any content: refused in words, or kept as a JPEG of the size that was asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_site::fuzzing::picture;

fuzz_target!(|input: &[u8]| {
    if let Ok(jpeg) = picture(input) {
        assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
    }
});

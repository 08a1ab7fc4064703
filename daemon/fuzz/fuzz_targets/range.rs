//! `Range` headers of any content, and files of any length: what is sent lies in the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_web::fuzzing::range;

fuzz_target!(|input: (u64, &[u8])| {
    let (length, header) = input;
    if let Some(Some((first, last))) = range(header, length) {
        assert!(first <= last && last < length);
        assert_eq!(range(format!("bytes={first}-{last}").as_bytes(), length), Some(Some((first, last))));
    }
});

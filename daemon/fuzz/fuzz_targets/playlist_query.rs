//! The query of a playlist: a segment to wait for reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_web::fuzzing::playlist_query;

fuzz_target!(|query: &str| {
    if let Some(Some(sequence)) = playlist_query(query) {
        assert_eq!(playlist_query(&format!("_HLS_msn={sequence}")), Some(Some(sequence)));
    }
});

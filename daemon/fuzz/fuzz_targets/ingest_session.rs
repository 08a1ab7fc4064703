//! A program that publishes by RTMP and sends anything: what it says does not depend on how its bytes were cut, memory is bounded, and times only increase.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_studio::ingest::fuzzing::behind_the_socket;

fuzz_target!(|input: &[u8]| {
    let Some((&piece, sent)) = input.split_first() else { return };
    let (in_pieces, one) = (behind_the_socket(sent, usize::from(piece) + 1), behind_the_socket(sent, usize::MAX));
    assert_eq!(in_pieces, one);
});

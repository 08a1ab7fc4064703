//! A server that streams are sent on to, and that says anything: what comes of it does not depend on how its bytes were cut, and memory is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_studio::relay::fuzzing::behind_the_socket;

fuzz_target!(|input: &[u8]| {
    let Some((&piece, sent)) = input.split_first() else { return };
    let (in_pieces, why) = behind_the_socket(sent, usize::from(piece) + 1);
    let (at_once, also_why) = behind_the_socket(sent, usize::MAX);
    assert_eq!(why, also_why);
    // What came with an error in one piece is not told.
    assert!(why.is_some() || in_pieces == at_once);
});

//! Foreign transport streams of any content, in pieces of any size: the same pictures and sound come out however the stream was cut, and memory is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_media::mpegts::{Demuxer, Found};

fuzz_target!(|input: &[u8]| {
    let Some((&piece_bytes, stream)) = input.split_first() else { return };
    let (in_pieces, one) = (demux(stream, usize::from(piece_bytes) + 1), demux(stream, usize::MAX));
    assert_eq!(in_pieces, one);
    let bytes: usize = one
        .iter()
        .map(|found| match found {
            Found::Picture(picture) => picture.data.len(),
            Found::Sound(sound) => sound.data.len(),
            Found::Lost => 0,
        })
        .sum();
    assert!(bytes <= stream.len(), "no byte comes out twice");
});

fn demux(stream: &[u8], piece_bytes: usize) -> Vec<Found> {
    let mut demuxer = Demuxer::new();
    let mut found = Vec::new();
    for piece in stream.chunks(piece_bytes) {
        demuxer.push(piece);
        found.extend(std::iter::from_fn(|| demuxer.next_found()));
    }
    demuxer.flush();
    found.extend(std::iter::from_fn(|| demuxer.next_found()));
    // Says why there is nothing, or no sound, whatever came.
    let _ = (demuxer.problem().map(|problem| problem.to_string()), demuxer.sound_problem().map(|problem| problem.to_string()));
    found
}

//! Bodies of FLV tags of any content, each behind its length in two bytes, video and sound: pictures come out in Annex B, and nothing is longer than what went in but for start codes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_media::flv::{TagReader, Video};

fuzz_target!(|input: &[u8]| {
    let (mut reader, mut rest) = (TagReader::default(), input);
    while let Some((&[high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high & 0x7f, low])).min(after.len());
        let (body, after) = after.split_at(length);
        rest = after;
        if high & 0x80 != 0 {
            if let Ok(Some(sound)) = reader.sound(body.to_vec()) {
                assert!(!sound.data.is_empty() && sound.data.len() < body.len());
            }
        } else if let Ok(Some(video)) = reader.video(body.to_vec()) {
            let (Video::ParameterSets(data) | Video::Picture { data, .. }) = video;
            assert!(data.is_empty() || data.starts_with(&[0, 0, 0, 1]), "{:?}", &data[..4]);
            // A length may have one byte where a start code has four.
            assert!(data.len() <= 4 * body.len());
        }
    }
});

//! Lays down a recording of ten hours and 18 GB for a perchd that has yet to be started: its index is whole, its media are a hole in a file.
//!
//!     cargo run --release -p perch-studio --example ten_hours -- CLIP DATA_DIR
//!
//! CLIP: H.264 with a picture size to tell. Prints the stream's id.

use perch_media::access_unit::AccessUnitAssembler;
use perch_media::cmaf::init_segment;
use perch_media::recording::index::{Encoder, Header};
use perch_media::recording::{Break, Fragment, Mark, Run, SampleEntry};
use perch_media::time::MediaTime;
use perch_store::{
    EndReason, NewStream, NewUser, PasswordHash, Recording, RecordingState, Role, Store, StoreError, Stream,
    Timestamp, VideoMode, Visibility,
};
use std::error::Error;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

const SECONDS: u32 = 10 * 3600;
const PICTURES: u32 = 30;
/// Of a second of media, at 4 Mb/s.
const SECOND_BYTES: u32 = 500_000;
/// Of a clip: its first picture is in them.
const LOOKED_AT: u64 = 4 << 20;
/// When it was recorded, in milliseconds: 2026-01-01.
const STARTED: i64 = 1_767_225_600_000;
const NAME: &str = "2026-01-01 00.00 Ten hours";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [clip, data_dir] = &arguments[..] else { return Err("usage: ten_hours CLIP DATA_DIR".into()) };
    let mut bytes = Vec::new();
    File::open(clip)?.take(LOOKED_AT).read_to_end(&mut bytes)?;
    let mut assembler = AccessUnitAssembler::new(0);
    let now = MediaTime::from_ticks(0);
    assembler.push_bytes(bytes.into(), now..=now);
    let picture = assembler.next_unit().ok_or("there is no picture in the clip")?;
    let init = init_segment(&picture.format, None);

    let folder = Path::new(data_dir).join("recordings");
    std::fs::create_dir_all(&folder)?;
    let store = Store::open(&Path::new(data_dir).join("perch.redb"))?;
    let stream = ended_stream(&store)?.facts.id;
    let header = Header { stream: stream.number().to_be_bytes(), part: 1, init_bytes: init.len() as u32 };
    let (index, length) = index(&header);
    let mut media = File::create(folder.join(format!("{NAME}.mp4")))?;
    media.write_all(&init)?;
    media.set_len(length)?;
    std::fs::write(folder.join(format!("{NAME}.index")), &index)?;
    store.put_recording(&Recording {
        stream,
        name: NAME.to_owned(),
        parts: 1,
        bytes: length + index.len() as u64,
        duration_ms: u64::from(SECONDS) * 1000,
        started_at: Timestamp::from_unix_millis(STARTED),
        state: RecordingState::Ended,
        is_pinned: true,
        is_date_provisional: false,
        is_name_outdated: false,
    })?;
    println!("{stream}");
    Ok(())
}

fn ended_stream(store: &Store) -> Result<Stream, StoreError> {
    let (started, ended) = (STARTED, STARTED + i64::from(SECONDS) * 1000);
    let user = NewUser {
        username: "bench".to_owned(),
        full_name: String::new(),
        email: String::new(),
        password: PasswordHash::new("$"),
    };
    let user = store.add_user(&user, Role::Owner, Timestamp::from_unix_millis(started))?.id;
    let new = NewStream {
        user,
        title: "Ten hours".to_owned(),
        description: String::new(),
        topics: Vec::new(),
        camera: "bench".to_owned(),
        mode: VideoMode { width: 1280, height: 720, frames_per_second: PICTURES, bitrate_kbps: 4000 },
        duration_seconds: None,
        record: true,
        visibility: Visibility::Public,
        relays: Vec::new(),
    };
    let stream = store.start_stream(&new, Timestamp::from_unix_millis(started))?;
    store.end_stream(stream.facts.id, EndReason::User, Timestamp::from_unix_millis(ended))?;
    Ok(stream)
}

/// The index of its one part, and where that ends.
fn index(header: &Header) -> (Vec<u8>, u64) {
    let (mut bytes, mut encoder) = (header.encode(), Encoder::new(header));
    let mut at = u64::from(header.init_bytes);
    for second in 0..SECONDS {
        let sample = |picture: u32| SampleEntry {
            bytes: SECOND_BYTES / PICTURES - 40 + picture % 7,
            duration: 3000,
            composition_offset: 0,
            is_key: picture == 0,
        };
        let mark = Mark {
            begins_segment: second % 2 == 0,
            is_independent: true,
            before: Break::None,
            stream_offset_ms: u64::from(second) * 1000,
            wall_ms: STARTED + i64::from(second) * 1000,
        };
        let samples = (0..PICTURES).map(sample).collect();
        let video = Run { decode_time: u64::from(second) * 90_000, data_at: 400, samples };
        encoder.push(&Fragment { at, bytes: SECOND_BYTES, mark, video, audio: None }, &mut bytes);
        at += u64::from(SECOND_BYTES);
    }
    (bytes, at)
}

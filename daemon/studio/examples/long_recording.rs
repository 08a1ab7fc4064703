//! Makes a data directory with one long recording, as a power cut left it: for measuring recovery, playlists, seeking and downloads.
//!
//! `long_recording DATA_DIR FILE.h264 FRAMES_PER_SECOND HOURS`
//!
//! FILE's pictures (Annex B, a GOP of a second or so, no B-frames) are repeated. The account is `olive`: give it a password with `perchd user passwd olive`.

use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::cmaf::{FragmentBuilder, init_segment};
use perch_media::recording::Mark;
use perch_media::recording::index::{Encoder, Header};
use perch_media::time::{MediaDuration, MediaTime};
use perch_store::{
    EndReason, NewStream, NewUser, PasswordHash, Recording, RecordingState, Store, StreamId, Timestamp,
    VideoMode, Visibility,
};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// 2026-11-28, 07:30 UTC.
const BEGAN: i64 = 1_795_851_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data_dir, file, rate, hours] = &arguments[..] else {
        return Err("usage: long_recording DATA_DIR FILE.h264 FRAMES_PER_SECOND HOURS".into());
    };
    let units = units(Path::new(file))?;
    let ticks = MediaDuration::from_ticks((MediaTime::HZ as f64 / rate.parse::<f64>()?) as i64);
    let seconds = (hours.parse::<f64>()? * 3600.0) as u64;
    let folder = Path::new(data_dir).join("recordings");
    std::fs::create_dir_all(&folder)?;
    let store = Store::open(&Path::new(data_dir).join("perch.redb"))?;
    let stream = stream(&store)?;
    let id = stream.to_string();
    let name = format!("2026-11-28 07.30 Long {}", &id[id.len() - 6..]);
    write(&folder, &name, stream, &units, ticks, seconds)?;
    store.put_recording(&Recording {
        stream,
        name,
        parts: 1,
        bytes: 0,
        duration_ms: 0,
        started_at: Timestamp::from_unix_millis(BEGAN),
        state: RecordingState::Recording,
        is_pinned: false,
        is_date_provisional: false,
        is_name_outdated: false,
    })?;
    println!("{id}");
    Ok(())
}

fn stream(store: &Store) -> Result<StreamId, Box<dyn Error>> {
    let began = Timestamp::from_unix_millis(BEGAN);
    let owner = NewUser {
        username: "olive".to_owned(),
        full_name: String::new(),
        email: String::new(),
        password: PasswordHash::new("none yet"),
    };
    let new = NewStream {
        user: store.create_owner(&owner, began)?.id,
        title: "Long".to_owned(),
        description: String::new(),
        topics: Vec::new(),
        camera: "front".to_owned(),
        mode: VideoMode { width: 1280, height: 720, frames_per_second: 30, bitrate_kbps: 4000 },
        duration_seconds: None,
        record: true,
        visibility: Visibility::Public,
        relays: Vec::new(),
    };
    let stream = store.start_stream(&new, began)?.facts.id;
    store.stream_live(stream, began)?;
    store.end_stream(stream, EndReason::User, began)?;
    Ok(stream)
}

fn units(file: &Path) -> Result<Vec<AccessUnit>, Box<dyn Error>> {
    let mut assembler = AccessUnitAssembler::new(0);
    assembler.push_bytes(std::fs::read(file)?.into(), MediaTime::default()..=MediaTime::default());
    let mut units: Vec<_> = std::iter::from_fn(|| assembler.next_unit()).collect();
    units.extend(assembler.flush());
    if units.is_empty() { Err("no pictures in the file".into()) } else { Ok(units) }
}

fn write(
    folder: &Path,
    name: &str,
    stream: StreamId,
    units: &[AccessUnit],
    ticks: MediaDuration,
    seconds: u64,
) -> Result<(), Box<dyn Error>> {
    let init = init_segment(&units[0].format, None);
    let header =
        Header { stream: stream.number().to_be_bytes(), part: 1, init_bytes: u32::try_from(init.len())? };
    let mut media = BufWriter::with_capacity(1 << 20, File::create(folder.join(format!("{name}.mp4")))?);
    let mut index = BufWriter::new(File::create(folder.join(format!("{name}.index")))?);
    media.write_all(&init)?;
    index.write_all(&header.encode())?;
    let mut builder = FragmentBuilder::new(units[0].format.clone(), None);
    let (mut encoder, mut at) = (Encoder::new(&header), init.len() as u64);
    let (mut bytes, mut record) = (Vec::new(), Vec::new());
    let length = seconds * MediaTime::HZ.cast_unsigned();
    let mut fragment_began = 0;
    for unit in units.iter().cycle() {
        let is_due = builder.video_end() - fragment_began >= MediaTime::HZ.cast_unsigned() || unit.is_entry();
        if is_due && !builder.is_empty() {
            let offset = fragment_began * 1000 / MediaTime::HZ.cast_unsigned();
            let wall_ms = BEGAN + offset.cast_signed();
            let mark = Mark {
                begins_segment: true,
                is_independent: true,
                stream_offset_ms: offset,
                wall_ms,
                ..Mark::default()
            };
            let fragment = builder.finish(mark, at, &mut bytes).ok_or("no pictures")?;
            encoder.push(&fragment, &mut record);
            at += bytes.len() as u64;
            media.write_all(&bytes)?;
            index.write_all(&record)?;
            bytes.clear();
            record.clear();
            fragment_began = builder.video_end();
        }
        if fragment_began >= length {
            break;
        }
        builder.push_video(unit, ticks);
    }
    // What a power cut tears.
    media.write_all(b"\0\0\x10\0uuid")?;
    media.flush()?;
    index.flush()?;
    Ok(())
}

//! A recording as the recorder leaves it on the card, made in no time: pictures of ffmpeg in fragments of one second.

use super::people::{NO_LIMITS, Person};
use super::{Daemon, run};
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::cmaf::{FragmentBuilder, init_segment};
use perch_media::recording::index::{Encoder, Header};
use perch_media::recording::{Break, Mark};
use perch_media::time::{MediaDuration, MediaTime};
use perch_store::{NewMessage, Recording, RecordingState, Store, StreamId, Timestamp};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

const FRAMES_PER_SECOND: i64 = 15;
const PERIOD: i64 = MediaTime::HZ / FRAMES_PER_SECOND;
/// 2026-11-28T07:30:00Z.
const STARTED: i64 = 1_795_851_000_000;
/// What its files are called.
pub const NAME: &str = "2026-11-28 07.30 Nest box";
/// Seconds of pictures.
pub const SECONDS: u32 = 20;
/// The stream paused here, seconds into the recording, for [`PAUSE`].
pub const SEAM: u32 = 10;
/// Seconds.
pub const PAUSE: u32 = 60;

/// What was said, and at which second of the recording.
pub const MESSAGES: [(u32, &str); 3] =
    [(2, "Good morning"), (8, "Here she comes"), (14, "Back after a break")];

/// The brightness of the band along the upper sixth of the picture, luma of limited range: it tells the second.
pub const fn band(second: u64) -> u8 {
    (30 + second * 37 % 180) as u8
}

/// One camera that is off until somebody goes live.
pub const CAMERA: &str = r#"
[[camera]]
name = "front"
source = "test-pattern"
width = 320
height = 240
frames_per_second = 15
"#;

/// A daemon's configuration for tests that ask faster than people do.
pub fn config() -> String {
    format!("{CAMERA}{NO_LIMITS}")
}

/// Has the owner olga go live as asked and stop, and lays a recording of the stream beside it; the stream's id. No daemon runs before or after.
pub fn make(dir: &Path, visibility: &str) -> String {
    let daemon = Daemon::start_in(dir, &config());
    let owner = if daemon.data_dir.join("setup-code").exists() {
        Person::owner(&daemon, "olga")
    } else {
        Person::login(&daemon, "olga")
    };
    let started = owner.post("/api/v1/streams", &json!({"title": "Nest box", "visibility": visibility}));
    assert_eq!(started.status, 201, "{}", started.text());
    let id = started.json()["id"].as_str().unwrap().to_owned();
    // Answered with the first segment.
    assert_eq!(owner.get(&format!("/media/{id}/index.m3u8")).status, 200);
    // The store learns a moment later that it is live, and lists no stream that never was.
    daemon.logged("on the air");
    assert_eq!(owner.post(&format!("/api/v1/streams/{id}/stop"), &json!({})).status, 200);
    let data_dir = daemon.data_dir.clone();
    assert_eq!(daemon.stop(), Some(0));
    lay_down(&data_dir, id.parse().unwrap());
    id
}

fn lay_down(data_dir: &Path, stream: StreamId) {
    let folder = data_dir.join("recordings");
    std::fs::create_dir_all(&folder).unwrap();
    let name = format!("{NAME} {}", &stream.to_string()[20..]);
    let (media, index) = recording(&folder, stream);
    std::fs::write(folder.join(format!("{name}.mp4")), &media).unwrap();
    std::fs::write(folder.join(format!("{name}.index")), &index).unwrap();
    let store = Store::open(&data_dir.join("perch.redb")).unwrap();
    let recording = Recording {
        stream,
        name,
        parts: 1,
        bytes: (media.len() + index.len()) as u64,
        duration_ms: u64::from(SECONDS) * 1000,
        started_at: Timestamp::from_unix_millis(STARTED),
        state: RecordingState::Ended,
        is_pinned: false,
        is_date_provisional: false,
        is_name_outdated: false,
    };
    store.put_recording(&recording).unwrap();
    let user = store.user_by_name("olga").unwrap().id;
    let said = MESSAGES.map(|(second, text)| NewMessage {
        stream,
        user,
        offset_ms: u64::from(if second < SEAM { second } else { second + PAUSE }) * 1000,
        text: text.to_owned(),
    });
    store.append_messages(&said, Timestamp::from_unix_millis(STARTED)).unwrap();
}

/// The bytes of its one part, and of the index beside it.
fn recording(dir: &Path, stream: StreamId) -> (Vec<u8>, Vec<u8>) {
    let units = pictures(dir);
    let mut media = init_segment(&units[0].format, None);
    let header = Header { stream: stream.number().to_be_bytes(), part: 1, init_bytes: media.len() as u32 };
    let (mut index, mut encoder) = (header.encode(), Encoder::new(&header));
    let mut builder = FragmentBuilder::new(Arc::clone(&units[0].format), None);
    for (second, some) in (0..).zip(units.chunks(FRAMES_PER_SECOND as usize)) {
        for unit in some {
            builder.push_video(unit, MediaDuration::from_ticks(PERIOD));
        }
        let into = u64::from(if second < SEAM { second } else { second + PAUSE }) * 1000;
        let mark = Mark {
            begins_segment: second % 2 == 0,
            is_independent: true,
            before: if second == SEAM { Break::Seam } else { Break::None },
            stream_offset_ms: into,
            wall_ms: STARTED + into.cast_signed(),
        };
        let fragment = builder.finish(mark, media.len() as u64, &mut media).unwrap();
        encoder.push(&fragment, &mut index);
    }
    (media, index)
}

fn pictures(dir: &Path) -> Vec<AccessUnit> {
    let (size, length) = ("s=320x240", format!("r={FRAMES_PER_SECOND}:d={SECONDS}"));
    let source = format!(
        "testsrc2={size}:{length},format=yuv420p[pattern];color=s=8x8:{length},format=yuv420p,geq=lum='30+mod(floor(T)*37\\,180)':cb=128:cr=128,\
         scale=320:40:flags=neighbor[band];[pattern][band]overlay=0:0"
    );
    let x264 = "slices=1:keyint=15:min-keyint=15:scenecut=0:bframes=0";
    let options = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        &source,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
    ];
    let coded = ["-profile:v", "baseline", "-x264-params", x264, "-f", "h264", "-"];
    let stream = run("ffmpeg", &[&options[..], &coded].concat(), dir).stdout;
    let mut assembler = AccessUnitAssembler::with_frame_rate(0, Some(FRAMES_PER_SECOND as f64));
    let mut units = Vec::new();
    for (number, picture) in (0..).zip(split(&stream)) {
        let now = MediaTime::from_ticks(number * PERIOD);
        assembler.push_bytes(picture.to_vec().into(), now..=now);
        units.extend(std::iter::from_fn(|| assembler.next_unit()));
    }
    units.extend(assembler.flush());
    assert_eq!(i64::try_from(units.len()).unwrap(), i64::from(SECONDS) * FRAMES_PER_SECOND);
    units
}

/// The stream cut after each slice (NAL unit types 1 and 5).
fn split(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..stream.len() - 3).filter(|&at| stream[at..at + 3] == [0, 0, 1]).collect();
    let mut pictures = Vec::new();
    let mut begin = 0;
    for (start, next) in starts.iter().zip(starts.iter().skip(1).copied().chain([stream.len()])) {
        if matches!(stream[start + 3] & 31, 1 | 5) {
            let end = if next < stream.len() && stream[next - 1] == 0 { next - 1 } else { next };
            pictures.push(&stream[begin..end]);
            begin = end;
        }
    }
    pictures
}

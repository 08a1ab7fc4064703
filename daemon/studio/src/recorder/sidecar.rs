//! The sidecar: a `.json` file that describes a recording to people and programs that find it without Perch. Perch itself does not read it.

use perch_store::{Recording, RecordingState, Stream, Timestamp, User};
use serde_json::json;
use time::OffsetDateTime;

/// The file's text.
pub(super) fn text(recording: &Recording, stream: &Stream, streamer: &User) -> String {
    let parts: Vec<_> = (1..=recording.parts)
        .map(|part| {
            if part == 1 {
                format!("{}.mp4", recording.name)
            } else {
                format!("{} part {part}.mp4", recording.name)
            }
        })
        .collect();
    let described = json!({
        "made_by": "Perch",
        "title": stream.details.title,
        "description": stream.details.description,
        "streamer": streamer.username,
        "stream": recording.stream.to_string(),
        "started": date_time(recording.started_at),
        "is_date_provisional": recording.is_date_provisional,
        "ended": stream.facts.ended_at.map(date_time),
        "has_ended": recording.state == RecordingState::Ended,
        "duration_seconds": recording.duration_ms as f64 / 1000.0,
        "files": parts,
    });
    format!("{described:#}\n")
}

/// RFC 3339, to the second.
fn date_time(at: Timestamp) -> String {
    let utc = OffsetDateTime::from_unix_timestamp(at.unix_millis().div_euclid(1000));
    let utc = utc.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = utc.to_calendar_date();
    let (hour, minute, second) = utc.to_hms();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

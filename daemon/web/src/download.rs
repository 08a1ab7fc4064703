//! `/media/{stream}/recording.mp4`: a recording as one MP4 file, or the clip of it that `from` and `to` ask for, under a name that people understand
//! (RFC 6266).

use super::body::Body;
use super::file_answer::{Asked, file_answer};
use super::file_body::{Computed, Content, FileRange, Write};
use super::problem::Problem;
use super::state::State;
use http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_DISPOSITION};
use http::{HeaderValue, Response};
use perch_site::recordings::{self, Playable};
use perch_studio::playback::{Download, DownloadError};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A clip may end this late; no recording does.
const LATEST: Duration = Duration::from_secs(u32::MAX as u64);

/// Answers with the file, or with a range of it.
pub(super) async fn answer(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    if playable.files.is_growing {
        return Err(Problem::NotLive(
            "this recording can be downloaded when the stream has ended".to_owned(),
        ));
    }
    let clip = clip_of(asked.query)?;
    let wanted = clip.clone();
    let planned =
        recordings::read(&state.site, playable, move |_, files| match Download::plan(files, wanted) {
            Ok(download) => Ok(Some(Arc::new(download))),
            Err(DownloadError::Nothing) => Ok(None),
            Err(DownloadError::Io(error)) => Err(error),
        });
    let download = planned
        .await?
        .ok_or_else(|| Problem::InvalidQuery("nothing was recorded at that time".to_owned()))?;
    let length = download.bytes();
    let from_to = clip
        .as_ref()
        .map_or_else(String::new, |clip| format!("-{}-{}", clip.start.as_millis(), clip.end.as_millis()));
    let tag = format!("\"{}-mp4-{length:x}{from_to}\"", asked.stream);
    let mut response = file_answer(content(&download), length, &tag, asked.headers)?;
    let name = file_name(&playable.stream.details.title, &playable.recording.name, clip.as_ref());
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, attachment(&name));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Content-Disposition, Content-Range"),
    );
    Ok(response)
}

fn content(download: &Arc<Download>) -> Vec<Content> {
    let making = Arc::clone(download);
    let write: Arc<Write> = Arc::new(move |mut out| making.write_head(&mut out));
    let head = Computed { write, at: 0, length: download.head_bytes() };
    let media = download.media().map(|(file, Range { start, end })| {
        Content::File(FileRange { file, at: start, length: end - start })
    });
    std::iter::once(Content::Computed(head)).chain(media).collect()
}

/// The clip that a query asks for: `from` and `to` in seconds of the recording. `None`: all of it.
fn clip_of(query: &str) -> Result<Option<Range<Duration>>, Problem> {
    let (mut from, mut to) = (None, None);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let seconds = || {
            let seconds =
                value.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            seconds.filter(|time| *time <= LATEST).ok_or(Problem::Query("from and to must be seconds"))
        };
        match name {
            "from" => from = Some(seconds()?),
            "to" => to = Some(seconds()?),
            // Others, as players add them to pass a cache, change nothing.
            _ => {}
        }
    }
    match (from, to) {
        (None, None) => Ok(None),
        (from, to) => {
            let clip = from.unwrap_or_default()..to.unwrap_or(LATEST);
            if clip.is_empty() { Err(Problem::Query("from must be less than to")) } else { Ok(Some(clip)) }
        }
    }
}

/// `Nest box, 2026-11-28 07.30.mp4`. `name`: what the recording's files are called, which begins with its local date.
fn file_name(title: &str, name: &str, clip: Option<&Range<Duration>>) -> String {
    // No file system takes these in a name.
    let safe: String = title
        .chars()
        .map(|letter| if letter.is_control() || r#"\/:*?"<>|"#.contains(letter) { ' ' } else { letter })
        .collect();
    let safe = safe.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = safe.trim_matches('.');
    let mut out = if title.is_empty() { "Recording".to_owned() } else { title.to_owned() };
    if let Some(date) = name.get(..16) {
        out.push_str(", ");
        out.push_str(date);
    }
    if let Some(Range { start, end }) = clip {
        let _ = write!(out, ", clip from {}", clock(*start));
        if *end < LATEST {
            let _ = write!(out, " to {}", clock(*end));
        }
    }
    out.push_str(".mp4");
    out
}

/// `1.02.03`: hours, minutes, seconds. A colon is not allowed in a name.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}.{:02}.{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The header for a file of this name (RFC 6266 §4.3, RFC 8187): in full, and in ASCII for old programs.
fn attachment(name: &str) -> HeaderValue {
    let ascii: String =
        name.chars().map(|letter| if letter.is_ascii() && letter != '%' { letter } else { '_' }).collect();
    let mut full = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            full.push(char::from(byte));
        } else {
            let _ = write!(full, "%{byte:02X}");
        }
    }
    let header = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{full}");
    HeaderValue::try_from(header).expect("neither has quotes or control characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(from: f64, to: f64) -> Range<Duration> {
        Duration::from_secs_f64(from)..Duration::from_secs_f64(to)
    }

    #[test]
    fn clips_are_asked_for_in_seconds() {
        assert_eq!(clip_of(""), Ok(None));
        assert_eq!(clip_of("v=7"), Ok(None));
        assert_eq!(clip_of("from=1.5&to=20"), Ok(Some(seconds(1.5, 20.0))));
        assert_eq!(clip_of("to=20"), Ok(Some(seconds(0.0, 20.0))));
        assert_eq!(clip_of("from=3"), Ok(Some(Duration::from_secs(3)..LATEST)));
        for wrong in
            ["from=-1", "from=x", "to=", "from=NaN", "to=inf", "from=1e300", "from=2&to=2", "from=3&to=2"]
        {
            assert!(matches!(clip_of(wrong), Err(Problem::Query(_))), "{wrong}");
        }
    }

    #[test]
    fn names_are_for_people_and_for_every_file_system() {
        let name = "2026-11-28 07.30 Nest box X3W4NM";
        assert_eq!(file_name("Nest box", name, None), "Nest box, 2026-11-28 07.30.mp4");
        assert_eq!(
            file_name("Owls: \"day\" 2/3…", name, Some(&seconds(10.0, 3725.9))),
            "Owls day 2 3…, 2026-11-28 07.30, clip from 0.00.10 to 1.02.05.mp4"
        );
        assert_eq!(file_name("..", "x", None), "Recording.mp4");
    }

    #[test]
    fn a_name_goes_out_in_full_and_in_ascii() {
        let said = attachment("Frühling, 100 %.mp4");
        assert_eq!(
            said.to_str().unwrap(),
            "attachment; filename=\"Fr_hling, 100 _.mp4\"; filename*=UTF-8''Fr%C3%BChling%2C%20100%20%25.mp4"
        );
    }
}

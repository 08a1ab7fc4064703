//! `/media/{stream}/recording.mp4`: a recording as one MP4 file, or the clip between `from` and `to`, with a readable file name (RFC 6266).
//!
//! For a growing recording the file contains the fragments that are whole by now. Its tag contains their number, so that a client that resumes a
//! download (`If-Range`) gets the rest of the same file, however long the recording is by then.

use super::body::Body;
use super::file_answer::{Asked, file_answer};
use super::file_body::{Compute, Computed, Content, FileRange};
use super::problem::Problem;
use super::state::State;
use http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_DISPOSITION, IF_RANGE};
use http::{HeaderValue, Response};
use perch_site::recordings::{self, Playable};
use perch_studio::playback::{Download, DownloadError, DownloadHead};
use perch_studio::recorder::safe_title;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::time::Duration;

/// Latest end of a clip, far beyond any recording.
const LATEST: Duration = Duration::from_secs(u32::MAX as u64);
/// Bytes of the title in a name. File systems take names of 255 bytes; dates and the times of a clip take up to 60.
const TITLE_BYTES: usize = 120;

/// Answers with the file, or with a range of it.
pub(super) async fn answer(
    state: &State,
    asked: &Asked<'_>,
    playable: &Playable,
) -> Result<Response<Body>, Problem> {
    let clip = clip_of(asked.query)?;
    let from_to = clip
        .as_ref()
        .map_or_else(String::new, |clip| format!("-{}-{}", clip.start.as_millis(), clip.end.as_millis()));
    let tag_begins = format!("\"{}-mp4{from_to}-", asked.stream);
    let (stream, wanted, begun) = (asked.stream, clip.clone(), begun(asked, &tag_begins));
    let planned = recordings::read(&state.site, playable, move |playback, files| {
        let plan = |until| match playback.download(stream, files, wanted.clone(), until) {
            Ok(download) => Ok(Some(download)),
            Err(DownloadError::Nothing) => Ok(None),
            Err(DownloadError::Io(error)) => Err(error),
        };
        let now = plan(None)?;
        let Some(Begun { version, fragments }) = begun else { return Ok(now) };
        if now.as_ref().is_none_or(|now| fragments >= now.fragments()) {
            return Ok(now);
        }
        Ok(plan(Some(fragments))?.filter(|then| then.version() == version).or(now))
    });
    let is_growing = playable.files.is_growing;
    let download = planned.await?.ok_or_else(|| {
        if is_growing && clip.is_none() {
            Problem::nothing_recorded_yet()
        } else {
            Problem::InvalidQuery("nothing was recorded at that time".to_owned())
        }
    })?;
    let tag = format!("{tag_begins}{}\"", download.version());
    let mut response = file_answer(content(&download), download.bytes(), &tag, asked)?;
    let name = file_name(&playable.stream.details.title, &playable.recording.name, clip.as_ref(), is_growing);
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, attachment(&name));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Content-Disposition, Content-Range"),
    );
    Ok(response)
}

/// A download that was started earlier.
struct Begun {
    version: String,
    fragments: usize,
}

/// The download that a request resumes, if its tag begins like this.
fn begun(asked: &Asked<'_>, tag_begins: &str) -> Option<Begun> {
    let tag = asked.headers.get(IF_RANGE).filter(|_| asked.range.is_some())?.to_str().ok()?;
    let version = tag.strip_prefix(tag_begins)?.strip_suffix('"')?;
    Some(Begun { version: version.to_owned(), fragments: version.split('-').next()?.parse().ok()? })
}

impl Compute for DownloadHead {
    fn skip(&mut self, bytes: u64) {
        self.skip(bytes);
    }

    fn read(&mut self, least: usize) -> io::Result<Vec<u8>> {
        self.read(least)
    }
}

fn content(download: &Download) -> Vec<Content> {
    let head = Computed::new(download.head(), download.head_bytes());
    let media = download.media().map(|(file, Range { start, end })| {
        Content::File(FileRange { file, at: start, length: end - start })
    });
    std::iter::once(Content::Computed(head)).chain(media).collect()
}

/// The clip in a query: `from` and `to`, in seconds of the recording. `None` for all of it.
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
            // Other parameters, which players add to bypass caches, have no effect.
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

/// `Nest box, 2026-11-28 07.30.mp4`. `name`: the name of the recording's files, which begins with its local date.
fn file_name(title: &str, name: &str, clip: Option<&Range<Duration>>, is_growing: bool) -> String {
    let title = safe_title(title, TITLE_BYTES);
    let mut out = if title.is_empty() { "Recording".to_owned() } else { title };
    if let Some(date) = name.get(..16) {
        out.push_str(", ");
        out.push_str(date);
    }
    if let Some(Range { start, end }) = clip {
        let _ = write!(out, ", clip from {}", clock(*start));
        if *end < LATEST {
            let _ = write!(out, " to {}", clock(*end));
        }
    } else if is_growing {
        out.push_str(", so far");
    }
    out.push_str(".mp4");
    out
}

/// `1.02.03`: hours, minutes, seconds. FAT allows no colon in a name.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}.{:02}.{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The header for a file with this name (RFC 6266 §4.3, RFC 8187): in full, and in ASCII for old programs.
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
    use http::header::RANGE;
    use http::{HeaderMap, HeaderName};
    use perch_store::StreamId;

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
        assert_eq!(file_name("Nest box", name, None, false), "Nest box, 2026-11-28 07.30.mp4");
        assert_eq!(file_name("Nest box", name, None, true), "Nest box, 2026-11-28 07.30, so far.mp4");
        assert_eq!(
            file_name("Owls: \"day\" 2/3…", name, Some(&seconds(10.0, 3725.9)), true),
            "Owls day 2 3…, 2026-11-28 07.30, clip from 0.00.10 to 1.02.05.mp4"
        );
        assert_eq!(file_name("..", "x", None, false), "Recording.mp4");
        // U+202E turns what follows around: this would be shown as `a exe.4pm`.
        assert_eq!(file_name("a\u{202e}mp4.exe", "x", None, false), "a mp4.exe.mp4");
        let long = file_name(&"ö".repeat(500), name, Some(&seconds(10.0, 3725.9)), false);
        assert!(long.len() < 255 && long.ends_with(" to 1.02.05.mp4"), "{long}");
    }

    #[test]
    fn a_name_goes_out_in_full_and_in_ascii() {
        let said = attachment("Frühling, 100 %.mp4");
        assert_eq!(
            said.to_str().unwrap(),
            "attachment; filename=\"Fr_hling, 100 _.mp4\"; filename*=UTF-8''Fr%C3%BChling%2C%20100%20%25.mp4"
        );
    }

    #[test]
    fn a_download_goes_on_with_what_its_tag_names() {
        let asked = |headers: &[(HeaderName, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            let headers: HeaderMap = headers.collect();
            let (stream, range) = (StreamId::from_number(1), headers.get(RANGE));
            let asked =
                Asked { stream, name: "recording.mp4", target: None, query: "", headers: &headers, range };
            begun(&asked, "\"X-mp4-").map(|begun| (begun.fragments, begun.version))
        };
        let range = (RANGE, "bytes=5-");
        let known = (12, "12-ab-9f".to_owned());
        assert_eq!(asked(&[range.clone(), (IF_RANGE, "\"X-mp4-12-ab-9f\"")]), Some(known));
        for other in
            ["\"Y-mp4-12-ab-9f\"", "\"X-mp4-x-ab\"", "W/\"X-mp4-12-ab-9f\"", "\"X-mp4-", "\"X-mp4-\""]
        {
            assert_eq!(asked(&[range.clone(), (IF_RANGE, other)]), None, "{other}");
        }
        assert_eq!(asked(&[(IF_RANGE, "\"X-mp4-12-ab-9f\"")]), None, "without a range it means nothing");
        assert_eq!(asked(&[range]), None);
    }
}

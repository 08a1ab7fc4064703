//! `/feed.xml`: public recordings, the newest first, for feed readers and podcast programs (RSS 2.0, with enclosures).

use super::caching;
use super::client::Client;
use super::embed::origin;
use super::hosts::AskedHosts;
use super::links::site_address;
use super::markup::Escaped;
use super::problem::Problem;
use super::state::Shared;
use super::stream::thumbnail_url;
use axum::Extension;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use perch_site::recordings::{self, SeenRecording, Which};
use perch_site::{Actor, settings};
use perch_store::{RecordingState, Timestamp};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Recordings in the feed: readers keep what they have seen.
const ITEMS: usize = 50;

/// `GET /feed.xml`
pub(super) async fn show(
    state: Shared,
    client: Client,
    Extension(hosts): Extension<AskedHosts>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let anyone = Actor::Anonymous { address: client.address };
    let which = Which { limit: ITEMS, ..Which::default() };
    let found = recordings::list(&state.site, &anyone, which).await?;
    let name = settings::show(&state.site).await?.decided.site_name;
    let text = feed(&name, &site_address(client, &hosts), &found);
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = HeaderValue::try_from(format!("\"{:x}\"", hasher.finish())).expect("digits are a header value");
    let mut response = if caching::is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/rss+xml; charset=utf-8")], text).into_response()
    };
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn feed(name: &str, site: &str, recordings: &[SeenRecording]) -> String {
    let (name, site_text) = (Escaped(name), Escaped(site));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\" \
         xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\" xmlns:media=\"http://search.yahoo.com/mrss/\">\n<channel>\n\
         <title>{name}</title>\n<link>{site_text}/</link>\n<description>Recordings of {name}</description>\n\
         <atom:link href=\"{site_text}/feed.xml\" rel=\"self\" type=\"application/rss+xml\"/>\n"
    );
    // One that is still being recorded changes with every request: it comes when it is whole.
    for seen in recordings.iter().filter(|seen| seen.recording.state != RecordingState::Recording) {
        item(&mut text, site, seen);
    }
    text.push_str("</channel>\n</rss>\n");
    text
}

fn item(text: &mut String, site: &str, seen: &SeenRecording) {
    let (facts, details) = (&seen.stream.facts, &seen.stream.details);
    let by = if seen.user.full_name.is_empty() { &seen.user.username } else { &seen.user.full_name };
    let site_text = Escaped(site);
    let id = facts.id;
    // Writing into memory does not fail.
    let _ = write!(
        text,
        "<item>\n<title>{}</title>\n<link>{site_text}/watch/{id}</link>\n<guid isPermaLink=\"false\">{id}</guid>\n\
         <pubDate>{}</pubDate>\n<description>{}</description>\n<itunes:author>{}</itunes:author>\n\
         <itunes:duration>{}</itunes:duration>\n\
         <enclosure url=\"{site_text}/media/{id}/recording.mp4\" length=\"{}\" type=\"video/mp4\"/>\n",
        Escaped(&details.title),
        date(facts.live_at.unwrap_or(facts.created_at)),
        Escaped(&details.description),
        Escaped(by),
        seen.recording.duration_ms / 1000,
        seen.recording.bytes,
    );
    if let Some(picture) = thumbnail_url(facts, details, 0) {
        let _ = writeln!(text, "<media:thumbnail url=\"{}{}\"/>", Escaped(origin(site)), Escaped(&picture));
    }
    text.push_str("</item>\n");
}

/// RFC 2822, as RSS wants it.
fn date(at: Timestamp) -> String {
    let time =
        OffsetDateTime::from_unix_timestamp(at.unix_millis() / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // It knows no year before 1900; a clock may be set to anything.
    time.format(&Rfc2822).unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_mail() {
        assert_eq!(date(Timestamp::from_unix_millis(1_795_000_000_123)), "Wed, 18 Nov 2026 11:06:40 +0000");
        assert_eq!(date(Timestamp::from_unix_millis(i64::MIN)), date(Timestamp::from_unix_millis(0)));
    }
}

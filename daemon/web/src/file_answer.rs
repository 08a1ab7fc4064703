//! Answers with an MP4 file or a range of one (RFC 9110 §13.1.5, §14).
//!
//! Must not be here: the choice of the file, rights.

use super::body::Body;
use super::caching;
use super::file_body::{Content, FileBody, FileRange};
use super::problem::Problem;
use super::range::{self, Part};
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use perch_store::StreamId;
use std::time::Duration;

/// A request.
pub(super) struct Asked<'a> {
    pub(super) stream: StreamId,
    pub(super) name: &'a str,
    /// Target duration of a stream on the air.
    pub(super) target: Option<Duration>,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// The part of a file that is asked for ([`range::of`]).
    pub(super) range: Option<&'a HeaderValue>,
}

/// Answers with an MP4 file, or with the requested range of it (RFC 9110 §13.1.5, §14).
pub(super) fn file_answer(
    content: Vec<Content>,
    length: u64,
    tag: &str,
    asked: &Asked<'_>,
) -> Result<Response<Body>, Problem> {
    let tag = HeaderValue::try_from(tag).expect("a tag is letters and digits");
    let mut response = Response::new(Body::empty());
    if caching::is_known(asked.headers, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        // Answers have no Last-Modified, so a date in If-Range never matches; nor does a weak tag.
        let is_of_this = asked.headers.get(IF_RANGE).is_none_or(|known| *known == tag);
        let range = asked.range.filter(|_| is_of_this);
        let part = range.map_or(Ok(Part::Whole), |range| range::parse(range, length))?;
        let content = match part {
            Part::Whole => content,
            Part::Bytes { first, last } => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                response.headers_mut().insert(CONTENT_RANGE, range::content_range(first, last, length));
                range_of(content, first, last - first + 1)
            }
        };
        let body = FileBody::new(content);
        response.extensions_mut().insert(body.to_send());
        *response.body_mut() = Body::Files(body);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp4"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
    headers.insert(ETAG, tag);
    Ok(response)
}

/// The next bytes of the content after the first `skipped`.
fn range_of(content: Vec<Content>, skipped: u64, length: u64) -> Vec<Content> {
    let (mut skip, mut left) = (skipped, length);
    let mut range = Vec::new();
    for content in content {
        let whole = match &content {
            Content::Computed(computed) => computed.length(),
            Content::File(range) => range.length,
        };
        let from = skip.min(whole);
        let taken = (whole - from).min(left);
        skip -= from;
        left -= taken;
        if taken > 0 {
            range.push(match content {
                Content::Computed(computed) => Content::Computed(computed.range(from, taken)),
                Content::File(file) => Content::File(FileRange { at: file.at + from, length: taken, ..file }),
            });
        }
    }
    range
}

#[cfg(test)]
mod tests {
    use super::super::file_body::{Compute, Computed};
    use super::*;
    use std::fs::File;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Remembers the bytes to skip.
    struct Skipped(Arc<AtomicU64>);

    impl Compute for Skipped {
        fn skip(&mut self, bytes: u64) {
            self.0.store(bytes, Ordering::Relaxed);
        }

        fn read(&mut self, _: usize) -> io::Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_range_goes_across_what_the_content_is_made_of() {
        let file = Arc::new(File::open("/dev/null").unwrap());
        let seen = |first, length| -> Vec<(u64, u64)> {
            let skipped = Arc::new(AtomicU64::new(0));
            let content = vec![
                Content::Computed(Computed::new(Skipped(skipped.clone()), 4)),
                Content::File(FileRange { file: file.clone(), at: 100, length: 50 }),
                Content::File(FileRange { file: file.clone(), at: 7, length: 3 }),
            ];
            let range = range_of(content, first, length);
            let seen = range.iter().map(|content| match content {
                Content::Computed(computed) => (skipped.load(Ordering::Relaxed), computed.length()),
                Content::File(range) => (range.at, range.length),
            });
            seen.collect()
        };
        assert_eq!(seen(0, 57), [(0, 4), (100, 50), (7, 3)]);
        assert_eq!(seen(2, 3), [(2, 2), (100, 1)]);
        assert_eq!(seen(4, 50), [(100, 50)]);
        assert_eq!(seen(53, 4), [(149, 1), (7, 3)]);
        assert_eq!(seen(56, 1), [(9, 1)]);
    }
}

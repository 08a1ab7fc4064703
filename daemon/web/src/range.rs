//! Single byte ranges (RFC 9110 §14); a request for several gets the whole, as the RFC allows.

use super::problem::Problem;
use http::header::{IF_RANGE, RANGE};
use http::{HeaderValue, Method, Request};

/// The part of a file to send.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Whole,
    /// Both ends inclusive.
    Bytes {
        first: u64,
        last: u64,
    },
}

/// The range that a request asks for. With any method but GET the header means nothing (RFC 9110 §14.2).
pub(super) fn of<B>(request: &Request<B>) -> Option<&HeaderValue> {
    request.headers().get(RANGE).filter(|_| *request.method() == Method::GET)
}

/// The range of a file without a validator: `If-Range` never matches it, so that the whole is sent (RFC 9110 §13.1.5).
pub(super) fn of_unvalidated<B>(request: &Request<B>) -> Option<&HeaderValue> {
    of(request).filter(|_| !request.headers().contains_key(IF_RANGE))
}

/// Parses the header `Range` for `length` bytes.
pub(super) fn parse(range: &HeaderValue, length: u64) -> Result<Part, Problem> {
    let Some((first, last)) = range
        .to_str()
        .ok()
        .and_then(|range| range.strip_prefix("bytes="))
        .filter(|ranges| !ranges.contains(','))
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(Part::Whole);
    };
    // A number may be of any length (RFC 9110 §14.1.2): what is too large for us lies beyond every file.
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => return Ok(Part::Whole),
        (Some(first), Some(last)) => (first, last.min(length.saturating_sub(1))),
        (Some(first), None) if last.is_empty() => (first, length.saturating_sub(1)),
        (None, Some(0)) => return Err(Problem::Range { length }),
        (None, Some(suffix)) if first.is_empty() => (length.saturating_sub(suffix), length.saturating_sub(1)),
        _ => return Ok(Part::Whole),
    };
    if first < length { Ok(Part::Bytes { first, last }) } else { Err(Problem::Range { length }) }
}

/// The header `Content-Range` for bytes `first` to `last` of `length`.
pub(super) fn content_range(first: u64, last: u64, length: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes {first}-{last}/{length}")).expect("digits are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_100(range: &'static str) -> Result<Part, Problem> {
        parse(&HeaderValue::from_static(range), 100)
    }

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(of_100("bytes=0-0"), Ok(Part::Bytes { first: 0, last: 0 }));
        assert_eq!(of_100("bytes=10-"), Ok(Part::Bytes { first: 10, last: 99 }));
        assert_eq!(of_100("bytes=90-1000"), Ok(Part::Bytes { first: 90, last: 99 }));
        assert_eq!(of_100("bytes=-30"), Ok(Part::Bytes { first: 70, last: 99 }));
        assert_eq!(of_100("bytes=-1000"), Ok(Part::Bytes { first: 0, last: 99 }));
        assert_eq!(of_100("bytes=7-99999999999999999999999"), Ok(Part::Bytes { first: 7, last: 99 }));
        assert_eq!(of_100("bytes=-99999999999999999999999"), Ok(Part::Bytes { first: 0, last: 99 }));
    }

    #[test]
    fn what_lies_outside_is_refused() {
        assert_eq!(of_100("bytes=100-"), Err(Problem::Range { length: 100 }));
        assert_eq!(of_100("bytes=99999999999999999999999-"), Err(Problem::Range { length: 100 }));
        assert_eq!(of_100("bytes=-0"), Err(Problem::Range { length: 100 }));
        assert_eq!(parse(&HeaderValue::from_static("bytes=0-"), 0), Err(Problem::Range { length: 0 }));
    }

    #[test]
    fn what_is_not_understood_is_answered_whole() {
        for range in
            ["bytes=5-1", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=-", "bytes=+1-2", "bytes=1--2"]
        {
            assert_eq!(of_100(range), Ok(Part::Whole), "{range}");
        }
    }
}

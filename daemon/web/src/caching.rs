//! Caching headers (RFC 9111, RFC 9110 §13).

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};

/// `Cache-Control` for addresses whose content never changes.
pub(super) const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The tag without its weakness mark, which a weak comparison ignores.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// True if the client already has the version that `tag` names (`If-None-Match`, weak comparison).
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_recognised_alone_in_a_list_and_weak() {
        let tag = HeaderValue::from_static("\"a1\"");
        for (header, known) in [
            ("\"a1\"", true),
            ("W/\"a1\"", true),
            ("\"b\", \"a1\"", true),
            ("*", true),
            ("\"a\"", false),
            ("a1", false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(header))]);
            assert_eq!(is_known(&headers, &tag), known, "{header}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}

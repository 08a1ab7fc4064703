//! Players that need something else than others, known by their User-Agent.

use http::HeaderMap;
use http::header::USER_AGENT;

/// True for VLC: version 3 buffers one second of a live stream whatever the playlist says, and heeds only the first EXT-X-MAP of a recording.
pub(super) fn is_vlc(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|program| program.as_bytes().starts_with(b"VLC/"))
}

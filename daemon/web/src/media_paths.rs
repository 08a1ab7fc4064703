//! Addresses under `/media/` that live streams and recordings share.

/// Prefix of the addresses that are answered before the router.
pub(super) const PREFIX: &str = "/media/";

/// A stream's multivariant playlist.
pub(super) const MULTIVARIANT_PLAYLIST: &str = "main.m3u8";

//! Addresses under `/media/` that live streams and recordings share.

/// The addresses that are answered before the router begin with this.
pub(super) const PREFIX: &str = "/media/";

/// A stream's multivariant playlist.
pub(super) const MULTIVARIANT_PLAYLIST: &str = "main.m3u8";

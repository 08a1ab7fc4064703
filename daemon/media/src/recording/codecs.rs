//! The codecs of a part, read from its header in the form that players expect (RFC 6381).

/// The codecs for EXT-X-STREAM-INF and `video.canPlayType`: `avc1.42c01f,mp4a.40.2`. `None` if the header has no H.264
/// track.
///
/// `init`: the part's `ftyp` and `moov`.
pub fn codecs(init: &[u8]) -> Option<String> {
    // AVCDecoderConfigurationRecord: version 1, then profile, constraints and level (ISO/IEC 14496-15 §5.3.3.1.2).
    let [1, profile, constraints, level] = *after(init, *b"avcC")?.first_chunk()? else { return None };
    let mut codecs = format!("avc1.{profile:02x}{constraints:02x}{level:02x}");
    // Perch writes AAC-LC only.
    if after(init, *b"mp4a").is_some() {
        codecs.push_str(",mp4a.40.2");
    }
    Some(codecs)
}

/// The content of the first box of this kind. Our headers are shorter than 2 KiB and contain such a name only once.
fn after(init: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    let at = init.windows(4).position(|bytes| bytes == kind)?;
    Some(&init[at + 4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_its_codecs() {
        let video = b"....stsd....avcC\x01\x42\xc0\x1f\xff";
        assert_eq!(codecs(video).as_deref(), Some("avc1.42c01f"));
        assert_eq!(codecs(&[&video[..], b"....mp4a"].concat()).as_deref(), Some("avc1.42c01f,mp4a.40.2"));
        for damaged in [&b""[..], b"avcC", b"avcC\x01\x42", b"avcC\x02\x42\xc0\x1f", b"mp4a"] {
            assert_eq!(codecs(damaged), None, "{damaged:?}");
        }
    }
}

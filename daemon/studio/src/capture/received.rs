//! Explains data that gave no access unit: silence, H.264 without an entry point, or something that is not H.264.
//!
//! The guess uses the first bytes, as file(1) does. Must not be here: reading streams (`perch-media`), closing a source
//! (`supervisor`).

use super::source::Output;
use perch_media::mpegts::is_transport_stream;
use std::time::Duration;

/// Leading bytes that are kept for the guess: three packets of MPEG-TS, or a line of text.
const BEGINNING: usize = 600;
/// A valid stream gives a picture within this many bytes: 8 s at 20 Mb/s are 20 MB.
const MOST: u64 = 32 << 20;
/// Characters quoted of a text.
const QUOTED: usize = 80;

/// The data received since the last access unit.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: u64,
    beginning: Vec<u8>,
    /// True if an access unit came before, so it is H.264, and `beginning` may begin within a picture.
    was_usable: bool,
}

impl Received {
    /// Counts received data.
    pub(super) fn note(&mut self, output: &Output) {
        let data = match output {
            Output::Picture(picture) => &picture.data,
            Output::Stream { data, .. } => data,
            Output::Sound(_) | Output::Nothing => return,
        };
        self.bytes += data.len() as u64;
        let missing = BEGINNING.saturating_sub(self.beginning.len()).min(data.len());
        self.beginning.extend_from_slice(&data[..missing]);
    }

    /// Notes that an access unit came from the data.
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
        self.beginning.clear();
        self.was_usable = true;
    }

    /// True if more bytes came than any stream needs for a picture.
    pub(super) fn is_too_much(&self) -> bool {
        self.bytes > MOST
    }

    /// What the data is instead of H.264, in words; `None` if nothing came or it may be H.264.
    pub(super) fn no_h264(&self) -> Option<String> {
        let guess = guess(&self.beginning).filter(|_| !self.was_usable)?;
        Some(format!("it writes, but no H.264: {guess}"))
    }

    /// Why no picture came within `waited`, in words.
    pub(super) fn explain(&self, waited: Duration) -> String {
        let seconds = waited.as_secs_f64();
        if self.bytes == 0 {
            return format!("it gave nothing for {seconds} s");
        }
        self.no_h264().unwrap_or_else(|| {
            let kilobytes = self.bytes.div_ceil(1000);
            format!(
                "it gave {kilobytes} kB of H.264, but no usable picture for {seconds} s: a stream starts at an IDR with SPS and PPS"
            )
        })
    }
}

/// The kind of data that `bytes` look like; `None` for nothing and for H.264.
fn guess(bytes: &[u8]) -> Option<String> {
    const HEADS: [(&[u8], &str); 8] = [
        (b"\xFF\xD8\xFF", "JPEG pictures (MJPEG)"),
        (b"\x1A\x45\xDF\xA3", "Matroska or WebM"),
        (b"FLV", "FLV"),
        (b"RIFF", "AVI or WAV"),
        (b"YUV4MPEG2", "raw pictures (YUV4MPEG2)"),
        (b"OggS", "Ogg"),
        (b"DKIF", "IVF"),
        (b"\x00\x00\x01\xBA", "an MPEG program stream"),
    ];
    if bytes.is_empty() {
        return None;
    }
    if let Some((_, name)) = HEADS.iter().find(|(head, _)| bytes.starts_with(head)) {
        return Some(format!("it looks like {name}"));
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some("it looks like MP4".to_owned());
    }
    // The demuxer reports what an MPEG transport stream lacks.
    if is_transport_stream(bytes) == Some(true) {
        return None;
    }
    match first_nal_unit(bytes) {
        // Forbidden zero bit, then nal_unit_type 32 to 34 in six bits (ITU-T H.265 §7.3.1.2): parameter sets. In H.264
        // these would be types 0, 2 and 4 with nal_ref_idc 2, which no stream starts with.
        Some(0x40 | 0x42 | 0x44) => return Some("it looks like H.265 (HEVC)".to_owned()),
        Some(0xB3) => return Some("it looks like MPEG-2 video".to_owned()),
        Some(header) if header & 0x80 == 0 && matches!(header & 0x1F, 1..=20) => return None,
        _ => {}
    }
    if let Some(line) = text(bytes) {
        return Some(format!("it looks like text (\"{line}\")"));
    }
    Some("its format is not known here".to_owned())
}

/// The byte after the first start code.
fn first_nal_unit(bytes: &[u8]) -> Option<u8> {
    let at = bytes.windows(3).position(|window| window == [0, 0, 1])?;
    bytes.get(at + 3).copied()
}

/// The beginning of a text, without control characters.
fn text(bytes: &[u8]) -> Option<String> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x1B);
    if !bytes.iter().all(is_text) {
        return None;
    }
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty())?;
    Some(line.iter().filter(|byte| !byte.is_ascii_control()).take(QUOTED).map(|&byte| byte as char).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn received(chunks: &[&[u8]]) -> Received {
        let mut received = Received::default();
        for chunk in chunks {
            let data = Bytes::copy_from_slice(chunk);
            received.note(&Output::Stream { data, since: Duration::ZERO, read_at: Duration::ZERO });
        }
        received
    }

    #[test]
    fn what_it_looks_like_is_said() {
        let noise: Vec<u8> = (0..600_u32).map(|n| ((n * 7919) >> 3) as u8 | 0x82).collect();
        for (bytes, expected) in [
            (&b"\xFF\xD8\xFF\xE0\x00\x10JFIF"[..], "MJPEG"),
            (b"\x00\x00\x00\x18ftypmp42", "MP4"),
            (b"\x00\x00\x00\x01\x40\x01\x0C", "HEVC"),
            (b"\x00\x00\x00\x01\x42\x01\x01", "HEVC"),
            (b"\x00\x00\x01\xB3\x14", "MPEG-2"),
            (b"\n\x1b[31mno camera\x07\n", "its format is not known"),
            (b"\n\x1b[31mno camera\nsecond line", "text (\"[31mno camera\")"),
            (&noise, "its format is not known"),
            (b"\x00\x00\x00\x00", "its format is not known"),
        ] {
            let words = received(&[bytes]).explain(Duration::from_secs(8));
            assert!(words.starts_with("it writes, but no H.264: ") && words.contains(expected), "{words}");
        }
    }

    #[test]
    fn h264_without_an_entry_point_and_silence_are_told_apart() {
        let words = received(&[]).explain(Duration::from_millis(2500));
        assert_eq!(words, "it gave nothing for 2.5 s");
        for start in [&b"\x00\x00\x00\x01\x09\x10"[..], b"\x00\x00\x01\x41\x9A", b"\x55\x00\x00\x01\x67\x42"]
        {
            let words = received(&[start, &[7; 3000]]).explain(Duration::from_secs(8));
            assert!(words.starts_with("it gave 4 kB of H.264, but no usable picture for 8 s"), "{words}");
        }
    }

    #[test]
    fn the_guess_does_not_depend_on_where_the_stream_was_cut() {
        let whole = received(&[b"GIF89a, or so it says"]).no_h264();
        assert!(whole.is_some());
        assert_eq!(received(&[b"GIF", b"89a, or", b" so it says"]).no_h264(), whole);
    }

    #[test]
    fn a_flood_is_told_and_little_of_it_is_kept() {
        let mut flood = Received::default();
        let data = Bytes::from(vec![0x55; 1 << 20]);
        for _ in 0..=32 {
            assert!(!flood.is_too_much());
            flood.note(&Output::Stream {
                data: data.clone(),
                since: Duration::ZERO,
                read_at: Duration::ZERO,
            });
        }
        assert!(flood.is_too_much() && flood.beginning.len() == BEGINNING);
        flood.clear();
        assert!(!flood.is_too_much());
    }

    #[test]
    fn a_stream_that_gave_pictures_is_h264_wherever_it_breaks_off() {
        let mut stream = received(&[b"\x00\x00\x00\x01\x09\x10"]);
        stream.clear();
        let data = Bytes::from_static(b"\x8F the rest of a slice");
        stream.note(&Output::Stream { data, since: Duration::ZERO, read_at: Duration::ZERO });
        assert_eq!(stream.no_h264(), None);
        assert!(stream.explain(Duration::from_millis(2500)).contains("no usable picture for 2.5 s"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_the_words_are_short_and_printable(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            let words = received(&[&bytes]).explain(Duration::from_secs(8));
            prop_assert!(words.len() < 200 && !words.chars().any(char::is_control), "{words}");
        }
    }
}

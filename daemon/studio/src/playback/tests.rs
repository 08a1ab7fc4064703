use super::*;
use perch_media::recording::index::{Encoder, Header};
use perch_media::recording::{Break, Fragment, Mark, Run, SampleEntry};
use std::io::Write as _;
use std::path::Path;

/// A part being written: its header and fragments of one second, each of which is a segment.
struct Part {
    files: PartFiles,
    index: File,
    encoder: Encoder,
    seconds: u32,
}

const INIT: &[u8] = b"....ftyp....moov....avcC\x01\x42\xc0\x1f";

impl Part {
    fn new(dir: &Path, number: u32) -> Self {
        let file = |extension| dir.join(format!("{number}.{extension}"));
        let files = PartFiles { media: file("mp4"), index: file("index") };
        std::fs::write(&files.media, INIT).unwrap();
        let header = Header { stream: [0; 16], part: number, init_bytes: INIT.len() as u32 };
        let mut index = File::create(&files.index).unwrap();
        index.write_all(&header.encode()).unwrap();
        Self { files, index, encoder: Encoder::new(&header), seconds: 0 }
    }

    fn record(&mut self) -> Vec<u8> {
        let sample = SampleEntry { bytes: 900, duration: 90_000, composition_offset: 0, is_key: true };
        let mark = Mark {
            begins_segment: true,
            is_independent: true,
            before: Break::None,
            stream_offset_ms: u64::from(self.seconds) * 1000,
            wall_ms: 0,
        };
        let video = Run { decode_time: 0, data_at: 100, samples: vec![sample] };
        let at = INIT.len() as u64 + u64::from(self.seconds) * 1000;
        let mut record = Vec::new();
        self.encoder.push(&Fragment { at, bytes: 1000, mark, video, audio: None }, &mut record);
        self.seconds += 1;
        record
    }

    fn write(&mut self, seconds: u32) {
        for _ in 0..seconds {
            let record = self.record();
            self.index.write_all(&record).unwrap();
        }
    }
}

fn stream(number: u128) -> StreamId {
    StreamId::from_number(number)
}

fn files(parts: &[&Part], is_growing: bool) -> RecordingFiles {
    RecordingFiles { parts: parts.iter().map(|part| part.files.clone()).collect(), is_growing, recovered: 0 }
}

fn listed(playback: &Playback, of: u128, files: &RecordingFiles) -> usize {
    let text = playback.playlist(stream(of), files, 2, Form::Whole).unwrap();
    let text = text.map_or_else(String::new, |text| String::from_utf8(text.bytes.to_vec()).unwrap());
    assert_eq!(text.contains("ENDLIST"), !files.is_growing && !text.is_empty());
    text.matches("#EXTINF").count()
}

#[test]
fn a_recording_that_grows_is_read_on() {
    let dir = tempfile::tempdir().unwrap();
    let playback = Playback::default();
    let mut one = Part::new(dir.path(), 1);
    assert_eq!(listed(&playback, 1, &files(&[&one], true)), 0);
    one.write(3);
    assert_eq!(listed(&playback, 1, &files(&[&one], true)), 2, "the third may still grow");
    let record = one.record();
    one.index.write_all(&record[..5]).unwrap();
    assert_eq!(listed(&playback, 1, &files(&[&one], true)), 2, "it is being written");
    one.index.write_all(&record[5..]).unwrap();
    assert_eq!(listed(&playback, 1, &files(&[&one], true)), 3);
    let mut two = Part::new(dir.path(), 2);
    two.write(1);
    assert_eq!(listed(&playback, 1, &files(&[&one, &two], true)), 4);
    assert_eq!(listed(&playback, 1, &files(&[&one, &two], false)), 5);
    // The stream continues after a restart.
    two.write(2);
    assert_eq!(listed(&playback, 1, &files(&[&one, &two], true)), 6);
}

#[test]
fn a_playlist_that_does_not_change_is_compressed_for_those_who_take_that() {
    let dir = tempfile::tempdir().unwrap();
    let playback = Playback::default();
    let mut one = Part::new(dir.path(), 1);
    one.write(1000);
    let ask = |is_growing, takes_gzip| {
        let form = if takes_gzip { Form::Packed } else { Form::Whole };
        let text = playback.playlist(stream(1), &files(&[&one], is_growing), 2, form);
        text.unwrap().unwrap()
    };
    assert!(!ask(true, true).is_gzip, "it grows");
    let (plain, packed) = (ask(false, false), ask(false, true));
    assert_eq!((plain.is_gzip, packed.is_gzip, plain.tag), (false, true, packed.tag));
    assert!(packed.bytes.len() * 4 < plain.bytes.len(), "{} of {}", packed.bytes.len(), plain.bytes.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.bytes[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.bytes);
    assert_eq!(ask(false, true).bytes.as_ptr(), packed.bytes.as_ptr(), "once");
}

#[test]
fn nothing_that_was_lost_is_listed_after_a_recovery() {
    let dir = tempfile::tempdir().unwrap();
    let playback = Playback::default();
    let mut one = Part::new(dir.path(), 1);
    one.write(9);
    let mut files = files(&[&one], true);
    assert_eq!(listed(&playback, 1, &files), 8);
    // Only two of them reached the disk; three others came after the restart.
    let mut one = Part::new(dir.path(), 1);
    one.write(5);
    files.recovered += 1;
    assert_eq!(listed(&playback, 1, &files), 4);
}

#[test]
fn no_file_is_open_while_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let playback = Playback::default();
    let mut one = Part::new(dir.path(), 1);
    one.write(3);
    for is_growing in [true, true, false] {
        listed(&playback, 1, &files(&[&one], is_growing));
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let open: Vec<_> = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok()).collect();
        // One, because the test itself has the file open.
        assert_eq!(open.iter().filter(|path| **path == one.files.index).count(), 1, "{open:?}");
    }
}

#[test]
fn the_outline_tells_what_players_ask() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = Part::new(dir.path(), 1);
    one.write(3);
    let outline = Playback::default().outline(stream(1), &files(&[&one], false)).unwrap();
    assert_eq!(outline.duration, Duration::from_secs(3));
    assert_eq!(outline.codecs.as_deref(), Some("avc1.42c01f"));
    assert_eq!(outline.jumps, [Jump { at_ms: 0, stream_offset_ms: 0 }]);
    assert_eq!(outline.bandwidth, Some(Bandwidth { peak: 8000, average: 8000 }));
}

#[test]
fn a_part_whose_index_is_damaged_leaves_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let playback = Playback::default();
    let [mut one, mut two, mut three] = [1, 2, 3].map(|number| Part::new(dir.path(), number));
    for part in [&mut one, &mut two, &mut three] {
        part.write(2);
    }
    std::fs::write(&two.files.index, b"garbage").unwrap();
    assert_eq!(listed(&playback, 1, &files(&[&one, &two, &three], false)), 4);
    assert_eq!(listed(&playback, 2, &files(&[&two], false)), 0);
    std::fs::remove_file(&two.files.index).unwrap();
    assert!(playback.playlist(stream(3), &files(&[&two], false), 2, Form::Whole).is_err());
}

#[test]
fn only_so_many_are_kept_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let playback = Playback::default();
    let mut part = Part::new(dir.path(), 1);
    part.write(2);
    for number in 0..20 {
        assert_eq!(listed(&playback, number, &files(&[&part], false)), 2);
    }
    assert_eq!(playback.opened.lock().unwrap().len(), KEPT);
}

#[test]
fn a_part_is_opened_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let one = Part::new(dir.path(), 1);
    let files = files(&[&one], false);
    assert_eq!(Playback::part(&files, 1).unwrap().unwrap().length, INIT.len() as u64);
    for number in [0, 2, u32::MAX] {
        assert!(Playback::part(&files, number).unwrap().is_none(), "{number}");
    }
}

#[test]
fn small_pictures_are_served_from_the_storyboard_and_none_where_there_is_none() {
    use perch_media::recording::storyboard::{self, Sheet as Described};
    let dir = tempfile::tempdir().unwrap();
    let mut one = Part::new(dir.path(), 1);
    one.write(9);
    let (files, playback) = (files(&[&one], false), Playback::default());
    let text = || playback.web_vtt(stream(1), &files, |number| format!("sheet-{number}")).unwrap();
    assert_eq!((text(), sheet(stream(1), &files, 1).unwrap()), (None, None));
    let mut board = storyboard::header(stream(1).number().to_be_bytes());
    for times_ms in [vec![0, 2000], vec![4000]] {
        let described = Described { columns: 6, size: (160, 90), times_ms };
        storyboard::encode(&described, b"jpeg", &mut board);
    }
    std::fs::write(files.storyboard().unwrap(), &board).unwrap();
    let text = text().unwrap();
    assert!(text.contains("00:00:02.000 --> 00:00:04.000\nsheet-1#xywh=160,0,160,90\n"), "{text}");
    assert!(text.ends_with("00:00:04.000 --> 00:00:09.000\nsheet-2#xywh=0,0,160,90\n"), "{text}");
    assert_eq!(sheet(stream(1), &files, 2).unwrap().unwrap().jpeg, b"jpeg"[..]);
    for number in [0, 3, usize::MAX] {
        assert_eq!(sheet(stream(1), &files, number).unwrap(), None, "{number}");
    }
    // A damaged sheet is not served, and the others still are.
    let at = board.windows(4).position(|bytes| bytes == b"jpeg").unwrap();
    board[at] ^= 1;
    std::fs::write(files.storyboard().unwrap(), &board).unwrap();
    assert_eq!(sheet(stream(1), &files, 1).unwrap(), None);
    assert!(sheet(stream(1), &files, 2).unwrap().is_some());
}

#[test]
fn pages_of_fragments_follow_each_other_and_none_reads_the_index_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let playback = Playback::default();
    let [mut one, mut two] = [1, 2].map(|number| Part::new(dir.path(), number));
    one.write(50);
    two.write(25);
    let files = files(&[&one, &two], false);
    let whole = playback.fragments(stream(1), &files, 0, 1000).unwrap();
    assert_eq!(whole.len(), 75);
    for size in [1, 2, 7, 50, 100] {
        let (playback, mut paged) = (Playback::default(), Vec::new());
        loop {
            // Like the API, which asks for one more than it shows.
            let mut page = playback.fragments(stream(1), &files, paged.len() as u64, size + 1).unwrap();
            let is_last = page.len() <= size;
            page.truncate(size);
            paged.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(paged, whole, "pages of {size}");
    }

    let playback = Playback::default();
    assert_eq!(playback.fragments(stream(1), &files, 0, 21).unwrap().len(), 21);
    let mut index = std::fs::read(&one.files.index).unwrap();
    index[60] ^= 1;
    File::options().write(true).open(&one.files.index).unwrap().write_all(&index).unwrap();
    assert_eq!(
        playback.fragments(stream(1), &files, 20, 21).unwrap(),
        whole[20..41],
        "the damage is not read"
    );
    assert!(playback.fragments(stream(1), &files, 10, 21).unwrap().len() < 21, "no page ended there");
    // After a recovery, and in another file, the place is not used.
    let again = RecordingFiles { recovered: 1, ..files.clone() };
    assert_ne!(playback.fragments(stream(1), &again, 20, 21).unwrap(), whole[20..41]);
    index[60] ^= 1;
    std::fs::remove_file(&one.files.index).unwrap();
    std::fs::write(&one.files.index, &index).unwrap();
    assert_eq!(playback.fragments(stream(1), &files, 20, 21).unwrap(), whole[20..41]);
    for number in 0..100 {
        playback.fragments(stream(number), &files, 0, 5).unwrap();
    }
    assert!(playback.pages.kept() <= 16);
}

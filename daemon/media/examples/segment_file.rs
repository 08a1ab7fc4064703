//! Cuts an Annex B file into HLS segments and prints what that cost in bytes: the peer of `ffmpeg -c copy -f hls`.
//!
//! `segment_file FILE --frames-per-second RATE (--out DIRECTORY | --discard)`

use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::hls::{
    CutterConfig, LiveWindow, LiveWindowConfig, Segment, SegmentWriter, Segmenter, WallOffset, segment_name,
};
use perch_media::mpegts::Muxer;
use perch_media::time::{MediaTime, Times};
use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

const CUTS: CutterConfig =
    CutterConfig { segment: Duration::from_secs(2), target_duration: 2, part: Duration::from_millis(250) };
/// What the segments' names begin with.
const RUN: &str = "file";
/// Read from the file at once.
const CHUNK_BYTES: usize = 64 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (file, rate, directory) = match arguments[..] {
        [file, "--frames-per-second", rate, "--out", directory] => {
            (file, rate, Some(PathBuf::from(directory)))
        }
        [file, "--frames-per-second", rate, "--discard"] => (file, rate, None),
        _ => {
            return Err(
                "usage: segment_file FILE --frames-per-second RATE (--out DIRECTORY | --discard)".into()
            );
        }
    };
    let ticks_per_frame = MediaTime::HZ as f64 / rate.parse::<f64>()?;
    let mut output = Output::new(directory.clone());
    let mut assembler = AccessUnitAssembler::new(0);
    let mut segmenter =
        Segmenter::with_writer(CUTS, 0, Muxer::new(), Files { directory, number: 0, begun: None });
    let mut pictures = 0_u32;
    let mut cut = |mut unit: AccessUnit, output: &mut Output| {
        unit.times = Times::at(MediaTime::from_ticks((f64::from(pictures) * ticks_per_frame) as i64));
        pictures += 1;
        if let Some(segment) = segmenter.push(&unit)? {
            output.window.fix_target_duration(segmenter.target_duration());
            output.take(segment);
        }
        Ok::<_, Box<dyn Error>>(pictures)
    };

    let mut input = File::open(file)?;
    let mut elementary_bytes = 0;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        if input.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)? == 0 {
            break;
        }
        elementary_bytes += chunk.len();
        assembler.push_bytes(chunk.into(), MediaTime::default()..=MediaTime::default());
        while let Some(unit) = assembler.next_unit() {
            cut(unit, &mut output)?;
        }
    }
    if let Some(unit) = assembler.flush() {
        cut(unit, &mut output)?;
    }
    if let Some(segment) = segmenter.finish()? {
        output.take(segment);
    }
    output.finish()?;
    println!("{:?}", assembler.counters());
    println!(
        "{pictures} pictures, {elementary_bytes} bytes elementary, {} bytes in {} segments, ratio {:.4}",
        output.bytes,
        output.segments,
        output.bytes as f64 / elementary_bytes as f64
    );
    Ok(())
}

/// Where segments go: a file each.
struct Files {
    directory: Option<PathBuf>,
    number: u64,
    begun: Option<File>,
}

impl SegmentWriter for Files {
    type Whole = ();
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        if self.begun.is_none() {
            self.begun = Some(File::create(directory.join(segment_name(RUN, self.number)))?);
        }
        io::Write::write_all(self.begun.as_mut().expect("made above"), bytes)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.number += 1;
        self.begun = None;
        Ok(())
    }

    fn discard(&mut self) {
        self.begun = None; // the next segment overwrites its file
    }
}

/// What is made of the segments together.
struct Output {
    directory: Option<PathBuf>,
    window: LiveWindow<()>,
    bytes: usize,
    segments: usize,
}

impl Output {
    fn new(directory: Option<PathBuf>) -> Self {
        let config = LiveWindowConfig {
            run: RUN.to_owned(),
            target_duration: CUTS.target_duration,
            window: Duration::MAX,
            max_bytes: usize::MAX,
            first_sequence: 0,
            first_discontinuity: 0,
        };
        Self { directory, window: LiveWindow::new(config), bytes: 0, segments: 0 }
    }

    fn take(&mut self, segment: Segment<()>) {
        self.bytes += segment.bytes;
        self.segments += 1;
        self.window.push(segment);
    }

    fn finish(&self) -> Result<(), Box<dyn Error>> {
        if let Some(directory) = &self.directory {
            let playlist = self.window.playlist(WallOffset::new(0, MediaTime::default()), true);
            std::fs::write(directory.join("index.m3u8"), playlist.to_string())?;
        }
        Ok(())
    }
}

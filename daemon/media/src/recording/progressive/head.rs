//! Writes the head of a progressive MP4 file: `ftyp`, `moov`, and the beginning of the `mdat` (ISO/IEC 14496-12 §8). What is short is made in
//! memory first; the tables, which are long, are written row by row out of the indexes.

use super::plan::{Fragments, Plan, ProgressiveError, Times, Track, TrackPlan, scaled};
use super::runs::Runs;
use crate::recording::VIDEO_TIMESCALE;
use std::io::{BufWriter, Write};

/// The transformation of a picture that is shown as it is (§8.2.2.2).
const UNITY_MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];
/// Length of the `mdat`'s head, with a length of 64 bits (§4.2).
const MDAT_HEAD: u64 = 16;
/// A row, or a number, that stands for a rate or a speed of 1.
const ONE: u32 = 0x0001_0000;

/// A table whose rows come out of the indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// `stts`, how long samples last (§8.6.1.2).
    Durations,
    /// `ctts`, when they are shown (§8.6.1.3).
    Compositions,
    /// `stss`, which of them decoding can begin with (§8.6.2).
    Keys,
    /// `stsc`, how many are in a chunk (§8.7.4).
    ChunkSizes,
    /// `stsz`, their lengths (§8.7.3).
    Sizes,
    /// `co64`, where chunks are (§8.7.5).
    Offsets,
}

/// The head without its tables' rows, and where these go.
#[derive(Default)]
struct Skeleton {
    bytes: Vec<u8>,
    tables: Vec<(usize, Track, Table)>,
    /// Bytes of all rows.
    rows: u64,
}

impl Skeleton {
    fn put(&mut self, kind: [u8; 4], fill: impl FnOnce(&mut Self)) {
        let (at, rows) = (self.bytes.len(), self.rows);
        self.u32s(&[0]);
        self.bytes.extend_from_slice(&kind);
        fill(self);
        // Even the tables of weeks are far from 4 GiB.
        let length = (self.bytes.len() - at) as u64 + self.rows - rows;
        self.bytes[at..at + 4].copy_from_slice(&(length as u32).to_be_bytes());
    }

    fn u32s(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn u64s(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
    }

    /// A table of so many rows, with what stands between its version and its rows.
    fn table(&mut self, kind: [u8; 4], head: &[u32], track: Track, table: Table, rows: u32, row_bytes: u64) {
        self.put(kind, |skeleton| {
            skeleton.u32s(head);
            skeleton.tables.push((skeleton.bytes.len(), track, table));
            skeleton.rows += u64::from(rows) * row_bytes;
        });
    }
}

/// Makes the head of one file.
pub(super) struct HeadWriter<'a, W: Write> {
    plan: &'a Plan,
    /// Of the head.
    bytes: u64,
    out: BufWriter<W>,
}

/// How long the head will be.
pub(super) fn length(plan: &Plan) -> u64 {
    let skeleton = skeleton(plan);
    skeleton.bytes.len() as u64 + skeleton.rows + MDAT_HEAD
}

impl<'a, W: Write> HeadWriter<'a, W> {
    /// `bytes`: [`length`] of the head.
    pub(super) fn new(plan: &'a Plan, bytes: u64, out: W) -> Self {
        Self { plan, bytes, out: BufWriter::with_capacity(16 << 10, out) }
    }

    pub(super) fn write(mut self, fragments: &impl Fragments) -> Result<(), ProgressiveError> {
        let skeleton = skeleton(self.plan);
        let mut written = 0;
        for (at, track, table) in skeleton.tables {
            self.out.write_all(&skeleton.bytes[written..at])?;
            written = at;
            self.rows(fragments, track, table)?;
        }
        self.out.write_all(&skeleton.bytes[written..])?;
        self.u32s(&[1, u32::from_be_bytes(*b"mdat")])?;
        self.out.write_all(&(MDAT_HEAD + self.plan.media_bytes()).to_be_bytes())?;
        Ok(self.out.flush()?)
    }

    fn u32s(&mut self, numbers: &[u32]) -> Result<(), ProgressiveError> {
        for number in numbers {
            self.out.write_all(&number.to_be_bytes())?;
        }
        Ok(())
    }

    fn rows(
        &mut self,
        fragments: &impl Fragments,
        track: Track,
        table: Table,
    ) -> Result<(), ProgressiveError> {
        let plan = self.plan;
        let media_begins = self.bytes;
        match table {
            Table::Durations => {
                let (mut times, mut runs) = (Times::default(), Runs::default());
                plan.each_chunk(fragments, track, |chunk| {
                    for (begins, duration) in chunk.times() {
                        if let Some((count, duration)) =
                            times.push(begins, duration).and_then(|d| runs.push(d))
                        {
                            self.u32s(&[count, duration])?;
                        }
                    }
                    Ok(())
                })?;
                let last = times.finish().and_then(|(duration, _)| runs.push(duration));
                for (count, duration) in last.into_iter().chain(runs.finish()) {
                    self.u32s(&[count, duration])?;
                }
            }
            Table::Compositions => {
                let mut runs = Runs::default();
                plan.each_chunk(fragments, track, |chunk| {
                    for sample in chunk.samples {
                        if let Some((count, offset)) = runs.push(sample.composition_offset) {
                            self.u32s(&[count, offset.cast_unsigned()])?;
                        }
                    }
                    Ok(())
                })?;
                if let Some((count, offset)) = runs.finish() {
                    self.u32s(&[count, offset.cast_unsigned()])?;
                }
            }
            Table::Keys => {
                let mut number = 0;
                plan.each_chunk(fragments, track, |chunk| {
                    for sample in chunk.samples {
                        number += 1;
                        if sample.is_key {
                            self.u32s(&[number])?;
                        }
                    }
                    Ok(())
                })?;
            }
            Table::ChunkSizes => {
                let (mut runs, mut number) = (Runs::default(), 1);
                let mut row = |writer: &mut Self, (count, (samples, part)): (u32, (u32, usize))| {
                    let written = writer.u32s(&[number, samples, entry_number(plan, track, part)]);
                    number += count;
                    written
                };
                plan.each_chunk(fragments, track, |chunk| {
                    match runs.push((chunk.samples.len() as u32, chunk.part)) {
                        Some(ended) => row(self, ended),
                        None => Ok(()),
                    }
                })?;
                if let Some(ended) = runs.finish() {
                    row(self, ended)?;
                }
            }
            Table::Sizes => plan.each_chunk(fragments, track, |chunk| {
                chunk.samples.iter().try_for_each(|sample| self.u32s(&[sample.bytes]))
            })?,
            Table::Offsets => plan.each_chunk(fragments, track, |chunk| {
                Ok(self.out.write_all(&(media_begins + chunk.at).to_be_bytes())?)
            })?,
        }
        Ok(())
    }
}

/// Sample entries of a track, each once, in the order of the parts.
fn entries(plan: &Plan, track: Track) -> Vec<&[u8]> {
    let mut entries: Vec<&[u8]> = Vec::new();
    for part in &plan.parts {
        if let Some(entry) = entry_of(part, track).filter(|entry| !entries.contains(entry)) {
            entries.push(entry);
        }
    }
    entries
}

fn entry_of(part: &crate::cmaf::Description, track: Track) -> Option<&[u8]> {
    match track {
        Track::Video => Some(&part.video),
        Track::Audio => part.audio.as_ref().map(|audio| &audio.entry[..]),
    }
}

/// The part's sample entry, as `stsc` counts them: from 1.
fn entry_number(plan: &Plan, track: Track, part: usize) -> u32 {
    let entry = plan.parts.get(part).and_then(|part| entry_of(part, track));
    entries(plan, track).iter().position(|known| Some(*known) == entry).map_or(1, |at| at as u32 + 1)
}

/// What players show of a track: an edit list (§8.6.6), rows of duration and media time, and the whole duration.
fn edits(plan: &Plan, track: &TrackPlan, kind: Track) -> (Vec<(u64, i64)>, u64) {
    let (from, to) = (plan.shown.start.cast_signed(), plan.shown.end.cast_signed());
    if kind == Track::Video {
        return (vec![((to - from).cast_unsigned(), from)], (to - from).cast_unsigned());
    }
    let to_movie = |time| scaled(time, track.timescale, VIDEO_TIMESCALE);
    let begins = scaled(from, VIDEO_TIMESCALE, track.timescale) - track.begins;
    let end = to.min(to_movie(track.ends));
    let mut rows = Vec::new();
    // Sound that begins later is waited for: an empty edit.
    let silence = to_movie(-begins).clamp(0, to - from);
    if silence > 0 {
        rows.push((silence.cast_unsigned(), -1));
    }
    let heard = (end - from - silence).max(0);
    rows.push((heard.cast_unsigned(), begins.max(0)));
    (rows, (silence + heard).cast_unsigned())
}

fn skeleton(plan: &Plan) -> Skeleton {
    let mut all = Skeleton::default();
    all.put(*b"ftyp", |out| out.bytes.extend_from_slice(b"isom\0\0\x02\0isomiso2avc1mp41"));
    let tracks = [(1, Track::Video, Some(&plan.video)), (2, Track::Audio, plan.audio.as_ref())];
    all.put(*b"moov", |out| {
        let duration = plan.shown.end - plan.shown.start;
        out.put(*b"mvhd", |out| {
            out.u32s(&[1 << 24]);
            out.u64s(&[0, 0]);
            out.u32s(&[VIDEO_TIMESCALE]);
            out.u64s(&[duration]);
            out.u32s(&[ONE, 0x0100_0000, 0, 0]);
            out.u32s(&UNITY_MATRIX);
            out.u32s(&[0, 0, 0, 0, 0, 0, 3]);
        });
        for (id, kind, track) in tracks {
            if let Some(track) = track {
                out.put(*b"trak", |out| put_track(out, plan, id, kind, track));
            }
        }
    });
    all
}

fn put_track(out: &mut Skeleton, plan: &Plan, id: u32, kind: Track, track: &TrackPlan) {
    let (rows, duration) = edits(plan, track, kind);
    out.put(*b"tkhd", |out| {
        // Version 1; enabled, in the movie, in the preview.
        out.u32s(&[1 << 24 | 7]);
        out.u64s(&[0, 0]);
        out.u32s(&[id, 0]);
        out.u64s(&[duration]);
        out.u32s(&[0, 0, 0, if kind == Track::Audio { 0x0100_0000 } else { 0 }]);
        out.u32s(&UNITY_MATRIX);
        let shown = plan.media.first().and_then(|range| plan.parts.get(range.part));
        let size = shown.filter(|_| kind == Track::Video).map_or((0, 0), |part| (part.width, part.height));
        out.u32s(&[u32::from(size.0) << 16, u32::from(size.1) << 16]);
    });
    out.put(*b"edts", |out| {
        out.put(*b"elst", |out| {
            out.u32s(&[1 << 24, rows.len() as u32]);
            for (duration, media_time) in rows {
                out.u64s(&[duration, media_time.cast_unsigned()]);
                out.u32s(&[ONE]);
            }
        });
    });
    out.put(*b"mdia", |out| {
        out.put(*b"mdhd", |out| {
            out.u32s(&[1 << 24]);
            out.u64s(&[0, 0]);
            out.u32s(&[track.timescale]);
            out.u64s(&[(track.ends - track.begins).max(0).cast_unsigned()]);
            out.u32s(&[0x55c4_0000]); // language "und"
        });
        out.put(*b"hdlr", |out| {
            out.u32s(&[0, 0]);
            out.bytes.extend_from_slice(if kind == Track::Video { b"vide" } else { b"soun" });
            out.u32s(&[0, 0, 0]);
            out.bytes.extend_from_slice(b"Perch\0");
        });
        out.put(*b"minf", |out| {
            match kind {
                Track::Video => out.put(*b"vmhd", |out| out.u32s(&[1, 0, 0])),
                Track::Audio => out.put(*b"smhd", |out| out.u32s(&[0, 0])),
            }
            out.put(*b"dinf", |out| {
                out.put(*b"dref", |out| {
                    out.u32s(&[0, 1]);
                    out.put(*b"url ", |out| out.u32s(&[1])); // the samples are in this file
                });
            });
            out.put(*b"stbl", |out| put_tables(out, plan, kind, track));
        });
    });
}

fn put_tables(out: &mut Skeleton, plan: &Plan, kind: Track, track: &TrackPlan) {
    out.put(*b"stsd", |out| {
        let entries = entries(plan, kind);
        out.u32s(&[0, entries.len() as u32]);
        for entry in entries {
            out.bytes.extend_from_slice(entry);
        }
    });
    out.table(*b"stts", &[0, track.time_rows], kind, Table::Durations, track.time_rows, 8);
    if track.composition_rows > 0 {
        // Version 1: with a sign.
        let head = [1 << 24, track.composition_rows];
        out.table(*b"ctts", &head, kind, Table::Compositions, track.composition_rows, 8);
    }
    if track.keys < track.samples {
        out.table(*b"stss", &[0, track.keys], kind, Table::Keys, track.keys, 4);
    }
    out.table(*b"stsc", &[0, track.chunk_rows], kind, Table::ChunkSizes, track.chunk_rows, 12);
    out.table(*b"stsz", &[0, 0, track.samples], kind, Table::Sizes, track.samples, 4);
    out.table(*b"co64", &[0, track.chunks], kind, Table::Offsets, track.chunks, 8);
}

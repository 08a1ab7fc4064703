//! Makes the head of a progressive MP4 file: `ftyp`, `moov`, and the beginning of the `mdat` (ISO/IEC 14496-12 §8). Short boxes are made in memory
//! first; the tables, which are long, are made row by row from the indexes.

use super::placed::Placed;
use super::plan::{Chunk, Fragments, Plan, ProgressiveError, Times, Track, TrackPlan, scaled};
use super::runs::Runs;
use crate::recording::VIDEO_TIMESCALE;
use std::sync::Arc;

/// The transformation of a picture that is shown unchanged (§8.2.2.2).
const UNITY_MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];
/// Length of the `mdat`'s header with a 64-bit length (§4.2).
const MDAT_HEAD: u64 = 16;
/// A rate of 1 as 16.16.
const ONE: u32 = 0x0001_0000;

/// A table whose rows are made from the indexes, with the state of the row that has not ended.
#[derive(Debug)]
enum Table {
    /// `stts`: durations of samples (§8.6.1.2).
    Durations(Times, Runs<u32>),
    /// `ctts`: composition offsets (§8.6.1.3).
    Compositions(Runs<i32>),
    /// `stss`: samples at which decoding can start (§8.6.2). With the number of the last sample, from 1.
    Keys(u32),
    /// `stsc`: number of samples in a chunk, and their part (§8.7.4). With the number of the row's first chunk, from 1.
    ChunkSizes(Runs<(u32, usize)>, u32),
    /// `stsz`: lengths of samples (§8.7.3).
    Sizes,
    /// `co64`: positions of chunks (§8.7.5).
    Offsets,
}

impl Table {
    /// Takes the track's next chunk; appends the rows that end with it.
    fn push(&mut self, chunk: &Chunk<'_>, plan: &Plan, head_bytes: u64, track: Track, out: &mut Vec<u8>) {
        match self {
            Self::Durations(times, runs) => {
                for (begins, duration) in chunk.times() {
                    if let Some(duration) = times.push(begins, duration) {
                        put_row(runs.push(duration), |(count, duration)| [count, duration], out);
                    }
                }
            }
            Self::Compositions(runs) => {
                for sample in chunk.samples {
                    let row = runs.push(sample.composition_offset);
                    put_row(row, |(count, offset)| [count, offset.cast_unsigned()], out);
                }
            }
            Self::Keys(number) => {
                for sample in chunk.samples {
                    *number += 1;
                    if sample.is_key {
                        put_u32s(&[*number], out);
                    }
                }
            }
            Self::ChunkSizes(runs, number) => {
                let ended = runs.push((chunk.samples.len() as u32, chunk.part));
                put_row(ended, |row| chunk_row(number, row, plan, track), out);
            }
            Self::Sizes => {
                for sample in chunk.samples {
                    put_u32s(&[sample.bytes], out);
                }
            }
            Self::Offsets => out.extend_from_slice(&(head_bytes + chunk.at).to_be_bytes()),
        }
    }

    /// Once its last row has begun, says so and fills that: all samples that are left are in it, and need not be read.
    fn fill_last_row(&mut self, of_track: &TrackPlan) -> bool {
        match self {
            Self::Durations(times, runs) if runs.rows() == of_track.time_rows => {
                runs.fill(of_track.samples);
                *times = Times::default();
            }
            Self::Compositions(runs) if runs.rows() == of_track.composition_rows => {
                runs.fill(of_track.samples);
            }
            Self::ChunkSizes(runs, _) if runs.rows() == of_track.chunk_rows => runs.fill(of_track.chunks),
            _ => return false,
        }
        true
    }

    /// Appends the last rows.
    fn finish(mut self, plan: &Plan, track: Track, out: &mut Vec<u8>) {
        match &mut self {
            Self::Durations(times, runs) => {
                let ended = times.finish().and_then(|(duration, _)| runs.push(duration));
                for row in [ended, runs.finish()] {
                    put_row(row, |(count, duration)| [count, duration], out);
                }
            }
            Self::Compositions(runs) => {
                put_row(runs.finish(), |(count, offset)| [count, offset.cast_unsigned()], out);
            }
            Self::ChunkSizes(runs, number) => {
                put_row(runs.finish(), |row| chunk_row(number, row, plan, track), out);
            }
            Self::Keys(_) | Self::Sizes | Self::Offsets => {}
        }
    }
}

/// A row of `stsc`: its first chunk, the samples in each, and the number of their sample entry.
fn chunk_row(
    number: &mut u32,
    (count, (samples, part)): (u32, (u32, usize)),
    plan: &Plan,
    track: Track,
) -> [u32; 3] {
    let row = [*number, samples, entry_number(plan, track, part)];
    *number += count;
    row
}

fn put_row<T, const N: usize>(
    ended: Option<(u32, T)>,
    row: impl FnOnce((u32, T)) -> [u32; N],
    out: &mut Vec<u8>,
) {
    if let Some(ended) = ended {
        put_u32s(&row(ended), out);
    }
}

fn put_u32s(numbers: &[u32], out: &mut Vec<u8>) {
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// The place of a table's rows in the head.
#[derive(Debug)]
struct Rows {
    /// Position among the bytes that are no rows.
    at: usize,
    /// Length of all rows.
    bytes: u64,
    track: Track,
    table: Table,
}

/// The head without its tables' rows, and the places of these.
#[derive(Default)]
struct Skeleton {
    bytes: Vec<u8>,
    tables: Vec<Rows>,
    /// Bytes of all tables' rows.
    rows: u64,
}

impl Skeleton {
    fn put(&mut self, kind: [u8; 4], fill: impl FnOnce(&mut Self)) {
        let (at, rows) = (self.bytes.len(), self.rows);
        self.u32s(&[0]);
        self.bytes.extend_from_slice(&kind);
        fill(self);
        // Even the tables of several weeks are far below 4 GiB.
        let length = (self.bytes.len() - at) as u64 + self.rows - rows;
        self.bytes[at..at + 4].copy_from_slice(&(length as u32).to_be_bytes());
    }

    fn u32s(&mut self, numbers: &[u32]) {
        put_u32s(numbers, &mut self.bytes);
    }

    fn u64s(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
    }

    /// A table with this many rows, and the fields between its version and its rows.
    fn table(&mut self, kind: [u8; 4], head: &[u32], track: Track, table: Table, rows: u32, row_bytes: u64) {
        self.put(kind, |skeleton| {
            skeleton.u32s(head);
            let bytes = u64::from(rows) * row_bytes;
            skeleton.tables.push(Rows { at: skeleton.bytes.len(), bytes, track, table });
            skeleton.rows += bytes;
        });
    }
}

/// The head of a file, made piece by piece.
pub struct Head<F: Fragments> {
    plan: Arc<Plan>,
    /// Its length.
    length: u64,
    fragments: F,
    /// The bytes that are no rows, and how many of them have been returned.
    bytes: Vec<u8>,
    given: usize,
    /// Tables that have not been started.
    tables: std::vec::IntoIter<Rows>,
    /// The table being made.
    making: Option<(Placed<F::Iter>, Rows)>,
    /// Bytes to skip before anything is returned.
    skipped: u64,
}

impl<F: Fragments> Head<F> {
    /// `length`: length of the whole head.
    pub(super) fn new(plan: Arc<Plan>, length: u64, fragments: F) -> Self {
        let Skeleton { mut bytes, tables, .. } = skeleton(&plan);
        put_u32s(&[1, u32::from_be_bytes(*b"mdat")], &mut bytes);
        bytes.extend_from_slice(&(MDAT_HEAD + plan.media_bytes()).to_be_bytes());
        let tables = tables.into_iter();
        Self { plan, length, fragments, bytes, given: 0, tables, making: None, skipped: 0 }
    }

    /// Skips the next bytes. Tables that lie before the requested bytes are not made.
    pub const fn skip(&mut self, bytes: u64) {
        self.skipped += bytes;
    }

    /// Makes the next piece: at least `bytes` bytes, fewer at the end of the head, none after it.
    ///
    /// # Errors
    ///
    /// If the fragments can no longer be read.
    pub fn read(&mut self, least: usize) -> Result<Vec<u8>, ProgressiveError> {
        let mut out = Vec::new();
        while out.len() < least {
            if let Some((mut placed, mut rows)) = self.making.take() {
                let is_filled = rows.table.fill_last_row(self.plan.track(rows.track));
                let Some(found) = (!is_filled).then(|| placed.next()).flatten() else {
                    rows.table.finish(&self.plan, rows.track, &mut out);
                    self.leave_out(&mut out);
                    continue;
                };
                let (fragment, place) = found?;
                if let Some(chunk) = self.plan.chunk(rows.track, &fragment, &place) {
                    rows.table.push(&chunk, &self.plan, self.length, rows.track, &mut out);
                }
                self.making = Some((placed, rows));
            } else {
                let next = self.tables.next();
                let until = next.as_ref().map_or(self.bytes.len(), |rows| rows.at);
                out.extend_from_slice(&self.bytes[self.given..until]);
                self.given = until;
                self.leave_out(&mut out);
                match next {
                    Some(rows) if rows.bytes <= self.skipped => self.skipped -= rows.bytes,
                    Some(rows) => self.making = Some((self.plan.placed(&self.fragments)?, rows)),
                    None => break,
                }
            }
            self.leave_out(&mut out);
        }
        Ok(out)
    }

    fn leave_out(&mut self, out: &mut Vec<u8>) {
        let left_out = self.skipped.min(out.len() as u64);
        out.drain(..left_out as usize);
        self.skipped -= left_out;
    }
}

/// Length of the head.
pub(super) fn length(plan: &Plan) -> u64 {
    let skeleton = skeleton(plan);
    skeleton.bytes.len() as u64 + skeleton.rows + MDAT_HEAD
}

/// The different sample entries of a track, in the order of the parts.
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

/// Number of the part's sample entry, from 1 as in `stsc`.
fn entry_number(plan: &Plan, track: Track, part: usize) -> u32 {
    let entry = plan.parts.get(part).and_then(|part| entry_of(part, track));
    entries(plan, track).iter().position(|known| Some(*known) == entry).map_or(1, |at| at as u32 + 1)
}

/// The edit list of a track (§8.6.6): rows of duration and media time, and the whole duration.
fn edits(plan: &Plan, track: &TrackPlan, kind: Track) -> (Vec<(u64, i64)>, u64) {
    let (from, to) = (plan.shown.start.cast_signed(), plan.shown.end.cast_signed());
    if kind == Track::Video {
        return (vec![((to - from).cast_unsigned(), from)], (to - from).cast_unsigned());
    }
    let to_movie = |time| scaled(time, track.timescale, VIDEO_TIMESCALE);
    let begins = scaled(from, VIDEO_TIMESCALE, track.timescale) - track.begins;
    let end = to.min(to_movie(track.ends));
    let mut rows = Vec::new();
    // An empty edit delays sound that begins later.
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
    out.table(
        *b"stts",
        &[0, track.time_rows],
        kind,
        Table::Durations(Times::default(), Runs::default()),
        track.time_rows,
        8,
    );
    if track.composition_rows > 0 {
        // Version 1 has signed offsets.
        let head = [1 << 24, track.composition_rows];
        out.table(*b"ctts", &head, kind, Table::Compositions(Runs::default()), track.composition_rows, 8);
    }
    if track.keys < track.samples {
        out.table(*b"stss", &[0, track.keys], kind, Table::Keys(0), track.keys, 4);
    }
    out.table(
        *b"stsc",
        &[0, track.chunk_rows],
        kind,
        Table::ChunkSizes(Runs::default(), 1),
        track.chunk_rows,
        12,
    );
    out.table(*b"stsz", &[0, 0, track.samples], kind, Table::Sizes, track.samples, 4);
    out.table(*b"co64", &[0, track.chunks], kind, Table::Offsets, track.chunks, 8);
}

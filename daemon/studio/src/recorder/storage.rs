//! How much of the card recordings take, for people.

use super::keeping::{Card, Limits, next_to_go, used};
use super::wear::Disk;
use perch_store::{Recording, RecordingState, Timestamp};
use std::path::PathBuf;
use std::time::Duration;

const DAY_MS: u64 = 86_400_000;
/// The bytes written a day are the mean over this many days.
const DAYS: u64 = 7;

/// How full the card is, how much of it recordings take, and how long it lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// The folder of the recordings.
    pub folder: PathBuf,
    /// Size and free space of the card; `None` if the folder is missing.
    pub card: Option<Card>,
    /// Bytes of all recordings.
    pub used: u64,
    /// Number of recordings.
    pub recordings: usize,
    /// Bytes that recordings may take; `None` if the folder is missing.
    pub budget: Option<u64>,
    /// Bytes of the card that recordings leave free.
    pub keep_free: u64,
    /// Days after which a recording is deleted; 0: never.
    pub keep_days: u32,
    /// Bytes an hour of what is being recorded now, or else of the newest recording.
    pub written_per_hour: Option<u64>,
    /// Bytes of recordings a day, over the last week.
    pub written_per_day: u64,
    /// How long a recording is kept if people go on recording like this.
    pub keeps_for: Option<Duration>,
    /// The one that is deleted when room is needed.
    pub goes_next: Option<Recording>,
    /// The folder's disk; `None` if the kernel knows none, or the folder is missing.
    pub disk: Option<Disk>,
    /// True if the disk can only be read, or is mounted read-only.
    pub is_read_only: bool,
    /// Why some stream is not recorded just now, in words.
    pub trouble: Option<String>,
}

/// The first three figures of a report: bytes an hour, bytes a day, and how long recordings are kept.
pub(super) fn report(
    all: &[Recording],
    limits: Option<&Limits>,
    now: Timestamp,
) -> (Option<u64>, u64, Option<Duration>) {
    let growing = all.iter().filter(|recording| recording.state == RecordingState::Recording);
    let rates: Vec<u64> = growing.filter_map(per_hour).collect();
    let newest = all.iter().max_by_key(|recording| recording.started_at);
    let written_per_hour =
        if rates.is_empty() { newest.and_then(per_hour) } else { Some(rates.iter().sum()) };

    let age_ms = |recording: &Recording| now.unix_millis().abs_diff(recording.started_at.unix_millis());
    let recent: Vec<_> = all.iter().filter(|recording| age_ms(recording) < DAYS * DAY_MS).collect();
    let oldest_ms = recent.iter().map(|recording| age_ms(recording)).max().unwrap_or_default();
    let bytes: u64 = recent.iter().map(|recording| recording.bytes).sum();
    let written_per_day = scaled(bytes, DAY_MS, oldest_ms.max(DAY_MS));
    let keeps_for = limits
        .filter(|_| written_per_day > 0)
        .map(|limits| Duration::from_secs(scaled(limits.budget, 86_400, written_per_day)));
    (written_per_hour, written_per_day, keeps_for)
}

/// Bytes an hour; `None` if the recording is too short to tell.
fn per_hour(recording: &Recording) -> Option<u64> {
    (recording.duration_ms >= 1000).then(|| scaled(recording.bytes, 3_600_000, recording.duration_ms))
}

fn scaled(value: u64, by: u64, over: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(by) / u128::from(over.max(1))).unwrap_or(u64::MAX)
}

impl Storage {
    pub(super) fn new(
        folder: PathBuf,
        card: Option<Card>,
        settings: &crate::config::Recording,
        all: &[Recording],
        now: Timestamp,
    ) -> Self {
        let limits = card.map(|card| Limits::new(settings, card, used(all), Some(now)));
        let (written_per_hour, written_per_day, keeps_for) = report(all, limits.as_ref(), now);
        Self {
            folder,
            card,
            used: used(all),
            recordings: all.len(),
            budget: limits.map(|limits| limits.budget),
            keep_free: settings.keep_free,
            keep_days: settings.keep_days,
            written_per_hour,
            written_per_day,
            keeps_for,
            goes_next: next_to_go(all).first().map(|recording| (*recording).clone()),
            disk: None,
            is_read_only: false,
            trouble: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Budget, Recording as Settings};
    use perch_store::StreamId;

    fn recording(number: u64, state: RecordingState, started_days_ago: i64) -> Recording {
        Recording {
            stream: StreamId::from_number(number.into()),
            name: number.to_string(),
            parts: 1,
            bytes: 1_000_000,
            duration_ms: 1_800_000,
            started_at: Timestamp::from_unix_millis(
                1_795_000_000_000 - started_days_ago * DAY_MS.cast_signed(),
            ),
            state,
            is_pinned: false,
            is_date_provisional: false,
            is_name_outdated: false,
        }
    }

    fn storage(all: &[Recording]) -> Storage {
        let card = Card { total: 100_000_000, free: 12_500_000 - used(all) };
        let settings = Settings { budget: Budget::Percent(80), ..Settings::default() };
        let now = Timestamp::from_unix_millis(1_795_000_000_000);
        Storage::new("/f".into(), Some(card), &settings, all, now)
    }

    #[test]
    fn an_empty_card_promises_nothing() {
        let storage = storage(&[]);
        assert_eq!((storage.written_per_hour, storage.written_per_day, storage.keeps_for), (None, 0, None));
        assert_eq!((storage.budget, storage.goes_next), (Some(10_000_000), None));
    }

    #[test]
    fn it_says_how_long_the_card_lasts() {
        let day = Duration::from_hours(24);
        // Everything on one day.
        let one = storage(&[recording(1, RecordingState::Ended, 0)]);
        assert_eq!(
            (one.written_per_hour, one.written_per_day, one.keeps_for),
            (Some(2_000_000), 1_000_000, Some(day * 10))
        );
        // One of two days ago, and two that are growing, which are added up.
        let two = storage(&[
            recording(1, RecordingState::Ended, 2),
            recording(2, RecordingState::Recording, 0),
            recording(3, RecordingState::Recording, 0),
        ]);
        assert_eq!((two.written_per_hour, two.written_per_day), (Some(4_000_000), 1_500_000));
        assert_eq!(two.goes_next.unwrap().name, "1");
        let eight: Vec<_> =
            (0..8).map(|age| recording(age, RecordingState::Ended, age.cast_signed())).collect();
        assert_eq!(
            storage(&eight).written_per_day,
            7_000_000 / 6,
            "what is older than a week does not count"
        );
        assert_eq!(storage(&eight).goes_next.unwrap().name, "7");
    }
}

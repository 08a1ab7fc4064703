//! Decides which recordings are kept: the oldest unpinned one is deleted first, as a whole, until the rest fits.

use crate::config::{Budget, Recording as Settings};
use perch_store::{Recording, RecordingState, Timestamp};

/// Size and free space of a card, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Its size.
    pub total: u64,
    /// Free space for a program without privileges.
    pub free: u64,
}

/// Limits for recordings on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Largest sum of all recordings, in bytes.
    pub(super) budget: u64,
    /// Bytes that must stay free.
    pub(super) keep_free: u64,
    /// Recordings that began earlier are deleted.
    pub(super) oldest: Option<Timestamp>,
}

const DAY_MS: i64 = 86_400_000;

impl Limits {
    /// The configured limits on a card on which recordings already take `used` bytes. `now` is `None` while the clock cannot be trusted: then nothing is
    /// too old.
    pub(super) fn new(settings: &Settings, card: Card, used: u64, now: Option<Timestamp>) -> Self {
        let for_us = card.free.saturating_add(used);
        let budget = match settings.budget {
            Budget::Percent(percent) => for_us / 100 * u64::from(percent),
            Budget::Bytes(bytes) => bytes,
        };
        let days = i64::from(settings.keep_days);
        let oldest = now.filter(|_| days > 0).map(|now| now.unix_millis() - days * DAY_MS);
        let oldest = oldest.map(Timestamp::from_unix_millis);
        Self { budget, keep_free: settings.keep_free, oldest }
    }

    /// True if a recording must be deleted even if there is room.
    pub(super) fn is_too_old(&self, recording: &Recording) -> bool {
        !recording.is_date_provisional && self.oldest.is_some_and(|oldest| recording.started_at < oldest)
    }

    /// True if `used` bytes of recordings and `free` free bytes are within the limits.
    const fn allow(&self, used: u64, free: u64) -> bool {
        used <= self.budget && free >= self.keep_free
    }
}

/// Recordings to delete so that `wanted` more bytes fit, and whether they fit then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict<'a> {
    pub(super) delete: Vec<&'a Recording>,
    pub(super) has_room: bool,
}

/// Takes all recordings, including those that are growing.
pub(super) fn judge<'a>(all: &'a [Recording], card: Card, limits: &Limits, wanted: u64) -> Verdict<'a> {
    let used = used(all).saturating_add(wanted);
    let has_room = |gone: u64| {
        let free = card.free.saturating_add(gone);
        limits.allow(used.saturating_sub(gone), free.saturating_sub(wanted)) && free >= wanted
    };
    let mut gone = 0;
    let mut delete = Vec::new();
    for recording in next_to_go(all) {
        if !limits.is_too_old(recording) && has_room(gone) {
            break;
        }
        gone += recording.bytes;
        delete.push(recording);
    }
    Verdict { delete, has_room: has_room(gone) }
}

/// The recordings that may be deleted, first to go first.
pub(super) fn next_to_go(all: &[Recording]) -> Vec<&Recording> {
    let mut order: Vec<_> = all
        .iter()
        .filter(|recording| recording.state == RecordingState::Ended && !recording.is_pinned)
        .collect();
    order.sort_by_key(|recording| (recording.started_at, recording.stream));
    order
}

/// Sum of their bytes.
pub(super) fn used(all: &[Recording]) -> u64 {
    all.iter().map(|recording| recording.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::StreamId;
    use proptest::prelude::*;

    fn recording(number: u64, bytes: u64) -> Recording {
        Recording {
            stream: StreamId::from_number(number.into()),
            name: number.to_string(),
            parts: 1,
            bytes,
            duration_ms: 0,
            started_at: Timestamp::from_unix_millis(number.cast_signed() * DAY_MS),
            state: RecordingState::Ended,
            is_pinned: false,
            is_date_provisional: false,
            is_name_outdated: false,
        }
    }

    fn names(verdict: &Verdict<'_>) -> Vec<String> {
        verdict.delete.iter().map(|recording| recording.name.clone()).collect()
    }

    const NO_AGE: Limits = Limits { budget: 100, keep_free: 10, oldest: None };

    #[test]
    fn the_oldest_unpinned_go_until_the_rest_has_room() {
        for count in [1, 2, 8] {
            let mut all: Vec<_> = (1..=count).rev().map(|number| recording(number, 100)).collect();
            let card = Card { total: 2000, free: 1000 };
            // All but one.
            let verdict = judge(&all, card, &NO_AGE, 0);
            let gone: Vec<_> = (1..count).map(|number| number.to_string()).collect();
            assert_eq!((names(&verdict), verdict.has_room), (gone, true));
            all.last_mut().unwrap().is_pinned = true;
            let verdict = judge(&all, card, &NO_AGE, 0);
            assert!(!names(&verdict).contains(&"1".to_owned()), "it is pinned");
        }
    }

    #[test]
    fn what_grows_or_is_pinned_stays_also_where_there_is_no_room_then() {
        let growing = Recording { state: RecordingState::Recording, ..recording(1, 90) };
        let pinned = Recording { is_pinned: true, ..recording(2, 90) };
        let all = [growing, pinned, recording(3, 5)];
        let verdict = judge(&all, Card { total: 300, free: 115 }, &NO_AGE, 0);
        assert_eq!((names(&verdict), verdict.has_room), (vec!["3".to_owned()], false));
    }

    #[test]
    fn the_floor_counts_beside_the_budget() {
        let all = [recording(1, 20), recording(2, 20)];
        let verdict = judge(&all, Card { total: 100, free: 15 }, &NO_AGE, 10);
        assert_eq!((names(&verdict), verdict.has_room), (vec!["1".to_owned()], true));
    }

    #[test]
    fn what_is_too_old_goes_whatever_room_there_is() {
        let settings = Settings { keep_days: 3, budget: Budget::Percent(50), ..Settings::default() };
        let now = Timestamp::from_unix_millis(5 * DAY_MS);
        let card = Card { total: 1 << 40, free: 1 << 39 };
        let all = [recording(1, 1), recording(2, 1), recording(3, 1)];
        let limits = Limits::new(&settings, card, 0, Some(now));
        assert_eq!(limits.budget, (1 << 39) / 100 * 50);
        assert_eq!(names(&judge(&all, card, &limits, 0)), ["1"]);
        // Before the clock is set.
        let limits = Limits::new(&settings, card, 0, Some(Timestamp::from_unix_millis(9)));
        assert_eq!(names(&judge(&all, card, &limits, 0)), [""; 0]);
    }

    proptest! {
        #[test]
        fn nothing_is_deleted_that_need_not_be(
            sizes in prop::collection::vec((1_u64..50, any::<bool>()), 0..12), free in 0_u64..200, wanted in 0_u64..50,
        ) {
            let all: Vec<_> = (0..).zip(sizes).map(|(number, (bytes, is_pinned))| Recording { is_pinned, ..recording(number, bytes) }).collect();
            let card = Card { total: 1000, free };
            let verdict = judge(&all, card, &NO_AGE, wanted);
            let fits = |deleted: &[&Recording]| {
                let gone: u64 = deleted.iter().map(|recording| recording.bytes).sum();
                used(&all) - gone + wanted <= NO_AGE.budget && (free + gone).saturating_sub(wanted) >= NO_AGE.keep_free
            };
            prop_assert!(verdict.delete.iter().all(|recording| !recording.is_pinned));
            prop_assert_eq!(verdict.has_room, fits(&verdict.delete));
            if let Some((_, fewer)) = verdict.delete.split_last() {
                prop_assert!(!fits(fewer));
            }
        }
    }
}

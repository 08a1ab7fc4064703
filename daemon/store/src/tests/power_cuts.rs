//! Power cuts: a card keeps what was synced, and any subset of the writes since then, in whole 512-byte sectors.

use super::{assert_sound, at, message, new_stream, user};
use crate::failure::{Failure, Outcome};
use crate::{EndReason, Reaction, Store, StoreError, StreamId, schema, tables};
use proptest::prelude::*;
use redb::{Database, ReadableTableMetadata as _, StorageBackend};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const SECTOR: usize = 512;

/// The bytes that are certain to be on the card, those written since, and the number of calls until the power fails.
#[derive(Debug, Default)]
struct Card {
    synced: Vec<u8>,
    cached: Vec<u8>,
    dirty: Vec<usize>,
    calls_left: usize,
    /// The next call that reads fails, as at a bad sector.
    fails_to_read: bool,
    /// The sectors that take room: a file that grows has none in its new part until it is written to.
    taken: BTreeSet<usize>,
    /// How many there can be; `None`: any number.
    room: Option<usize>,
}

#[derive(Clone, Debug)]
struct Backend(Arc<Mutex<Card>>);

impl Card {
    /// Counts a call that changes the card; fails once the power is gone.
    fn powered(&mut self) -> Result<(), std::io::Error> {
        self.calls_left =
            self.calls_left.checked_sub(1).ok_or_else(|| std::io::Error::other("power is gone"))?;
        Ok(())
    }

    /// The card after the cut: `survives` decides for each sector written since the last sync whether it is there.
    fn after_power_cut(&self, mut survives: impl FnMut() -> bool) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        if survives() {
            bytes.resize(self.cached.len(), 0);
        }
        for &sector in &self.dirty {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.cached.len()).min(bytes.len());
            if !range.is_empty() && survives() {
                bytes[range.clone()].copy_from_slice(&self.cached[range]);
            }
        }
        bytes
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(self.0.lock().unwrap().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let mut card = self.0.lock().unwrap();
        if std::mem::take(&mut card.fails_to_read) {
            return Err(std::io::Error::other("bad sector"));
        }
        let range = offset as usize..offset as usize + out.len();
        out.copy_from_slice(
            card.cached.get(range).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))?,
        );
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        let mut card = self.0.lock().unwrap();
        card.powered()?;
        card.cached.resize(len as usize, 0);
        card.taken.split_off(&(len as usize).div_ceil(SECTOR));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        let mut card = self.0.lock().unwrap();
        card.powered()?;
        card.synced = card.cached.clone();
        card.dirty.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        let mut card = self.0.lock().unwrap();
        card.powered()?;
        let offset = offset as usize;
        let sectors = offset / SECTOR..=(offset + data.len() - 1) / SECTOR;
        let new = sectors.clone().filter(|sector| !card.taken.contains(sector)).count();
        if card.room.is_some_and(|room| card.taken.len() + new > room) {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        card.taken.extend(sectors.clone());
        card.cached[offset..offset + data.len()].copy_from_slice(data);
        card.dirty.extend(sectors);
        Ok(())
    }
}

fn open(card: &Arc<Mutex<Card>>) -> Result<Store, StoreError> {
    let path = PathBuf::from("card");
    let database = database(card)?;
    schema::bring_up_to_date(&database, &path)?;
    let card = card.clone();
    Ok(Store::of(database, path, Box::new(move || self::database(&card))))
}

fn database(card: &Arc<Mutex<Card>>) -> Result<Database, StoreError> {
    let opened = crate::file::builder().create_with_backend(Backend(card.clone()));
    opened.map_err(|error| StoreError::io(Path::new("card"), "open", error.into()))
}

fn made() -> Vec<u8> {
    let card = Arc::new(Mutex::new(Card { calls_left: usize::MAX, ..Card::default() }));
    drop(open(&card).unwrap());
    let card = card.lock().unwrap();
    assert_eq!(card.synced, card.cached, "closing syncs");
    card.synced.clone()
}

fn holding(bytes: Vec<u8>, calls_left: usize) -> Arc<Mutex<Card>> {
    let (synced, cached) = (bytes.clone(), bytes);
    let taken = (0..synced.len().div_ceil(SECTOR)).collect();
    Arc::new(Mutex::new(Card { synced, cached, calls_left, taken, ..Card::default() }))
}

/// xorshift64: reproducible from proptest's seed.
fn coin(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state & 4 == 0
    }
}

/// Writes a stream with a message and a like; returns the part that was acknowledged.
fn write_some(store: &Store, number: u64) -> Option<(StreamId, u64)> {
    let ana = store.user_by_name("ana").ok()?.id;
    if let Some(left) = store.stream_on_camera("front").ok()? {
        store.end_stream(left.facts.id, EndReason::Interruption, at(1)).ok()?;
    }
    let stream = store.start_stream(&new_stream(ana, "front", "Owls"), at(1)).ok()?.facts.id;
    let sent = store.append_messages(&[message(stream, ana, number, "hello")], at(1));
    if sent.is_err() || store.react(ana, stream, Some(Reaction::Like)).is_err() {
        return Some((stream, 0));
    }
    Some((stream, 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Several power cuts at any write, each followed by a repair that may be interrupted, too.
    #[test]
    fn no_power_cut_takes_what_was_acknowledged_or_leaves_half_of_it(
        cuts in prop::collection::vec((0..150usize, any::<u64>()), 1..5),
    ) {
        let card = holding(made(), usize::MAX);
        user(&open(&card).unwrap(), "ana");
        let mut bytes = card.lock().unwrap().synced.clone();
        let mut acknowledged = Vec::new();
        for (calls_left, seed) in cuts {
            let card = holding(bytes, calls_left);
            if let Ok(store) = open(&card) {
                // Without power nothing succeeds; `calls_left` limits how often anything does.
                acknowledged.extend((0..).map_while(|number| write_some(&store, number)));
            }
            bytes = card.lock().unwrap().after_power_cut(coin(seed));
        }
        let store = open(&holding(bytes, usize::MAX)).expect("a power cut never makes the store unreadable");
        assert_sound(&store);
        for (stream, likes) in acknowledged {
            prop_assert!(store.stream(stream).unwrap().facts.likes >= likes);
            prop_assert!(store.messages_after(stream, None, 9).unwrap().len() as u64 >= likes);
        }
    }
}

/// After one failed write, redb refuses everything, reads included, until the file is opened again.
#[test]
fn a_card_that_was_full_for_a_while_does_not_end_the_site() {
    let card = Arc::new(Mutex::new(Card { calls_left: usize::MAX, ..Card::default() }));
    let store = open(&card).unwrap();
    let ana = user(&store, "ana");
    card.lock().unwrap().calls_left = 0;
    for _ in 0..3 {
        assert!(matches!(store.set_avatar(ana, Some(b"picture")), Err(StoreError::Io { .. })));
    }
    card.lock().unwrap().calls_left = usize::MAX;
    assert_eq!(store.topics().unwrap().len(), 8);
    store.set_avatar(ana, Some(b"picture")).unwrap();
    assert_eq!(store.avatar(ana).unwrap().unwrap(), b"picture");
}

/// A store that reads every page from `card` anew.
fn uncached(card: &Arc<Mutex<Card>>) -> Store {
    let database = |card: &Arc<Mutex<Card>>| {
        let opened = crate::file::builder().set_cache_size(0).create_with_backend(Backend(card.clone()));
        opened.map_err(|error| StoreError::io(Path::new("card"), "open", error.into()))
    };
    let first = database(card).unwrap();
    schema::bring_up_to_date(&first, Path::new("card")).unwrap();
    let card = card.clone();
    Store::of(first, PathBuf::from("card"), Box::new(move || database(&card)))
}

fn until_refused(call: impl Fn() -> Outcome<u64>) -> Failure {
    loop {
        if let Err(refused) = call() {
            return refused;
        }
    }
}

/// redb refuses every call after one that failed, also the calls that ran beside it: they are tried again on the file opened anew.
#[test]
fn a_call_beside_one_that_fails_does_not_fail_too() {
    let card = Arc::new(Mutex::new(Card { calls_left: usize::MAX, ..Card::default() }));
    let store = uncached(&card);
    let ana = user(&store, "ana");
    let tries = Cell::new(0);
    std::thread::scope(|scope| {
        // A read, beside a write that fails.
        let read = store.read(|transaction| {
            tries.set(tries.get() + 1);
            let topics = || Ok::<_, Failure>(transaction.open_table(tables::TOPICS)?.len()?);
            if tries.get() == 1 {
                card.lock().unwrap().calls_left = 0;
                scope.spawn(|| store.set_avatar(ana, Some(b"picture")).unwrap_err());
                let refused = until_refused(topics);
                card.lock().unwrap().calls_left = usize::MAX;
                return Err(refused);
            }
            topics()
        });
        assert_eq!((read.unwrap(), tries.get()), (8, 2));
    });
    std::thread::scope(|scope| {
        // A write, beside a read that fails.
        tries.set(0);
        let written = store.write(|transaction| {
            tries.set(tries.get() + 1);
            let topics = || Ok::<_, Failure>(transaction.open_table(tables::TOPICS)?.len()?);
            if tries.get() == 1 {
                card.lock().unwrap().fails_to_read = true;
                scope.spawn(|| store.topics().unwrap_err());
                while card.lock().unwrap().fails_to_read {
                    std::thread::yield_now();
                }
                return Err(until_refused(topics));
            }
            topics()
        });
        assert_eq!((written.unwrap(), tries.get()), (8, 2));
    });
}

/// A full card has the room that was kept back for it (reserve.rs), and what is deleted makes more: the file need not grow again.
#[test]
fn what_is_too_old_is_deleted_on_a_full_card_too() {
    const ROOM: usize = (3 << 20) / SECTOR;
    const RESERVE: usize = (1 << 20) / SECTOR;
    let card = holding(made(), usize::MAX);
    let store = open(&card).unwrap();
    let ana = user(&store, "ana");
    let stream = store.start_stream(&new_stream(ana, "front", "Owls"), at(1)).unwrap().facts.id;
    store.end_stream(stream, EndReason::User, at(2)).unwrap();
    card.lock().unwrap().room = Some(ROOM);
    let text = "x".repeat(400);
    let new: Vec<_> = (0..100).map(|offset| message(stream, ana, offset, &text)).collect();
    let full = loop {
        if let Err(error) = store.append_messages(&new, at(3)) {
            break error;
        }
    };
    assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
    card.lock().unwrap().room = Some(ROOM + RESERVE);
    let later = at(1_000 * 86_400);
    let deleted: usize = super::retention::swept(&store, later).into_iter().sum();
    assert!(deleted > 1_000, "{deleted}");
    assert!(store.stream(stream).is_err());
    assert_sound(&store);
    let stream = store.start_stream(&new_stream(ana, "front", "Owls"), later).unwrap().facts.id;
    let new: Vec<_> = (0..100).map(|offset| message(stream, ana, offset, &text)).collect();
    for _ in 0..deleted / 200 {
        store.append_messages(&new, later).unwrap();
    }
}

//! Store files written by earlier versions open and keep their content.

use super::*;
use crate::reads::Reads as _;
use crate::tables::COUNTERS;
use crate::{Backup, Recording, RecordingState, Registration};
use flate2::read::GzDecoder;
use redb::ReadableTable as _;
use std::io::Read as _;

/// Written by the code of version 1: `Store::open`, then 4,321 media sequence numbers taken. Nothing reads that counter
/// today.
const VERSION_1: &[u8] = include_bytes!("../../tests/fixtures/schema-1.redb.gz");
/// Written by the code of version 2: an owner, an ended stream with a message, and a live one.
const VERSION_2: &[u8] = include_bytes!("../../tests/fixtures/schema-2.redb.gz");

/// Written by the code of version 3: an owner with the digest of a stream key, settings, a relay, and a live stream.
const VERSION_3: &[u8] = include_bytes!("../../tests/fixtures/schema-3.redb.gz");

/// The path of a store file of an earlier version.
fn unpacked(packed: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perch.redb");
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[test]
fn a_store_of_version_2_is_migrated_and_can_hold_recordings() {
    let (_dir, path) = unpacked(VERSION_2);
    let store = Store::open(&path).unwrap();
    let [live] = &store.unfinished_streams().unwrap()[..] else { panic!("one stream is live") };
    assert_eq!(live.details.title, "Night");
    let settings = store.settings().unwrap();
    let as_before = (Registration::Open, Role::Streamer);
    assert_eq!(
        (settings.registration, settings.new_user_role),
        as_before,
        "its owner left them as they were"
    );
    let recording = Recording {
        stream: live.facts.id,
        name: "2026-11-18 Night".to_owned(),
        parts: 1,
        bytes: 0,
        duration_ms: 0,
        started_at: at(50),
        state: RecordingState::Recording,
        is_pinned: false,
        is_date_provisional: false,
        is_name_outdated: false,
    };
    assert_eq!(store.all_recordings().unwrap(), []);
    store.put_recording(&recording).unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.recording(recording.stream).unwrap(), Some(recording));
    assert_sound(&store);
}

#[test]
fn a_store_of_version_3_is_migrated_and_can_hold_ingest_keys() {
    let (_dir, path) = unpacked(VERSION_3);
    let store = Store::open(&path).unwrap();
    let ana = store.user_by_name("ana").unwrap().id;
    // Nobody knows the key of a digest.
    assert_eq!((store.ingest_key(ana).unwrap(), store.user_by_ingest_key(&[7; 32]).unwrap()), (None, None));
    let settings = store.settings().unwrap();
    assert_eq!((settings.site_name.as_str(), settings.ingest), ("Nest", None));
    let chosen = (settings.registration, settings.new_user_role);
    assert_eq!(chosen, (Registration::Open, Role::Streamer), "what the owner chose stays");
    assert!(matches!(refusal(store.must_be_free("\u{430}na")), Refusal::UsernameAlike { .. }));
    let [relay] = &store.relays().unwrap()[..] else { panic!("one relay") };
    assert_eq!((relay.url.as_str(), relay.key.is_some()), ("rtmp://example.org/live", true));
    store.set_ingest_key(ana, Some((&[8; 32], &crate::IngestKey::new("key")))).unwrap();
    store.change_settings(|settings| settings.ingest = Some(true)).unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.user_by_ingest_key(&[8; 32]).unwrap().unwrap().id, ana);
    assert_eq!(store.settings().unwrap().ingest, Some(true));
    assert_sound(&store);
}

fn media_sequence(store: &Store) -> Option<u64> {
    store.read(|tx| Ok(tx.reading(COUNTERS)?.get("media_sequence")?.map(|next| next.value()))).unwrap()
}

#[test]
fn a_store_of_version_1_is_migrated_and_keeps_what_is_no_longer_read() {
    let (_dir, path) = unpacked(VERSION_1);
    {
        let store = Store::open(&path).unwrap();
        assert_eq!(media_sequence(&store), Some(4321));
        assert_eq!(store.topics().unwrap().len(), 8);
        store.delete_topic(topic(&store, "Gaming")).unwrap();
        store.create_owner(&new_user("ana"), at(0)).unwrap();
        assert_sound(&store);
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(media_sequence(&store), Some(4321));
    assert_eq!(store.topics().unwrap().len(), 7, "the starting set comes once");
    assert_sound(&store);
}

#[test]
fn backups_that_hold_the_counter_of_segments_are_restored_and_imported() {
    let dir = tempfile::tempdir().unwrap();
    let [backup, kept] = ["backup", "kept"].map(|name| dir.path().join(name));
    let (_dir, by_hand) = unpacked(VERSION_1);
    let restored = Store::restore(&by_hand, &dir.path().join("restored"), at(60)).unwrap();
    assert_sound(&restored);
    assert_eq!(media_sequence(&restored), Some(4321));
    restored.create_owner(&new_user("ana"), at(61)).unwrap();
    restored.back_up(&backup, at(62)).unwrap();

    let store = Store::open(&dir.path().join("store")).unwrap();
    store.create_owner(&new_user("bea"), at(0)).unwrap();
    store.replace_with(Backup::check(&backup, at(63)).unwrap(), &kept).unwrap();
    assert!(store.user_by_name("ana").is_ok());
    assert_sound(&store);
}

#[test]
fn a_new_store_has_what_a_migrated_one_has() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("perch.redb")).unwrap();
    assert_eq!(store.topics().unwrap(), in_memory().topics().unwrap());
    let settings = store.settings().unwrap();
    assert_eq!((settings.registration, settings.new_user_role), (Registration::Approval, Role::Viewer));
    assert!(!store.has_owner().unwrap());
    assert_sound(&store);
}

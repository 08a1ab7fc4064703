//! A store file that an earlier version wrote opens, and holds what it held.

use super::*;
use crate::Backup;
use crate::reads::Reads as _;
use crate::tables::COUNTERS;
use flate2::read::GzDecoder;
use redb::ReadableTable as _;
use std::io::Read as _;
use std::path::Path;

/// Written by the code of version 1: `Store::open`, then 4,321 media sequence numbers given. That counter is read by nobody today.
const VERSION_1: &[u8] = include_bytes!("../../tests/fixtures/schema-1.redb.gz");

fn store_of_version_1(path: &Path) {
    let mut bytes = Vec::new();
    GzDecoder::new(VERSION_1).read_to_end(&mut bytes).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn media_sequence(store: &Store) -> Option<u64> {
    store.read(|tx| Ok(tx.reading(COUNTERS)?.get("media_sequence")?.map(|next| next.value()))).unwrap()
}

#[test]
fn a_store_of_version_1_is_migrated_and_keeps_what_is_no_longer_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perch.redb");
    store_of_version_1(&path);
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
    let [by_hand, backup, kept] = ["by hand", "backup", "kept"].map(|name| dir.path().join(name));
    store_of_version_1(&by_hand);
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
    assert!(!store.has_owner().unwrap());
    assert_sound(&store);
}

//! A store file that an earlier version wrote opens, and holds what it held.

use super::*;
use flate2::read::GzDecoder;
use std::io::Read as _;

/// Written by the code of version 1: `Store::open`, then `reserve_media_sequence(4321)`.
const VERSION_1: &[u8] = include_bytes!("../../tests/fixtures/schema-1.redb.gz");

#[test]
fn a_store_of_version_1_is_migrated_and_keeps_its_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perch.redb");
    let mut bytes = Vec::new();
    GzDecoder::new(VERSION_1).read_to_end(&mut bytes).unwrap();
    std::fs::write(&path, bytes).unwrap();
    {
        let store = Store::open(&path).unwrap();
        assert_eq!(store.reserve_media_sequence(1).unwrap(), 4321);
        assert_eq!(store.topics().unwrap().len(), 8);
        store.delete_topic(topic(&store, "Gaming")).unwrap();
        store.create_owner(&new_user("ana"), at(0)).unwrap();
        assert_sound(&store);
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(store.reserve_media_sequence(1).unwrap(), 4322);
    assert_eq!(store.topics().unwrap().len(), 7, "the starting set comes once");
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

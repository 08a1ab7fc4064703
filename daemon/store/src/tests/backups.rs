use super::*;
use std::path::Path;

fn fill(store: &Store) -> StreamId {
    let ana = store.create_owner(&new_user("ana"), at(0)).unwrap().id;
    store.open_session(ana, &[1; 32], "", at(0), at(99)).unwrap();
    store.set_avatar(ana, Some(b"picture")).unwrap();
    store.reserve_media_sequence(500).unwrap();
    let stream = start(store, ana, "front");
    store.append_messages(&[message(stream, ana, 1, "hello")], at(1)).unwrap();
    stream
}

fn opened(dir: &Path, name: &str) -> Store {
    Store::open(&dir.join(name)).unwrap()
}

#[test]
fn a_backup_is_one_moment_and_restores_into_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let store = opened(dir.path(), "old");
    let stream = fill(&store);
    store.back_up(&backup).unwrap();
    user(&store, "afterwards");
    let kept = std::fs::read(&backup).unwrap();
    assert!(matches!(store.back_up(&backup), Err(StoreError::Exists { .. })));

    // Into a store that has given numbers, but has no accounts.
    opened(dir.path(), "new").reserve_media_sequence(40_000_000).unwrap();
    let restored = Store::restore(&backup, &dir.path().join("new")).unwrap();
    assert_sound(&restored);
    let ana = restored.user_by_name("ana").unwrap();
    assert!(restored.user_by_name("afterwards").is_err());
    assert_eq!(restored.avatar(ana.id).unwrap().unwrap(), b"picture");
    assert_eq!(restored.messages_after(stream, None, 9).unwrap()[0].text, "hello");
    assert_eq!(restored.signing_key().unwrap(), restored.signing_key().unwrap());
    assert_eq!(restored.sessions(ana.id).unwrap(), [], "everybody logs in again");
    assert!(restored.reserve_media_sequence(1).unwrap() > 40_000_000, "numbers go on past both");
    assert_eq!(std::fs::read(&backup).unwrap(), kept, "a backup is not written to");

    // And where there is none.
    let fresh = Store::restore(&backup, &dir.path().join("fresh")).unwrap();
    assert!(fresh.reserve_media_sequence(1).unwrap() > 500);
}

#[test]
fn a_store_that_is_open_elsewhere_is_backed_up_beside() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup) = (dir.path().join("store"), dir.path().join("backup"));
    assert!(Store::back_up_file(&path, &backup).is_err(), "there is none");
    assert!(!path.exists());
    let store = opened(dir.path(), "store");
    let stream = fill(&store);
    Store::back_up_file(&path, &backup).unwrap();
    store
        .append_messages(&[message(stream, store.user_by_name("ana").unwrap().id, 2, "later")], at(2))
        .unwrap();
    drop(store);
    let restored = Store::restore(&backup, &dir.path().join("restored")).unwrap();
    assert_eq!(restored.messages_after(stream, None, 9).unwrap().len(), 1);

    // And while nobody has it open.
    let again = dir.path().join("again");
    Store::back_up_file(&path, &again).unwrap();
    let restored = Store::restore(&again, &dir.path().join("restored too")).unwrap();
    assert_eq!(restored.messages_after(stream, None, 9).unwrap().len(), 2);
}

#[test]
fn a_store_with_accounts_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let path = dir.path().join("store");
    {
        let store = opened(dir.path(), "store");
        store.back_up(&backup).unwrap();
        fill(&store);
        assert!(matches!(Store::restore(&backup, &path), Err(StoreError::InUse { .. })));
    }
    assert_eq!(refusal(Store::restore(&backup, &path)), Refusal::NotEmpty);
    assert!(Store::open(&path).unwrap().user_by_name("ana").is_ok());
}

#[test]
fn a_damaged_or_foreign_backup_is_named_and_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let backup = dir.path().join("backup");
    opened(dir.path(), "store").reserve_media_sequence(7).unwrap();
    let whole = {
        let store = opened(dir.path(), "other");
        fill(&store);
        store.back_up(&backup).unwrap();
        std::fs::read(&backup).unwrap()
    };
    for bytes in [&b""[..], b"no store", &whole[..whole.len() / 2]] {
        std::fs::write(&backup, bytes).unwrap();
        let error = Store::restore(&backup, &path).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("backup is damaged"), "{error}");
        assert_eq!(Store::open(&path).unwrap().reserve_media_sequence(0).unwrap(), 7);
    }
    let error = Store::restore(&dir.path().join("none"), &path).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
    assert!(!dir.path().join("store.new").exists());
}

use super::model::{play, step};
use super::*;
use crate::writing::WriteTransaction;
use crate::{Backup, EndReason, StreamState, tables};
use proptest::prelude::*;
use redb::ReadableDatabase as _;
use std::path::Path;

const TOKEN: [u8; 32] = *b"a digest of a token, 32 bytes...";

fn fill(store: &Store) -> StreamId {
    let ana = store.create_owner(&new_user("ana"), at(0)).unwrap().id;
    store.open_session(ana, &TOKEN, "", at(0), at(99)).unwrap();
    store.set_avatar(ana, Some(b"picture")).unwrap();
    let stream = start(store, ana, "front");
    store.append_messages(&[message(stream, ana, 1, "hello")], at(1)).unwrap();
    stream
}

fn opened(dir: &Path, name: &str) -> Store {
    Store::open(&dir.join(name)).unwrap()
}

fn rows(store: &Store) -> Vec<String> {
    store.read(tables::rows_of_all).unwrap()
}

#[test]
fn a_backup_is_one_moment_and_restores_into_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let store = opened(dir.path(), "old");
    let stream = fill(&store);
    store.back_up(&backup, at(50)).unwrap();
    user(&store, "afterwards");
    let kept = std::fs::read(&backup).unwrap();
    assert!(matches!(store.back_up(&backup, at(50)), Err(StoreError::Exists { .. })));

    // Restores into a store without accounts.
    drop(opened(dir.path(), "new"));
    let restored = Store::restore(&backup, &dir.path().join("new"), at(60)).unwrap();
    assert_sound(&restored);
    let ana = restored.user_by_name("ana").unwrap();
    assert!(restored.user_by_name("afterwards").is_err());
    assert_eq!(restored.avatar(ana.id).unwrap().unwrap(), b"picture");
    assert_eq!(restored.messages_after(stream, None, 9).unwrap()[0].text, "hello");
    assert_eq!(restored.signing_key().unwrap(), restored.signing_key().unwrap());
    assert_eq!(restored.sessions(ana.id).unwrap(), [], "everybody logs in again");
    assert_eq!(std::fs::read(&backup).unwrap(), kept, "a backup is not written to");

    // Restores where no store exists.
    let fresh = Store::restore(&backup, &dir.path().join("fresh"), at(60)).unwrap();
    assert!(fresh.user_by_name("ana").is_ok());
}

#[test]
fn a_backup_logs_nobody_in_and_puts_nothing_on_the_air() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let store = opened(dir.path(), "old");
    let stream = fill(&store);
    let key = store.signing_key().unwrap();
    store.back_up(&backup, at(50)).unwrap();
    assert!(store.unfinished_streams().unwrap().len() == 1, "the backed-up store itself still has it");
    let bytes = std::fs::read(&backup).unwrap();
    for secret in [TOKEN, *key.expose()] {
        assert!(!bytes.windows(32).any(|window| window == secret));
    }

    // A store file copied by hand is accepted as a backup, too.
    drop(store);
    let by_hand = dir.path().join("by hand");
    std::fs::copy(dir.path().join("old"), &by_hand).unwrap();
    for (backup, ended_at) in [(&backup, at(50)), (&by_hand, at(60))] {
        let path = dir.path().join(format!("from {}", backup.file_name().unwrap().to_str().unwrap()));
        let restored = Store::restore(backup, &path, at(60)).unwrap();
        let facts = restored.stream(stream).unwrap().facts;
        assert_eq!((facts.state, facts.ended_at), (StreamState::Ended, Some(ended_at)));
        assert_eq!(facts.end_reason, Some(EndReason::Interruption));
        assert!(restored.unfinished_streams().unwrap().is_empty());
        assert!(restored.sessions(facts.user).unwrap().is_empty());
        assert!(restored.signing_key().unwrap() != key);
    }
}

#[test]
fn a_store_is_backed_up_while_no_process_has_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup) = (dir.path().join("store"), dir.path().join("backup"));
    assert!(Store::back_up_file(&path, &backup, at(50)).is_err(), "there is no store");
    assert!(!path.exists());
    let store = opened(dir.path(), "store");
    let stream = fill(&store);
    let refused = Store::back_up_file(&path, &backup, at(50));
    assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");
    assert!(!backup.exists());
    drop(store);
    Store::back_up_file(&path, &backup, at(50)).unwrap();
    let restored = Store::restore(&backup, &dir.path().join("restored"), at(60)).unwrap();
    assert_eq!(restored.messages_after(stream, None, 9).unwrap().len(), 1);
}

#[test]
fn a_store_with_accounts_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let path = dir.path().join("store");
    {
        let store = opened(dir.path(), "store");
        store.back_up(&backup, at(50)).unwrap();
        fill(&store);
        assert!(matches!(Store::restore(&backup, &path, at(60)), Err(StoreError::InUse { .. })));
    }
    assert_eq!(refusal(Store::restore(&backup, &path, at(60))), Refusal::NotEmpty);
    assert!(Store::open(&path).unwrap().user_by_name("ana").is_ok());
}

#[test]
fn an_open_store_goes_on_with_a_backup_and_what_was_there_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let [backup, kept] = ["backup", "kept"].map(|name| dir.path().join(name));
    let other = opened(dir.path(), "other");
    fill(&other);
    other.back_up(&backup, at(50)).unwrap();
    let store = opened(dir.path(), "store");
    let bea = store.create_owner(&new_user("bea"), at(0)).unwrap().id;
    let session = store.open_session(bea, &TOKEN, "", at(0), at(99)).unwrap().id;
    let key = store.signing_key().unwrap();
    let stream = start(&store, bea, "back");

    let there = rows(&store);
    let refused = store.replace_with(Backup::check(&backup, at(60)).unwrap(), &kept);
    assert_eq!(refusal(refused), Refusal::NotEnded { stream });
    assert_eq!(rows(&store), there, "nothing was changed");
    store.end_stream(stream, EndReason::User, at(61)).unwrap();
    let there = rows(&store);
    let checked = Backup::check(&backup, at(60)).unwrap();
    let contents = checked.contents().unwrap();
    assert_eq!((contents.users, contents.streams, contents.messages), (1, 1, 1));
    assert!(contents.has_owner && contents.site_name == "Perch");
    store.replace_with(checked, &kept).unwrap();

    assert_sound(&store);
    assert!(store.user_by_name("ana").is_ok() && store.user_by_name("bea").is_err());
    assert!(store.session(session).is_err());
    assert_eq!(store.signing_key().unwrap(), key, "the daemon has it in use");
    assert!(!backup.exists(), "it was moved into place");
    assert!(matches!(Store::open(&dir.path().join("store")).unwrap_err(), StoreError::InUse { .. }));
    user(&store, "cid");
    drop(store);
    assert!(opened(dir.path(), "store").user_by_name("cid").is_ok());
    assert_eq!(rows(&opened(dir.path(), "kept")), there);
}

#[test]
fn a_site_is_never_without_an_owner() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    opened(dir.path(), "new").back_up(&backup, at(0)).unwrap();
    let store = opened(dir.path(), "store");
    fill(&store);
    let checked = Backup::check(&backup, at(60)).unwrap();
    assert_eq!(refusal(store.replace_with(checked, &dir.path().join("kept"))), Refusal::NoOwner);
    assert!(store.user_by_name("ana").is_ok() && !dir.path().join("kept").exists());
}

#[test]
fn a_damaged_or_foreign_backup_is_named_and_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let backup = dir.path().join("backup");
    let there = rows(&opened(dir.path(), "store"));
    for bytes in [&b""[..], b"no store", &[0; 8192]] {
        std::fs::write(&backup, bytes).unwrap();
        let error = Store::restore(&backup, &path, at(60)).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("backup is damaged"), "{error}");
        assert_eq!(rows(&Store::open(&path).unwrap()), there);
    }
    let error = Store::restore(&dir.path().join("none"), &path, at(60)).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
    assert!(!dir.path().join("store.new").exists());
}

#[test]
fn a_backup_of_a_newer_perch_is_refused_with_both_versions_named() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let store = opened(dir.path(), "store");
    fill(&store);
    store.back_up(&backup, at(50)).unwrap();
    {
        let database = redb::Database::open(&backup).unwrap();
        assert!(database.begin_read().is_ok());
        let tx = database.begin_write().unwrap();
        tx.open_table(tables::META).unwrap().insert("schema_version", schema::VERSION + 1).unwrap();
        tx.commit().unwrap();
    }
    let error = Backup::check(&backup, at(60)).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found, known, .. } if found == known + 1), "{error}");
}

/// Puts a change into a file that is closed.
fn alter(path: &Path, change: impl Fn(&WriteTransaction)) {
    let database = redb::Database::open(path).unwrap();
    let tx = WriteTransaction::begin(&database).unwrap();
    change(&tx);
    tx.finish().unwrap();
}

#[test]
fn a_backup_with_a_value_that_the_memory_may_not_hold_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let store = opened(dir.path(), "store");
    fill(&store);
    store.back_up(&backup, at(50)).unwrap();
    let ana = store.user_by_name("ana").unwrap().id.number();
    alter(&backup, |tx| {
        tx.open_table(tables::AVATARS).unwrap().insert(ana, &vec![7; 9 << 20][..]).unwrap();
    });
    let error = Backup::check(&backup, at(60)).err().unwrap();
    assert!(matches!(&error, StoreError::Damaged { what, .. } if what.contains("a page")), "{error}");
}

/// Tables as another version of Unicode would have computed them, or somebody by hand.
fn derive_otherwise(tx: &WriteTransaction) {
    tx.open_table(tables::USERNAMES).unwrap().retain(|_, _| false).unwrap();
    tx.open_table(tables::USERNAMES).unwrap().insert("other", 77).unwrap();
    tx.open_table(tables::USER_WORDS).unwrap().insert(("other", 77), ()).unwrap();
    tx.open_table(tables::TOPIC_NAMES).unwrap().remove("nature").unwrap();
    tx.open_table(tables::POSTINGS).unwrap().insert(("front", 0), &[9, 9, 9][..]).unwrap();
    tx.open_table(tables::META).unwrap().insert("derived_by", 1).unwrap();
}

#[test]
fn what_depends_on_the_version_of_unicode_is_computed_anew() {
    let dir = tempfile::tempdir().unwrap();
    let [backup, path] = ["backup", "store"].map(|name| dir.path().join(name));
    let store = opened(dir.path(), "store");
    let stream = fill(&store);
    store.stream_live(stream, at(11)).unwrap();
    store.back_up(&backup, at(50)).unwrap();
    drop(store);
    alter(&path, derive_otherwise);
    alter(&backup, derive_otherwise);
    let restored = Store::restore(&backup, &dir.path().join("restored"), at(60)).unwrap();
    for store in [Store::open(&path).unwrap(), restored] {
        assert_sound(&store);
        assert!(store.user_by_name("ANA").is_ok() && store.user_by_name("other").is_err());
        let query =
            crate::StreamQuery { text: "front".to_owned(), limit: 9, ..crate::StreamQuery::default() };
        assert_eq!(store.find_streams(&query).unwrap().items[0].facts.id, stream);
    }
}

#[test]
fn of_two_accounts_that_a_newer_unicode_calls_alike_the_younger_gets_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let store = opened(dir.path(), "store");
    let older = store.create_owner(&new_user("ana"), at(0)).unwrap();
    let younger = store.add_user(&new_user("ann"), crate::Role::Viewer, at(1)).unwrap();
    store.back_up(&backup, at(50)).unwrap();
    alter(&backup, |tx| {
        crate::user::put(tx, &crate::User { username: "ANA".to_owned(), ..younger.clone() }).unwrap();
    });
    let restored = Store::restore(&backup, &dir.path().join("restored"), at(60)).unwrap();
    assert_sound(&restored);
    assert_eq!(restored.user_by_name("ana").unwrap().id, older.id);
    let renamed = restored.user(younger.id).unwrap().username;
    assert!(renamed.starts_with("ANA-") && renamed.len() == 10, "{renamed}");
    assert_eq!(restored.user_by_name(&renamed).unwrap().id, younger.id);
}

#[test]
fn a_made_up_number_of_a_stream_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let store = opened(dir.path(), "store");
    let stream = fill(&store);
    store.back_up(&backup, at(50)).unwrap();
    alter(&backup, |tx| {
        let mut facts = crate::streams::facts(tx, stream).unwrap();
        facts.ordinal = u32::MAX;
        crate::streams::put_facts(tx, &facts).unwrap();
        tx.open_table(tables::COUNTERS).unwrap().insert("streams", u64::MAX).unwrap();
    });
    let restored = Store::restore(&backup, &dir.path().join("restored"), at(60)).unwrap();
    assert_eq!(restored.stream(stream).unwrap().facts.ordinal, 0);
    let ana = restored.user_by_name("ana").unwrap().id;
    assert!(restored.start_stream(&new_stream(ana, "back", "back"), at(70)).is_ok());
}

#[test]
fn every_cut_of_a_backup_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [backup, cut] = ["backup", "cut"].map(|name| dir.path().join(name));
    let store = opened(dir.path(), "store");
    fill(&store);
    store.back_up(&backup, at(50)).unwrap();
    let whole = std::fs::read(&backup).unwrap();
    // Cuts at a sector's end and one byte beside it: an interrupted upload or a full card cuts a file anywhere.
    for length in (0..whole.len()).filter(|length| [0, 1, 511].contains(&(length % 512))) {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let error =
            Backup::check(&cut, at(60)).err().unwrap_or_else(|| panic!("{length} bytes are accepted"));
        assert!(matches!(error, StoreError::Damaged { .. }), "{error} at {length}");
    }
    std::fs::write(&cut, &whole).unwrap();
    assert!(Backup::check(&cut, at(60)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_backup_of_what_was_restored_is_the_same_backup(steps in prop::collection::vec(step(), 0..40)) {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
        let store = in_memory();
        play(&store, &steps);
        store.back_up(&first, at(100)).unwrap();
        let restored = Store::restore(&first, &dir.path().join("restored"), at(200)).unwrap();
        assert_sound(&restored);
        restored.back_up(&second, at(300)).unwrap();
        // As they are restored: streams are numbered anew.
        let [first, second] = [&first, &second].map(|backup| rows(&Backup::check(backup, at(400)).unwrap().store));
        prop_assert!(first.len() > 10);
        prop_assert_eq!(first, second);
    }

    /// A changed byte is detected, or has no effect.
    #[test]
    fn a_backup_that_was_altered_is_refused_or_the_same(place in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let dir = tempfile::tempdir().unwrap();
        let [backup, altered] = ["backup", "altered"].map(|name| dir.path().join(name));
        let store = opened(dir.path(), "store");
        fill(&store);
        store.back_up(&backup, at(50)).unwrap();
        let mut bytes = std::fs::read(&backup).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        std::fs::write(&altered, &bytes).unwrap();
        if let Ok(checked) = Backup::check(&altered, at(60)) {
            prop_assert_eq!(rows(&checked.store), rows(&Store::open(&backup).unwrap()));
        }
    }
}

#[test]
fn sealed_keys_go_through_a_backup_and_replace_nothing_that_it_does_not_have() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let store = Store::open(&path("store")).unwrap();
    let (ana, ben) = (user(&store, "ana"), user(&store, "ben"));
    let relay = |name: &str| crate::StoredRelay {
        name: name.to_owned(),
        url: "rtmp://a/live".to_owned(),
        key: Some(crate::RelayKey::new("RELAYKEY")),
        cameras: Vec::new(),
    };
    store.add_relay(&relay("a")).unwrap();
    store.set_ingest_key(ana, Some((&[7; 32], &crate::IngestKey::new("OWNKEY")))).unwrap();
    let mut keys = store.stream_keys().unwrap();
    assert_eq!((keys.relays.len(), keys.accounts.len()), (1, 1));
    store.back_up_sealing(&path("backup"), b"sealed", at(0)).unwrap();
    store.back_up(&path("without"), at(0)).unwrap();
    assert_eq!(Backup::check(&path("without"), at(1)).unwrap().sealed_keys().unwrap(), None);
    let backup = Backup::check(&path("backup"), at(1)).unwrap();
    assert_eq!(backup.sealed_keys().unwrap().as_deref(), Some(&b"sealed"[..]));
    assert_eq!(backup.store.stream_keys().unwrap(), crate::StreamKeys::default());

    let expected = keys.clone();
    keys.relays.push(("gone".to_owned(), crate::RelayKey::new("x")));
    keys.accounts.push((UserId::from_number(5), [9; 32], crate::IngestKey::new("x")));
    backup.put_stream_keys(&keys).unwrap();
    assert_eq!((backup.store.stream_keys().unwrap(), backup.sealed_keys().unwrap()), (expected, None));
    assert_eq!(backup.store.relays().unwrap(), [relay("a")]);
    assert_eq!(backup.store.ingest_key(ben).unwrap(), None);
    assert_sound(&backup.store);
    assert!(!format!("{keys:?}").contains("KEY\""), "{keys:?}");
}

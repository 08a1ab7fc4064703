//! Store files written by earlier versions open and keep their content.

use super::*;
use crate::reads::Reads as _;
use crate::tables::COUNTERS;
use crate::{
    Backup, ChatRules, EndReason, Recording, RecordingState, Registration, Severity, Sort, Standing,
    StreamQuery, StreamState,
};
use flate2::read::GzDecoder;
use redb::ReadableTable as _;
use std::io::Read as _;
use std::slice;

/// Written by the code of version 1: `Store::open`, then 4,321 media sequence numbers taken. Nothing reads that counter
/// today.
const VERSION_1: &[u8] = include_bytes!("../../tests/fixtures/schema-1.redb.gz");
/// Written by the code of version 2: an owner, an ended stream with a message, and a live one.
const VERSION_2: &[u8] = include_bytes!("../../tests/fixtures/schema-2.redb.gz");

/// Written by the code of version 3: an owner with the digest of a stream key, settings, a relay, and a live stream.
const VERSION_3: &[u8] = include_bytes!("../../tests/fixtures/schema-3.redb.gz");

/// The same small site, written by the last code of each schema that had one (tests/fixtures/README.md).
const SITES: [(u8, &[u8]); 3] = [
    (2, include_bytes!("../../tests/fixtures/site-2.redb.gz")),
    (3, include_bytes!("../../tests/fixtures/site-3.redb.gz")),
    (4, include_bytes!("../../tests/fixtures/site-4.redb.gz")),
];

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

/// Everything of the small site is there, whatever version wrote it.
fn assert_has_the_site(store: &Store, version: u8) {
    let named = |name: &str| store.user_by_name(name).unwrap();
    let [olga, ana, bob, sam] = ["olga", "ana", "bob", "sam"].map(named);
    assert_eq!(olga.username, "Olga", "the spelling of its owner");
    for (user, role, standing) in [
        (&olga, Role::Owner, Standing::Active),
        (&ana, Role::Streamer, Standing::Active),
        (&bob, Role::Viewer, Standing::Active),
        (&sam, Role::Viewer, Standing::Suspended),
    ] {
        assert_eq!((user.role, user.standing), (role, standing));
        assert_eq!(store.password(user.id).unwrap().expose(), format!("$argon2id$of-{}", user.username));
        assert_eq!(user.email, format!("{}@example.org", user.username));
    }
    assert_eq!(store.avatar(ana.id).unwrap().unwrap(), b"avatar");
    let settings = store.settings().unwrap();
    assert_eq!((settings.site_name.as_str(), settings.registration), ("Nest", Registration::Approval));
    assert_eq!(store.camera_controls("front").unwrap()["Brightness"], 7);

    let owls = topic(store, "Owls");
    let all = StreamQuery { members: true, ..StreamQuery::default() };
    let of = |query: &StreamQuery| store.find_streams(query).unwrap().items;
    let [live, ended] = &of(&all)[..] else { panic!("two streams have something to show") };
    assert_eq!(
        of(&StreamQuery { text: "cafe mull".to_owned(), sort: Sort::Relevance, ..all.clone() }),
        slice::from_ref(ended)
    );
    assert_eq!(of(&StreamQuery { topic: Some(owls), ..all.clone() }).len(), 2);
    assert_eq!(
        of(&StreamQuery { user: Some(ana.id), members: false, ..all.clone() }),
        slice::from_ref(ended)
    );
    assert_eq!(of(&StreamQuery { saved: Some(bob.id), ..all.clone() }), slice::from_ref(ended));
    assert_eq!(of(&StreamQuery { sort: Sort::Views, ..all })[0], *ended);
    assert_eq!((live.details.title.as_str(), live.facts.state), ("Members", StreamState::Live));
    assert_eq!(store.stream_on_camera("back").unwrap().unwrap(), *live);
    let facts = &ended.facts;
    assert_eq!((facts.views, facts.peak_viewers, facts.likes, facts.dislikes), (2, 2, 1, 1));
    assert_eq!((facts.end_reason, facts.ended_at), (Some(EndReason::Owner), Some(at(20))));
    assert_eq!(ended.details.relays, ["tube"]);
    assert_eq!(ended.topics, [owls]);
    assert_eq!(store.count_streams(ana.id, true).unwrap(), 2);
    assert_eq!(store.thumbnail(facts.id).unwrap().unwrap(), b"thumbnail");
    let messages = store.messages_after(facts.id, None, 9).unwrap();
    let said: Vec<_> =
        messages.iter().map(|message| (message.user, message.text.as_str(), message.deleted_by)).collect();
    assert_eq!(said, [(bob.id, "hello", None), (ana.id, "welcome", None), (bob.id, "", Some(ana.id))]);
    let rules = ChatRules { slow_mode_seconds: 5, followers_only: true, members_only: false };
    assert_eq!(store.chat_rules(facts.id).unwrap(), rules);
    assert!(store.is_following(bob.id, ana.id).unwrap());
    assert!(store.notifications(bob.id, None, 9).unwrap().len() >= 2, "two streams went live");
    let barred = |user| store.restriction(facts.id, ana.id, user, at(50)).unwrap().unwrap().1;
    assert_eq!((barred(bob.id).severity, barred(bob.id).until), (Severity::Mute, Some(at(9_000_000))));
    assert_eq!((barred(sam.id).severity, barred(sam.id).until), (Severity::Ban, None));
    assert_eq!(store.sessions(ana.id).unwrap().len(), 1);
    if version >= 3 {
        let recording = store.recording(facts.id).unwrap().unwrap();
        assert_eq!((recording.name.as_str(), recording.is_pinned), ("2026-11-18 Night", true));
        assert!(store.camera_microphone("front").unwrap().unwrap().muted);
    }
    if version >= 4 {
        assert_eq!(store.user_by_ingest_key(&[8; 32]).unwrap().unwrap().id, ana.id);
        assert_eq!(store.prepared_stream(ana.id).unwrap().title, "From a phone");
    } else {
        assert_eq!(store.ingest_key(ana.id).unwrap(), None, "nobody knows the key of a digest");
    }
    assert_sound(store);
}

#[test]
fn a_site_of_every_schema_is_migrated_with_everything_in_it() {
    for (version, packed) in SITES {
        let (dir, path) = unpacked(packed);
        let before = std::fs::read(&path).unwrap();
        let copy = dir.path().join("copy");
        std::fs::write(&copy, &before).unwrap();
        let found = schema::version(&file::open_existing(&copy).unwrap(), &copy).unwrap();
        assert_eq!(found, Some(u64::from(version)));
        let store = Store::open(&path).unwrap();
        assert_has_the_site(&store, version);
        let key = store.signing_key().unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_has_the_site(&store, version);
        assert!(store.signing_key().unwrap() == key, "logins stay valid");
        // Logins go on, and the site can be used: Ana's phone refreshes, and she ends her stream.
        let ana = store.user_by_name("ana").unwrap().id;
        store.refresh_session(&[2; 32], &[3; 32], at(60), at(10_000_000)).unwrap();
        let live = store.stream_on_camera("back").unwrap().unwrap().facts.id;
        store.end_stream(live, EndReason::User, at(61)).unwrap();
        assert_sound(&store);
        store.delete_user(ana).unwrap();
        assert_sound(&store);

        // The same file as a backup.
        let backup = dir.path().join("backup");
        std::fs::write(&backup, before).unwrap();
        let restored = Store::restore(&backup, &dir.path().join("restored"), at(70)).unwrap();
        assert_sound(&restored);
        assert_eq!(restored.user_by_name("ana").unwrap().id, ana);
        assert!(
            restored.sessions(ana).unwrap().is_empty() && restored.unfinished_streams().unwrap().is_empty()
        );
    }
}

//! A backup of any content. Either the bytes are the file, or they are written into the tables of a sound backup, whose check sums are
//! right again then: the check refuses it in words, or what it accepts can be read and is sound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_store::{Backup, NewStream, NewUser, PasswordHash, Store, StreamQuery, Timestamp, VideoMode, Visibility};
use redb::{Database, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const NOW: Timestamp = Timestamp::from_unix_millis(1_795_000_000_000);

/// Tables of ids and records.
const RECORDS: [&str; 10] = [
    "USERS", "PREPARED_STREAMS", "AVATARS", "TOPICS", "STREAM_DETAILS", "STREAM_FACTS", "THUMBNAILS", "RECORDINGS",
    "CHAT_RULES", "SESSIONS",
];
/// Tables of pairs of ids and records.
const PAIRS: [&str; 3] = ["NOTIFICATIONS", "MESSAGES", "RESTRICTIONS"];
/// Tables of pairs of ids and numbers.
const RELATIONS: [&str; 6] = ["FOLLOWING", "FOLLOWERS", "STREAM_TOPICS", "REACTIONS", "SAVED", "USER_SESSIONS"];

/// A folder in memory, a sound backup in it, and ids in that.
struct Template {
    dir: PathBuf,
    sound: Vec<u8>,
    ids: Vec<u128>,
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let dir = Path::new("/dev/shm").join(format!("perch-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let store = Store::open(&dir.join("store")).unwrap();
    let new = NewUser {
        username: "ann".to_owned(),
        full_name: "Ann".to_owned(),
        email: String::new(),
        password: PasswordHash::new("x"),
    };
    let user = store.create_owner(&new, NOW).unwrap().id;
    let stream = NewStream {
        user,
        title: "Four chicks".to_owned(),
        description: String::new(),
        topics: Vec::new(),
        camera: "front".to_owned(),
        mode: VideoMode { width: 640, height: 360, frames_per_second: 15, bitrate_kbps: 500 },
        duration_seconds: None,
        record: false,
        visibility: Visibility::Public,
        relays: Vec::new(),
    };
    let stream = store.start_stream(&stream, NOW).unwrap().facts.id;
    store.back_up(&dir.join("sound"), NOW).unwrap();
    let sound = std::fs::read(dir.join("sound")).unwrap();
    Template { dir, sound, ids: vec![0, 1, user.number(), stream.number(), u128::MAX] }
});

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let template = &*TEMPLATE;
    let path = template.dir.join("backup");
    if kind % 4 == 0 {
        std::fs::write(&path, bytes).unwrap();
    } else {
        std::fs::write(&path, &template.sound).unwrap();
        alter(&path, &template.ids, bytes);
    }
    if let Ok(backup) = Backup::check(&path, NOW) {
        backup.contents().unwrap();
        backup.sealed_keys().unwrap();
        backup.account_whose_hash(|_| false).unwrap();
        drop(backup);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
        store.users(None, 10).unwrap();
        store.relays().unwrap();
        store.find_streams(&StreamQuery { text: "four".to_owned(), limit: 10, ..StreamQuery::default() }).unwrap();
    }
});

/// Each row: a table, ids, a length, and so many bytes.
fn alter(path: &Path, ids: &[u128], mut rows: &[u8]) {
    let database = Database::open(path).unwrap();
    let tx = database.begin_write().unwrap();
    while let Some((&[table, one, other, length], rest)) = rows.split_first_chunk() {
        let (value, rest) = rest.split_at(usize::from(length).min(rest.len()));
        rows = rest;
        let id = |byte: u8| ids[usize::from(byte) % ids.len()];
        let key = (id(one), id(other));
        match usize::from(table) % 24 {
            table @ 0..10 => {
                tx.open_table(TableDefinition::<u128, &[u8]>::new(RECORDS[table])).unwrap().insert(key.0, value).unwrap();
            }
            table @ 10..13 => {
                let pairs = TableDefinition::<(u128, u128), &[u8]>::new(PAIRS[table - 10]);
                tx.open_table(pairs).unwrap().insert(key, value).unwrap();
            }
            table @ 13..19 => {
                let relation = TableDefinition::<(u128, u128), i64>::new(RELATIONS[table - 13]);
                tx.open_table(relation).unwrap().insert(key, i64::from(length) - 1).unwrap();
            }
            19 => {
                let text = String::from_utf8_lossy(value);
                tx.open_table(TableDefinition::<u128, &str>::new("PASSWORDS")).unwrap().insert(key.0, &*text).unwrap();
            }
            20 => {
                let (name, value) = value.split_at(usize::from(one).min(value.len()));
                let (name, settings) = (String::from_utf8_lossy(name), TableDefinition::<&str, &[u8]>::new("SETTINGS"));
                tx.open_table(settings).unwrap().insert(&*name, value).unwrap();
            }
            21 => {
                let text = String::from_utf8_lossy(value);
                tx.open_table(TableDefinition::<&str, u128>::new("CAMERA_CLAIMS")).unwrap().insert(&*text, key.0).unwrap();
            }
            22 => {
                let name = ["streams", "schema_version", "derived_by", "notifications"][usize::from(one) % 4];
                let table = ["counters", "meta"][usize::from(other) % 2];
                tx.open_table(TableDefinition::<&str, u64>::new(table)).unwrap().insert(name, u64::from(length)).unwrap();
            }
            _ => {
                tx.open_table(TableDefinition::<u128, &[u8]>::new(RECORDS[usize::from(other) % 10])).unwrap().remove(key.0).unwrap();
            }
        }
    }
    tx.commit().unwrap();
}

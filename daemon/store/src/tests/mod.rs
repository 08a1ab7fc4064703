//! The site's rules, by subject. Stores are in memory, except in tests about files.

mod accounts;
mod backups;
mod chat;
mod following;
mod migration;
mod model;
mod power_cuts;
mod read_only;
mod recording;
mod redating;
mod retention;
mod searching;
mod sessions;
mod streaming;
mod verifying;

use crate::{
    NewMessage, NewStream, NewUser, PasswordHash, Refusal, Role, Store, StoreError, StreamId, Timestamp,
    TopicId, UserId, VideoMode, Visibility, file, schema,
};
use std::path::PathBuf;

/// A moment in test time: `seconds` after its start.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_000_000_000 + seconds * 1000)
}

pub(crate) fn in_memory() -> Store {
    let database = file::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap();
    let path = PathBuf::from("memory");
    schema::bring_up_to_date(&database, &path).unwrap();
    Store::of(database, path, Box::new(|| unreachable!("memory does not fail")))
}

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.to_owned(),
        full_name: String::new(),
        email: format!("{name}@example.org"),
        password: PasswordHash::new(format!("$argon2id$of-{name}")),
    }
}

pub(crate) fn user(store: &Store, name: &str) -> UserId {
    store.add_user(&new_user(name), Role::Streamer, at(0)).unwrap().id
}

pub(crate) fn new_stream(user: UserId, camera: &str, title: &str) -> NewStream {
    NewStream {
        user,
        title: title.to_owned(),
        description: String::new(),
        topics: Vec::new(),
        camera: camera.to_owned(),
        mode: VideoMode { width: 1280, height: 720, frames_per_second: 30, bitrate_kbps: 2500 },
        duration_seconds: None,
        record: true,
        visibility: Visibility::Public,
        relays: Vec::new(),
    }
}

pub(crate) fn start(store: &Store, user: UserId, camera: &str) -> StreamId {
    store.start_stream(&new_stream(user, camera, camera), at(10)).unwrap().facts.id
}

pub(crate) fn message(stream: StreamId, user: UserId, offset_ms: u64, text: &str) -> NewMessage {
    NewMessage { stream, user, offset_ms, text: text.to_owned() }
}

pub(crate) fn topic(store: &Store, name: &str) -> TopicId {
    store.topics().unwrap().into_iter().find(|topic| topic.name == name).unwrap().id
}

/// Returns the refusal; any other result fails the test.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Refusal {
    match result {
        Err(StoreError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_sound(store: &Store) {
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

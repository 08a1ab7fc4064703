//! A card that turns read-only while the store is open. The daemon's test `read_only_card` uses a real file system.

use super::{at, new_stream, user};
use crate::{EndReason, Store, StoreError, file};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A store on a card that takes no writes while `fails` is set.
fn store_on_a_card(path: &Path, fails: &Arc<AtomicBool>) -> Store {
    let store = Store::open(path).unwrap();
    let (path, fails) = (path.to_owned(), fails.clone());
    let open = Box::new(move || {
        if fails.load(Ordering::Relaxed) {
            return Err(StoreError::ReadOnly { path: path.clone() });
        }
        file::open_existing(&path)
    });
    Store { open, ..store }
}

#[test]
fn reading_goes_on_and_writing_too_once_the_card_takes_writes_again() {
    let dir = tempfile::tempdir().unwrap();
    let fails = Arc::new(AtomicBool::new(false));
    let store = store_on_a_card(&dir.path().join("perch.redb"), &fails);
    let ana = user(&store, "ana");
    let stream = store.start_stream(&new_stream(ana, "front", "Owls"), at(1)).unwrap().facts.id;
    assert_eq!(store.check_card(), Ok(()));

    // A failed write closes the file, and the next call opens it again.
    fails.store(true, Ordering::Relaxed);
    store.database.write().unwrap().take();
    for _ in 0..2 {
        assert_eq!(store.stream(stream).unwrap().details.title, "Owls");
        let refused = store.end_stream(stream, EndReason::User, at(2));
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
        assert!(store.check_card().unwrap_err().contains("takes no writes"));
    }

    fails.store(false, Ordering::Relaxed);
    assert_eq!(store.check_card(), Ok(()));
    store.end_stream(stream, EndReason::User, at(3)).unwrap();
    assert_eq!(store.stream(stream).unwrap().facts.ended_at, Some(at(3)));
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

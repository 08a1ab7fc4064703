//! Each kind of damage must be found by the check.

use super::*;
use crate::failure::Outcome;
use crate::tables;
use crate::writing::WriteTransaction;
use crate::{EndReason, Reaction};
use redb::{ReadableTable as _, TableDefinition};

fn filled() -> (Store, UserId, StreamId) {
    let store = in_memory();
    let (ana, bob) = (user(&store, "ana"), user(&store, "bob"));
    let stream = start(&store, ana, "front");
    store.follow(ana, bob, at(1)).unwrap();
    store.react(ana, stream, Some(Reaction::Like)).unwrap();
    store.count_views(&[(stream, ana.into())]).unwrap();
    store.append_messages(&[message(stream, ana, 1, "x")], at(2)).unwrap();
    store.open_session(ana, &[1; 32], "", at(0), at(9)).unwrap();
    let over = start(&store, bob, "back");
    store.end_stream(over, EndReason::User, at(3)).unwrap();
    assert_sound(&store);
    (store, ana, stream)
}

#[track_caller]
fn finds(expected: &str, harm: impl Fn(&WriteTransaction, u128, u128) -> Outcome<()>) {
    let (store, user, stream) = filled();
    store.write(|tx| harm(tx, user.number(), stream.number())).unwrap();
    let found = store.verify().unwrap();
    assert!(found.iter().any(|wrong| wrong.contains(expected)), "{expected:?} is not in {found:?}");
}

#[test]
fn every_kind_of_drift_is_found() {
    finds("counts", |tx, _, stream| Ok(tx.open_table(tables::VIEWS)?.insert((stream, 77), ()).map(drop)?));
    finds("counts", |tx, user, stream| tables::REACTED.untie(tx, stream, user).map(drop));
    finds("two directions", |tx, _, _| Ok(tx.open_table(tables::FOLLOWERS)?.pop_first().map(drop)?));
    finds("one end is missing", |tx, user, _| tables::FOLLOWS.tie(tx, user, 5, 0).map(drop));
    finds("not found by its name", |tx, _, _| {
        Ok(tx.open_table(tables::USERNAMES)?.remove("ana").map(drop)?)
    });
    finds("lacks 1 words", |tx, _, _| Ok(tx.open_table(tables::POSTINGS)?.remove(("front", 0)).map(drop)?));
    finds("should have", |tx, _, _| {
        Ok(tx.open_table(tables::POSTINGS)?.insert(("x", 0), &[0, 1][..]).map(drop)?)
    });
    finds("has lost its camera", |tx, _, _| {
        Ok(tx.open_table(tables::CAMERA_CLAIMS)?.remove("front").map(drop)?)
    });
    finds("claims without a stream", |tx, _, _| {
        Ok(tx.open_table(tables::CAMERA_CLAIMS)?.insert("x", 5).map(drop)?)
    });
    finds("missing at its offset", |tx, _, _| {
        Ok(tx.open_table(tables::MESSAGE_OFFSETS)?.pop_first().map(drop)?)
    });
    finds("missing in a list", |tx, _, _| Ok(tx.open_table(tables::STREAM_LISTS)?.pop_first().map(drop)?));
    finds("by its number", |tx, _, _| Ok(tx.open_table(tables::STREAM_ORDINALS)?.pop_first().map(drop)?));
    finds("not found by its token", |tx, _, _| Ok(tx.open_table(tables::TOKENS)?.pop_first().map(drop)?));
    finds("avatar without an owner", |tx, _, _| {
        Ok(tx.open_table(tables::AVATARS)?.insert(5, &[1][..]).map(drop)?)
    });
    finds("without accounts", |tx, user, _| Ok(tx.open_table(tables::USERS)?.remove(user).map(drop)?));
    finds("more than 524288 bytes", |tx, user, _| {
        Ok(tx.open_table(tables::AVATARS)?.insert(user, &vec![0; (512 << 10) + 1][..]).map(drop)?)
    });
    finds("a table books that", |tx, _, _| {
        let books: TableDefinition<u8, u8> = TableDefinition::new("books");
        Ok(tx.open_table(books)?.insert(1, 1).map(drop)?)
    });
    finds("too many relays", |tx, _, _| {
        let place = [2, 0, 0];
        for relay in 0..=crate::RELAYS_MOST {
            tx.open_table(tables::SETTINGS)?.insert(format!("relay/{relay}").as_str(), &place[..])?;
        }
        Ok(())
    });
}

type Harm = fn(&WriteTransaction, &[u8]) -> Outcome<()>;

#[test]
fn a_record_that_cannot_be_read_is_found_in_every_table() {
    let no_record = &[200_u8, 1][..];
    let harms: [Harm; 17] = [
        |tx, bytes| Ok(tx.open_table(tables::USERS)?.insert(5, bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::PREPARED_STREAMS)?.insert(5, bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::NOTIFICATIONS)?.insert((5, 6), bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::TOPICS)?.insert(5, bytes).map(drop)?),
        |tx, bytes| {
            let facts = tx.open_table(tables::STREAM_FACTS)?.first()?.map(|row| row.0.value());
            Ok(tx.open_table(tables::STREAM_DETAILS)?.insert(facts.unwrap(), bytes).map(drop)?)
        },
        |tx, bytes| Ok(tx.open_table(tables::STREAM_FACTS)?.insert(5, bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::RECORDINGS)?.insert(5, bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::MESSAGES)?.insert((5, 6), bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::RESTRICTIONS)?.insert((5, 6), bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::CHAT_RULES)?.insert(5, bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::SESSIONS)?.insert(5, bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::API_TOKENS)?.insert((5, 6), bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::WEBHOOKS)?.insert(5, bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::WEBHOOK_DELIVERIES)?.insert((5, 6), bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::SETTINGS)?.insert("site", bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::SETTINGS)?.insert("relay/a", bytes).map(drop)?),
        |tx, bytes| Ok(tx.open_table(tables::SETTINGS)?.insert("camera_controls/a", bytes).map(drop)?),
    ];
    for (number, harm) in harms.iter().enumerate() {
        let (store, ..) = filled();
        store.write(|tx| harm(tx, no_record)).unwrap();
        let found = store.verify();
        assert!(matches!(found, Err(StoreError::NewerRecord { .. })), "{number}: {found:?}");
    }
}

//! Each kind of damage must be found by the check.

use super::*;
use crate::failure::Outcome;
use crate::tables;
use crate::writing::WriteTransaction;
use crate::{EndReason, Reaction};

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
}

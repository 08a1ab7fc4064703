use super::*;
use crate::reads::Reads as _;
use crate::tables::RESTRICTIONS;
use crate::{ChatRules, Message, MessageId, Restricted, Restriction, Room, Severity};
use redb::ReadableTableMetadata as _;

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

#[test]
fn messages_stay_in_their_order_even_when_the_clock_goes_back() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = start(&store, ana, "front");
    let mut sent: Vec<Message> = Vec::new();
    for (seconds, text) in [(100, "a"), (100, "b"), (-1_000_000_000, "c"), (101, "d"), (5, "e")] {
        let stored = store.append_messages(&[message(stream, ana, 0, text)], at(seconds)).unwrap();
        sent.push(stored[0].clone().unwrap());
    }
    assert!(sent.is_sorted_by(|earlier, later| earlier.id < later.id));
    assert_eq!(store.messages_after(stream, None, 9).unwrap(), sent);
    assert_eq!(texts(&store.messages_after(stream, Some(sent[1].id), 2).unwrap()), ["c", "d"]);
    assert_eq!(texts(&store.messages_before(stream, None, 2).unwrap()), ["d", "e"]);
    assert_eq!(texts(&store.messages_before(stream, Some(sent[3].id), 2).unwrap()), ["b", "c"]);
    assert_eq!(texts(&store.messages_before(stream, Some(sent[0].id), 2).unwrap()), [""; 0]);
}

#[test]
fn one_message_to_nowhere_does_not_keep_the_others_back() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let (front, back) = (start(&store, ana, "front"), start(&store, ana, "back"));
    let group = [
        message(front, ana, 0, "1"),
        message(StreamId::from_number(3), ana, 0, "2"),
        message(back, ana, 0, "3"),
        message(front, UserId::from_number(9), 0, "4"),
        message(front, ana, 0, "5"),
    ];
    let stored = store.append_messages(&group, at(50)).unwrap();
    assert_eq!(stored.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, true]);
    assert_eq!(texts(&store.messages_after(front, None, 9).unwrap()), ["1", "5"]);
    assert_eq!(texts(&store.messages_after(back, None, 9).unwrap()), ["3"]);
    assert_sound(&store);
}

#[test]
fn the_chat_beside_a_recording_is_read_by_offset() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = start(&store, ana, "front");
    let offsets = [0, 999, 1000, 1000, 1500, 2000, 9000];
    let group: Vec<_> = offsets.iter().map(|&ms| message(stream, ana, ms, &ms.to_string())).collect();
    store.append_messages(&group, at(50)).unwrap();
    let span = store.messages_between(stream, 1000..2000, None, 9).unwrap();
    assert_eq!(texts(&span), ["1000", "1000", "1500"]);
    let place = |message: &Message| Some((message.offset_ms, message.id));
    let rest = store.messages_between(stream, 1000..2000, place(&span[0]), 9).unwrap();
    assert_eq!(rest, span[1..]);
    assert_eq!(store.messages_between(stream, 1000..2000, place(&span[2]), 9).unwrap(), []);
    assert_eq!(store.messages_between(stream, 0..1000, place(&span[2]), 9).unwrap(), []);
    assert_eq!(store.messages_between(stream, 5..5, None, 9).unwrap(), []);
    assert_eq!(store.messages_between(stream, 0..u64::MAX, None, 2).unwrap().len(), 2);
}

#[test]
fn a_deleted_message_keeps_its_place_without_its_text() {
    let store = in_memory();
    let (ana, bob) = (user(&store, "ana"), user(&store, "bob"));
    let stream = start(&store, ana, "front");
    let stored = store
        .append_messages(&[message(stream, bob, 1, "rude"), message(stream, ana, 2, "kind")], at(1))
        .unwrap();
    let id = stored[0].as_ref().unwrap().id;
    store.delete_message(stream, id, ana).unwrap();
    let again = store.delete_message(stream, id, bob).unwrap();
    assert_eq!((again.text.as_str(), again.deleted_by), ("", Some(ana)));
    assert_eq!(texts(&store.messages_after(stream, None, 9).unwrap()), ["", "kind"]);
    let none = refusal(store.delete_message(stream, MessageId::from_number(1), ana));
    assert_eq!(none, Refusal::NotFound { what: "message" });
    assert_sound(&store);
}

fn barred(user: UserId, severity: Severity, until: Option<Timestamp>) -> Restriction {
    Restriction { user, severity, until, by: user, at: at(0) }
}

#[test]
fn a_restriction_holds_in_its_room_until_its_end() {
    let store = in_memory();
    let (ana, bob, eve) = (user(&store, "ana"), user(&store, "bob"), user(&store, "eve"));
    let (front, back, bobs) =
        (start(&store, ana, "front"), start(&store, ana, "back"), start(&store, bob, "bobs"));
    let holds = |now| {
        [(front, ana), (back, ana), (bobs, bob)].map(|(stream, streamer)| {
            store.restriction(stream, streamer, eve, now).unwrap().map(|(_, found)| found.severity)
        })
    };
    let mute = Some(Severity::Mute);
    assert_eq!(holds(at(1)), [None; 3]);
    for (room, in_room) in [
        (Room::Stream(front), [mute, None, None]),
        (Room::ChatsOf(ana), [mute, mute, None]),
        (Room::Everywhere, [mute; 3]),
    ] {
        store.restrict(room, &barred(eve, Severity::Mute, Some(at(60)))).unwrap();
        assert_eq!((holds(at(59)), holds(at(60))), (in_room, [None; 3]), "{room:?}");
        assert_eq!(store.room(room.number()).unwrap(), Some(room));
        assert!(store.lift_restriction(room, eve).unwrap());
        assert!(!store.lift_restriction(room, eve).unwrap());
        assert_eq!(holds(at(1)), [None; 3]);
    }
    let nowhere = Room::Stream(StreamId::from_number(3));
    let refused = refusal(store.restrict(nowhere, &barred(eve, Severity::Mute, None)));
    assert_eq!(refused, Refusal::NotFound { what: "stream" });
    assert_eq!(store.room(3).unwrap(), None);
}

#[test]
fn the_strictest_restriction_counts_and_of_those_the_one_that_ends_last() {
    let store = in_memory();
    let (ana, eve) = (user(&store, "ana"), user(&store, "eve"));
    let stream = start(&store, ana, "front");
    let found =
        |now| store.restriction(stream, ana, eve, now).unwrap().map(|(room, found)| (room, found.until));
    store.restrict(Room::Stream(stream), &barred(eve, Severity::Mute, Some(at(60)))).unwrap();
    store.restrict(Room::ChatsOf(ana), &barred(eve, Severity::Mute, None)).unwrap();
    store.restrict(Room::Everywhere, &barred(eve, Severity::Mute, Some(at(90)))).unwrap();
    assert_eq!(found(at(1)), Some((Room::ChatsOf(ana), None)));
    store.restrict(Room::Everywhere, &barred(eve, Severity::Ban, Some(at(30)))).unwrap();
    assert_eq!(found(at(1)), Some((Room::Everywhere, Some(at(30)))));
    assert_eq!(found(at(31)), Some((Room::ChatsOf(ana), None)));
}

#[test]
fn restrictions_that_ended_are_neither_listed_nor_kept() {
    let store = in_memory();
    let (ana, eve, bob) = (user(&store, "ana"), user(&store, "eve"), user(&store, "bob"));
    let stream = start(&store, ana, "front");
    let rooms = Restricted::In(vec![Room::Stream(stream), Room::ChatsOf(ana)]);
    store.restrict(Room::Stream(stream), &barred(eve, Severity::Mute, Some(at(10)))).unwrap();
    store.restrict(Room::ChatsOf(ana), &barred(eve, Severity::Mute, Some(at(99)))).unwrap();
    store.restrict(Room::Everywhere, &barred(eve, Severity::Mute, None)).unwrap();
    let found = |which: &Restricted, now| -> Vec<Room> {
        store.restrictions(which, now).unwrap().into_iter().map(|(room, _)| room).collect()
    };
    assert_eq!(found(&rooms, at(9)), [Room::Stream(stream), Room::ChatsOf(ana)]);
    assert_eq!(found(&rooms, at(10)), [Room::ChatsOf(ana)]);
    assert_eq!(found(&Restricted::Of(eve), at(10)).len(), 2);
    assert_eq!(found(&Restricted::Of(bob), at(10)), []);
    let rows = || store.read(|tx| Ok(tx.reading(RESTRICTIONS)?.len()?)).unwrap();
    assert_eq!(rows(), 3);
    store
        .restrict(Room::Everywhere, &Restriction { at: at(50), ..barred(bob, Severity::Ban, None) })
        .unwrap();
    assert_eq!(rows(), 3, "the one that ended at 10 is gone");
    store.end_stream(stream, crate::EndReason::User, at(60)).unwrap();
    store
        .restrict(Room::Stream(stream), &Restriction { at: at(50), ..barred(bob, Severity::Ban, None) })
        .unwrap();
    store.delete_stream(stream).unwrap();
    assert_eq!(rows(), 3, "with the stream goes what was for it");
    store.delete_user(eve).unwrap();
    assert_eq!(rows(), 1);
}

#[test]
fn chat_rules_are_a_streams_own() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = start(&store, ana, "front");
    assert_eq!(store.chat_rules(stream).unwrap(), ChatRules::default());
    let rules = ChatRules { slow_mode_seconds: 10, followers_only: true, members_only: false };
    store.set_chat_rules(stream, &rules).unwrap();
    assert_eq!(store.chat_rules(stream).unwrap(), rules);
    let nowhere = refusal(store.set_chat_rules(StreamId::from_number(1), &rules));
    assert_eq!(nowhere, Refusal::NotFound { what: "stream" });
}

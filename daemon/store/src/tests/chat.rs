use super::*;
use crate::{ChatRules, Message, MessageId, Restriction, Room, Severity};

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

#[test]
fn the_strictest_restriction_that_holds_counts() {
    let store = in_memory();
    let (ana, bob, eve) = (user(&store, "ana"), user(&store, "bob"), user(&store, "eve"));
    let barred = |severity, until| Restriction { user: eve, severity, until, by: ana, at: at(0) };
    let holds = |streamer, now| store.restriction(streamer, eve, now).unwrap().map(|found| found.severity);
    assert_eq!(holds(ana, at(1)), None);
    store.restrict(Room::Of(ana), &barred(Severity::Mute, Some(at(60)))).unwrap();
    assert_eq!(holds(ana, at(59)), Some(Severity::Mute));
    assert_eq!(holds(ana, at(60)), None, "it has expired");
    assert_eq!(holds(bob, at(1)), None, "the restriction is for another room");
    store.restrict(Room::Everywhere, &barred(Severity::Ban, None)).unwrap();
    assert_eq!((holds(ana, at(1)), holds(bob, at(1))), (Some(Severity::Ban), Some(Severity::Ban)));
    assert_eq!(store.restrictions(Room::Everywhere, 9).unwrap().len(), 1);
    assert!(store.lift_restriction(Room::Everywhere, eve).unwrap());
    assert!(!store.lift_restriction(Room::Everywhere, eve).unwrap());
    assert_eq!(holds(ana, at(1)), Some(Severity::Mute));
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

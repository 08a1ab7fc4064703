use super::*;
use crate::{EndReason, Reaction, StreamChange, StreamState, Viewer};
use std::sync::Barrier;

#[test]
fn one_camera_carries_one_stream_and_the_loser_learns_who_has_it() {
    let store = in_memory();
    let users: Vec<_> = (0..8).map(|number| user(&store, &format!("u{number}"))).collect();
    let together = Barrier::new(users.len());
    let results: Vec<_> = std::thread::scope(|scope| {
        let ask = |user| {
            let (store, together) = (&store, &together);
            scope.spawn(move || {
                together.wait();
                store.start_stream(&new_stream(user, "front", "mine"), at(1))
            })
        };
        let asked: Vec<_> = users.iter().map(|&user| ask(user)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let [Ok(winner)] = &won[..] else { panic!("{} won", won.len()) };
    let facts = &winner.facts;
    for result in lost {
        let taken = Refusal::CameraTaken { camera: "front".to_owned(), stream: facts.id, user: facts.user };
        assert_eq!(refusal(result), taken);
    }
    assert_eq!(store.stream_on_camera("front").unwrap().unwrap().facts.id, facts.id);
    assert_eq!(store.stream_on_camera("back").unwrap(), None);
    start(&store, users[0], "back");
    assert_eq!(store.unfinished_streams().unwrap().len(), 2);
    store.end_stream(facts.id, EndReason::Button, at(9)).unwrap();
    start(&store, users[1], "front");
    assert_sound(&store);
}

#[test]
fn a_stream_comes_back_from_an_interruption_but_not_from_its_end() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = start(&store, ana, "front");
    let state = || store.stream(stream).unwrap().facts.state;
    assert_eq!(state(), StreamState::Starting);
    store.stream_live(stream, at(20)).unwrap();
    store.stream_interrupted(stream).unwrap();
    assert_eq!(state(), StreamState::Interrupted);
    store.stream_live(stream, at(30)).unwrap();
    store.end_stream(stream, EndReason::Shutdown, at(40)).unwrap();
    assert_eq!(store.end_stream(stream, EndReason::Owner, at(50)).unwrap(), None);
    let facts = store.stream(stream).unwrap().facts;
    assert_eq!((facts.live_at, facts.ended_at), (Some(at(20)), Some(at(40))));
    assert_eq!(facts.end_reason, Some(EndReason::Shutdown));
    for refused in [refusal(store.stream_live(stream, at(60))), refusal(store.stream_interrupted(stream))] {
        assert!(matches!(refused, Refusal::WrongState { from: StreamState::Ended, .. }), "{refused}");
    }
    assert_sound(&store);
}

#[test]
fn a_stream_is_edited_and_deleted_with_all_that_refers_to_it() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = start(&store, ana, "front");
    let change = StreamChange {
        title: Some("Owls".to_owned()),
        topics: Some(vec![topic(&store, "Nature"), topic(&store, "Home")]),
        visibility: Some(Visibility::Members),
        ..StreamChange::default()
    };
    let changed = store.change_stream(stream, &change).unwrap();
    assert_eq!((changed.details.title.as_str(), changed.topics.len()), ("Owls", 2));
    let nowhere = StreamChange { topics: Some(vec![TopicId::from_number(99)]), ..StreamChange::default() };
    start(&store, ana, "back");
    assert_eq!((store.count_streams(ana, true).unwrap(), store.count_streams(ana, false).unwrap()), (2, 1));
    assert_eq!(refusal(store.change_stream(stream, &nowhere)), Refusal::NotFound { what: "topic" });
    assert_eq!(store.stream(stream).unwrap(), changed, "what is refused changes nothing");
    assert_sound(&store);

    store.react(ana, stream, Some(Reaction::Like)).unwrap();
    store.save_stream(ana, stream, at(3)).unwrap();
    store.count_views(&[(stream, ana.into())]).unwrap();
    store.append_messages(&[message(stream, ana, 1, "x")], at(4)).unwrap();
    store.set_chat_rules(stream, &crate::ChatRules { slow_mode_seconds: 5, ..Default::default() }).unwrap();
    assert_eq!(refusal(store.delete_stream(stream)), Refusal::NotEnded { stream });
    store.end_stream(stream, EndReason::User, at(5)).unwrap();
    store.delete_stream(stream).unwrap();
    assert_eq!(refusal(store.stream(stream)), Refusal::NotFound { what: "stream" });
    assert_eq!(store.messages_after(stream, None, 9).unwrap(), []);
    assert_eq!(store.reaction(ana, stream).unwrap(), None);
    assert!(!store.is_saved(ana, stream).unwrap());
    assert_sound(&store);
}

#[test]
fn a_person_has_one_reaction_and_a_viewer_one_view() {
    let store = in_memory();
    let (ana, bob) = (user(&store, "ana"), user(&store, "bob"));
    let stream = start(&store, ana, "front");
    let counts = |reaction, user| {
        let facts = store.react(user, stream, reaction).unwrap();
        (facts.likes, facts.dislikes)
    };
    assert_eq!(counts(Some(Reaction::Like), ana), (1, 0));
    assert_eq!(counts(Some(Reaction::Like), ana), (1, 0));
    assert_eq!(counts(Some(Reaction::Like), bob), (2, 0));
    assert_eq!(counts(Some(Reaction::Dislike), ana), (1, 1));
    assert_eq!(store.reaction(ana, stream).unwrap(), Some(Reaction::Dislike));
    assert_eq!(counts(None, ana), (1, 0));
    assert_eq!(counts(None, ana), (1, 0));

    let gone = StreamId::from_number(7);
    let anonymous = Viewer::anonymous(42);
    let views = [(stream, ana.into()), (gone, ana.into()), (stream, anonymous), (stream, ana.into())];
    assert_eq!(store.count_views(&views).unwrap(), 2);
    assert_eq!(store.count_views(&views).unwrap(), 0);
    store.raise_peak_viewers(stream, 5).unwrap();
    store.raise_peak_viewers(stream, 3).unwrap();
    let facts = store.stream(stream).unwrap().facts;
    assert_eq!((facts.views, facts.peak_viewers), (2, 5));
    assert_sound(&store);
}

#[test]
fn a_thumbnail_that_a_person_chose_stays() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = start(&store, ana, "front");
    let first = store.refresh_thumbnail(stream, b"camera").unwrap().expect("nobody has chosen one");
    let second = store.refresh_thumbnail(stream, b"camera later").unwrap();
    assert!(second.is_some_and(|second| second != first));
    assert_eq!(store.thumbnail(stream).unwrap().unwrap(), b"camera later");
    let chosen = store.set_thumbnail(stream, b"chosen").unwrap();
    assert_eq!(store.refresh_thumbnail(stream, b"camera").unwrap(), None);
    assert_eq!(store.thumbnail(stream).unwrap().unwrap(), b"chosen");
    assert_eq!(store.stream(stream).unwrap().details.thumbnail_version, chosen);
    assert_ne!(store.set_thumbnail(stream, b"chosen again").unwrap(), chosen);
    assert_sound(&store);
}

#[test]
fn what_was_set_of_a_camera_is_kept_beside_what_was_set_before() {
    let store = in_memory();
    let values = |pairs: &[(&str, i32)]| pairs.iter().map(|&(key, value)| (key.to_owned(), value)).collect();
    assert!(store.camera_controls("front").unwrap().is_empty());
    store.keep_camera_controls("front", &values(&[("brightness", 5), ("hue", -3)])).unwrap();
    let kept = store.keep_camera_controls("front", &values(&[("brightness", 9)])).unwrap();
    assert_eq!(kept, values(&[("brightness", 9), ("hue", -3)]));
    assert_eq!(store.camera_controls("front").unwrap(), kept);
    assert!(store.camera_controls("back").unwrap().is_empty());
    let quiet = crate::CameraMicrophone { muted: true, gain_db: -6 };
    assert_eq!(store.camera_microphone("front").unwrap(), None);
    store.keep_camera_microphone("front", quiet).unwrap();
    assert_eq!(store.camera_microphone("front").unwrap(), Some(quiet));
    assert_eq!(store.camera_microphone("back").unwrap(), None);
    let many: Vec<_> = (0..300).map(|number| (format!("c{number}"), 0)).collect();
    let refused = refusal(store.keep_camera_controls("front", &many.into_iter().collect()));
    assert!(matches!(refused, Refusal::TooMany { .. }), "{refused}");
    assert_eq!(store.settings().unwrap(), crate::Settings::default());
    assert_sound(&store);
}

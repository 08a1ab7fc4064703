use super::*;
use crate::{ClockCorrection, EndReason, Recording, RecordingQuery, RecordingState, RecordingTrouble};

fn recording(stream: StreamId) -> Recording {
    Recording {
        stream,
        name: format!("2026-11-28 07.30 Owls {stream}"),
        parts: 1,
        bytes: 1000,
        duration_ms: 4000,
        started_at: at(10),
        state: RecordingState::Recording,
        is_pinned: false,
        is_date_provisional: true,
        is_name_outdated: false,
    }
}

fn listed(store: &Store, query: RecordingQuery) -> Vec<StreamId> {
    store.recordings(query).unwrap().into_iter().map(|recording| recording.stream).collect()
}

/// Ended streams, each with a recording, in the order of their ids.
fn recorded(store: &Store, user: UserId, count: i64) -> Vec<StreamId> {
    let streams: Vec<_> = (0..count)
        .map(|number| {
            let new = new_stream(user, "front", "Owls");
            let stream = store.start_stream(&new, at(number)).unwrap().facts.id;
            store.put_recording(&recording(stream)).unwrap();
            store.end_stream(stream, EndReason::User, at(number)).unwrap();
            stream
        })
        .collect();
    assert!(streams.is_sorted());
    streams
}

#[test]
fn one_two_and_eight_recordings_are_listed_page_by_page_newest_first() {
    for count in [1, 2, 8] {
        let store = in_memory();
        let streams = recorded(&store, user(&store, "ana"), count);
        let others = recorded(&store, user(&store, "ben"), 1);
        let newest_first: Vec<_> = streams.iter().rev().copied().collect();
        let ana = Some(store.user_by_name("ana").unwrap().id);
        let mut before = None;
        let mut found = Vec::new();
        loop {
            let page = listed(&store, RecordingQuery { user: ana, before, limit: 3 });
            before = page.last().copied();
            let is_last = page.len() < 3;
            found.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(found, newest_first);
        let all = listed(&store, RecordingQuery { limit: 99, ..RecordingQuery::default() });
        assert_eq!(all.len(), streams.len() + others.len());
        assert_sound(&store);
    }
}

#[test]
fn a_deleted_recording_is_known_until_its_files_are_gone_and_its_stream_stays() {
    let store = in_memory();
    let [stream] = recorded(&store, user(&store, "ana"), 1)[..] else { unreachable!() };
    store.forget_recording(stream).unwrap();
    assert!(store.recording(stream).unwrap().is_some(), "only deleted recordings are forgotten");
    store.delete_recording(stream).unwrap();
    assert_eq!(store.recording(stream).unwrap(), None);
    assert_eq!(listed(&store, RecordingQuery { limit: 9, ..RecordingQuery::default() }), []);
    assert_eq!(store.all_recordings().unwrap()[0].state, RecordingState::Deleted);
    for refused in [
        refusal(store.delete_recording(stream)),
        refusal(store.pin_recording(stream, true)),
        refusal(store.put_recording(&recording(stream))),
    ] {
        assert_eq!(refused, Refusal::NotFound { what: "recording" });
    }
    assert_sound(&store);
    store.forget_recording(stream).unwrap();
    assert_eq!(store.all_recordings().unwrap(), []);
    store.stream(stream).unwrap();
}

#[test]
fn recordings_of_deleted_streams_and_accounts_are_left_to_be_removed() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let streams = recorded(&store, ana, 2);
    store.delete_stream(streams[0]).unwrap();
    store.delete_user(ana).unwrap();
    let left = store.all_recordings().unwrap();
    assert!(left.iter().all(|recording| recording.state == RecordingState::Deleted));
    assert_eq!(left.iter().map(|recording| recording.stream).collect::<Vec<_>>(), streams);
    assert_sound(&store);
    refusal(store.put_recording(&recording(streams[0])));
    for stream in streams {
        store.forget_recording(stream).unwrap();
    }
    assert_eq!(store.all_recordings().unwrap(), []);
    assert_sound(&store);
}

#[test]
fn a_recording_is_pinned_and_dated_anew() {
    let store = in_memory();
    let [stream] = recorded(&store, user(&store, "ana"), 1)[..] else { unreachable!() };
    assert!(store.pin_recording(stream, true).unwrap().is_pinned);
    let correction = ClockCorrection { provisional: at(0)..at(99), behind_ms: 86_400_000, login_lasts_ms: 0 };
    store.correct_times(&correction).unwrap();
    let corrected = store.recording(stream).unwrap().unwrap();
    assert_eq!((corrected.started_at, corrected.is_date_provisional), (at(86_410), false));
    assert!(corrected.is_pinned && corrected.is_name_outdated);
}

#[test]
fn the_streamer_and_the_owners_are_told_once_each_that_a_recording_paused_and_went_on() {
    use crate::NotificationKind::{RecordingPaused, RecordingWentOn};
    let store = in_memory();
    let owner = store.add_user(&new_user("olga"), Role::Owner, at(0)).unwrap().id;
    let (ana, ben) = (user(&store, "ana"), user(&store, "ben"));
    let kinds = |who| {
        let all = store.notifications(who, None, 10).unwrap();
        all.into_iter().map(|notification| notification.kind).collect::<Vec<_>>()
    };
    let stream = start(&store, ana, "front");
    let trouble = RecordingTrouble::NoRoom;
    for told_at in [20, 40] {
        let told = store.recording_paused(stream, trouble, at(told_at)).unwrap();
        assert_eq!(told.iter().map(|delivery| delivery.to).collect::<Vec<_>>(), [owner, ana]);
        store.recording_went_on(stream, at(told_at + 10)).unwrap();
    }
    let expected = [RecordingWentOn { stream }, RecordingPaused { stream, trouble }];
    assert_eq!((kinds(ana), kinds(owner), kinds(ben)), (expected.to_vec(), expected.to_vec(), vec![]));
    // An owner who streams is one person.
    let own = start(&store, owner, "back");
    assert_eq!(store.recording_paused(own, trouble, at(50)).unwrap().len(), 1);
    assert_sound(&store);
    // They go with the stream.
    store.end_stream(stream, EndReason::User, at(60)).unwrap();
    store.delete_stream(stream).unwrap();
    assert_eq!((kinds(ana), kinds(owner).len()), (vec![], 1));
    assert_eq!(store.recording_paused(stream, trouble, at(70)).unwrap(), []);
    store.end_stream(own, EndReason::User, at(80)).unwrap();
    let another = store.add_user(&new_user("oda"), Role::Owner, at(0)).unwrap().id;
    store.recording_paused(own, trouble, at(90)).unwrap();
    store.delete_user(owner).unwrap();
    assert_eq!(kinds(another), []);
    assert_sound(&store);
}

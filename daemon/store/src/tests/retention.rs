use super::*;
use crate::{
    EndReason, NotificationKind, Recording, RecordingState, Restricted, Restriction, Retention, Room,
    Severity, Step, Sweep, Viewer,
};

const DAY: i64 = 86_400;

/// Sweeps to the end; returns the number of rows that each step deleted.
pub(super) fn swept(store: &Store, now: Timestamp) -> Vec<usize> {
    let mut steps = Vec::new();
    let mut next = Some(Sweep::default());
    while let Some(sweep) = next {
        let step: Step = store.sweep(sweep, now).unwrap();
        steps.push(step.deleted);
        next = step.next;
        assert!(steps.len() < 10_000, "a sweep ends");
    }
    steps
}

/// A stream that ended at `seconds` with a chat and views.
fn ended(store: &Store, user: UserId, camera: &str, messages: usize, seconds: i64) -> StreamId {
    let stream = start(store, user, camera);
    store.stream_live(stream, at(seconds - 1)).unwrap();
    let new: Vec<_> = (0..messages).map(|offset| message(stream, user, offset as u64, "hello")).collect();
    for result in store.append_messages(&new, at(seconds)).unwrap() {
        result.unwrap();
    }
    let views: Vec<_> = (0..messages).map(|viewer| (stream, Viewer::anonymous(viewer as u128))).collect();
    store.count_views(&views).unwrap();
    store.end_stream(stream, EndReason::User, at(seconds)).unwrap();
    stream
}

fn recorded(store: &Store, stream: StreamId, state: RecordingState) {
    let recording = Recording {
        stream,
        name: stream.to_string(),
        parts: 1,
        bytes: 1,
        duration_ms: 1,
        started_at: at(0),
        state: RecordingState::Ended,
        is_pinned: false,
        is_date_provisional: false,
        is_name_outdated: false,
    };
    store.put_recording(&recording).unwrap();
    if state == RecordingState::Deleted {
        store.delete_recording(stream).unwrap();
    }
}

fn messages_of(store: &Store, stream: StreamId) -> usize {
    store.messages_after(stream, None, 9_999).unwrap().len()
}

#[test]
fn streams_without_a_recording_and_old_chats_go_in_small_steps() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let [old, kept, trashed, other, live] = ["a", "b", "c", "d", "e"].map(|camera| {
        if camera == "e" { start(&store, ana, camera) } else { ended(&store, ana, camera, 1_000, 100) }
    });
    recorded(&store, kept, RecordingState::Ended);
    recorded(&store, trashed, RecordingState::Deleted);
    let retention = Retention { unrecorded_stream_days: 10, chat_days: 20, ..Retention::default() };
    store.change_retention(|now| *now = retention).unwrap();
    assert_eq!(store.retention().unwrap(), retention);
    assert_eq!(swept(&store, at(100 + 10 * DAY)).iter().sum::<usize>(), 0, "nothing is too old yet");
    let steps = swept(&store, at(101 + 10 * DAY));
    assert!(steps.iter().all(|&rows| rows <= 201), "{steps:?}");
    assert!(steps.len() > 10, "{steps:?}");
    for gone in [old, other] {
        assert_eq!(refusal(store.stream(gone)), Refusal::NotFound { what: "stream" });
    }
    for there in [kept, trashed] {
        assert_eq!(messages_of(&store, there), 1_000);
    }
    assert_sound(&store);
    swept(&store, at(101 + 20 * DAY));
    for there in [kept, trashed] {
        assert_eq!(messages_of(&store, there), 0, "the chat is too old");
        assert_eq!(store.stream(there).unwrap().facts.views, 1_000);
    }
    assert!(store.stream(live).is_ok(), "what is on the air is kept");
    assert_sound(&store);
}

#[test]
fn a_sweep_that_is_cut_off_leaves_a_sound_store_and_the_next_one_ends_it() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = ended(&store, ana, "front", 450, 0);
    let now = at(1_000 * DAY);
    let mut next = Some(Sweep::default());
    for _ in 0..4 {
        next = store.sweep(next.unwrap(), now).unwrap().next;
        assert_sound(&store);
    }
    assert!(store.stream(stream).is_ok(), "it takes more steps than that");
    swept(&store, now);
    assert!(store.stream(stream).is_err());
    assert_sound(&store);
}

#[test]
fn notifications_ended_restrictions_and_unused_logins_go() {
    let store = in_memory();
    let (ana, bob) = (user(&store, "ana"), user(&store, "bob"));
    store.follow(bob, ana, at(0)).unwrap();
    let bar = |user, until| {
        let restriction = Restriction { user, severity: Severity::Mute, until, by: ana, at: at(0) };
        store.restrict(Room::ChatsOf(ana), &restriction).unwrap();
    };
    bar(bob, Some(at(100)));
    bar(ana, None);
    store.open_session(ana, &[1; 32], "", at(0), at(100)).unwrap();
    store.open_session(ana, &[2; 32], "", at(0), at(1_000 * DAY)).unwrap();
    let used = store.open_session(ana, &[3; 32], "", at(29 * DAY), at(1_000 * DAY)).unwrap();
    swept(&store, at(30 * DAY + 101));
    let held = store.restrictions(&Restricted::In(vec![Room::ChatsOf(ana)]), at(0)).unwrap();
    assert_eq!(held.len(), 1, "the one without an end: {held:?}");
    assert_eq!(store.sessions(ana).unwrap(), [used]);
    let told = |store: &Store| store.notifications(ana, None, 9).unwrap().into_iter().map(|one| one.kind);
    assert_eq!(told(&store).collect::<Vec<_>>(), [NotificationKind::Followed { by: bob }]);
    swept(&store, at(90 * DAY + 1));
    assert_eq!(told(&store).count(), 0);
    assert_sound(&store);
}

#[test]
fn for_ever_is_for_ever() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let stream = ended(&store, ana, "front", 3, 0);
    let for_ever = Retention {
        unrecorded_stream_days: 0,
        chat_days: 0,
        notification_days: 0,
        restriction_days: 0,
        login_days: 0,
    };
    store.change_retention(|retention| *retention = for_ever).unwrap();
    assert_eq!(swept(&store, at(100_000 * DAY)).iter().sum::<usize>(), 0);
    assert_eq!(messages_of(&store, stream), 3);
}

use super::*;
use crate::reads::Reads as _;
use crate::tables::{FOLLOWS, USER_SESSIONS, WATCH_LIST};
use crate::{
    ClockCorrection, EndReason, EventKind, Restricted, Restriction, Room, Severity, WebhookDelivery,
    WebhookSecret,
};
use redb::ReadableTable as _;

/// The board started at second 0 by its own clock, and learned at second 1000 that it is two years later.
const LATE: i64 = 2 * 365 * 86_400;

fn correction() -> ClockCorrection {
    ClockCorrection { provisional: at(0)..at(1000), behind_ms: LATE * 1000, login_lasts_ms: MONTH * 1000 }
}

/// How long a login lasts.
const MONTH: i64 = 30 * 86_400;

#[test]
fn what_was_dated_by_a_clock_that_was_off_is_dated_anew() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let over = start(&store, ana, "front");
    store.stream_live(over, at(20)).unwrap();
    store.append_messages(&[message(over, ana, 5, "hi")], at(25)).unwrap();
    store.end_stream(over, EndReason::Owner, at(30)).unwrap();
    let on = start(&store, ana, "front");
    store.stream_live(on, at(2000)).unwrap();
    let before = store.messages_after(over, None, 9).unwrap();

    store.correct_times(&correction()).unwrap();
    let facts = store.stream(over).unwrap().facts;
    let times = (facts.created_at, facts.live_at, facts.ended_at);
    assert_eq!(times, (at(LATE + 10), Some(at(LATE + 20)), Some(at(LATE + 30))));
    let facts = store.stream(on).unwrap().facts;
    assert_eq!(
        (facts.created_at, facts.live_at),
        (at(LATE + 10), Some(at(2000))),
        "dates from the set clock stay"
    );
    assert_eq!(store.user(ana).unwrap().created_at, at(LATE));
    assert_eq!(store.notifications(ana, None, 9).unwrap()[0].at, at(LATE + 30));
    let after = store.messages_after(over, None, 9).unwrap();
    assert_eq!((after[0].id, after[0].sent_at), (before[0].id, at(LATE + 25)));
    assert_sound(&store);
}

#[test]
fn logins_last_as_long_as_they_were_to_last() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let login = store.open_session(ana, &[1; 32], "", at(0), at(500)).unwrap();
    store.refresh_session(&[1; 32], &[2; 32], at(100), at(600)).unwrap();
    let over = store.open_session(ana, &[9; 32], "", at(-500), at(999)).unwrap();
    store.correct_times(&correction()).unwrap();
    assert_sound(&store);
    assert_eq!(store.session(over.id).unwrap().expires_at, at(999), "it had expired before");
    let corrected = store.session(login.id).unwrap();
    assert_eq!((corrected.opened_at, corrected.refreshed_at), (at(LATE), at(LATE + 100)));
    assert_eq!(corrected.expires_at, at(LATE + 600));
    let count = store.sessions(ana).unwrap().len();
    super::retention::swept(&store, at(5000));
    assert_eq!(store.sessions(ana).unwrap().len(), count - 1, "the one that had expired is gone");
    store.refresh_session(&[2; 32], &[3; 32], at(LATE + 599), at(LATE + 999)).unwrap();
    let twice = refusal(store.refresh_session(&[1; 32], &[4; 32], at(LATE + 599), at(LATE + 999)));
    assert!(matches!(twice, Refusal::TokenReused { .. }), "used tokens are still known: {twice}");
    assert_sound(&store);
}

#[test]
fn logins_from_before_the_start_keep_the_time_that_they_had_left() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let open = store.open_session(ana, &[1; 32], "", at(-500), at(MONTH - 500)).unwrap();
    // Dated while the clock was right, and longer away than a login lasts: the clock that shows it cannot judge it.
    let right = store.open_session(ana, &[2; 32], "", at(LATE - 60), at(LATE - 60 + MONTH)).unwrap();
    store.correct_times(&correction()).unwrap();
    let after = |session: &crate::Session| store.session(session.id).unwrap();
    assert_eq!((after(&open).opened_at, after(&open).expires_at), (at(-500), at(LATE + MONTH - 500)));
    assert_eq!(after(&right), right);
    assert_sound(&store);

    // The clock was wrong after all.
    let back =
        ClockCorrection { provisional: at(LATE)..at(LATE + 1060), behind_ms: -LATE * 1000, ..correction() };
    store.correct_times(&back).unwrap();
    assert_eq!(after(&open), open);
    assert_sound(&store);
}

#[test]
fn follows_saved_streams_and_the_list_of_logins_are_dated_anew() {
    let store = in_memory();
    let (ana, ben) = (user(&store, "ana"), user(&store, "ben"));
    let stream = start(&store, ana, "front");
    store.follow(ben, ana, at(20)).unwrap();
    store.follow(ana, ben, at(-20)).unwrap();
    store.save_stream(ben, stream, at(30)).unwrap();
    let login = store.open_session(ben, &[1; 32], "", at(40), at(900)).unwrap();
    store.correct_times(&correction()).unwrap();
    let since = |value: Option<i64>| Timestamp::from_unix_millis(value.unwrap());
    let read = store.read(|tx| {
        let listed =
            tx.reading(USER_SESSIONS)?.get((ben.number(), login.id.number()))?.map(|row| row.value());
        Ok([
            since(FOLLOWS.value(tx, ben.number(), ana.number())?),
            since(FOLLOWS.value(tx, ana.number(), ben.number())?),
            since(WATCH_LIST.value(tx, ben.number(), stream.number())?),
            since(listed),
        ])
    });
    assert_eq!(read.unwrap(), [at(LATE + 20), at(-20), at(LATE + 30), at(LATE + 40)]);
    assert_sound(&store);
}

#[test]
fn webhooks_and_their_deliveries_are_dated_anew() {
    let store = in_memory();
    let events = [EventKind::StreamStarted].into();
    let secret = WebhookSecret::new([7; 32]);
    let webhook = store.add_webhook("http://192.0.2.1/", &events, &secret, at(10)).unwrap();
    let before = WebhookDelivery::new(webhook.id, EventKind::StreamStarted, at(-10)).unwrap();
    let mut after = WebhookDelivery::new(webhook.id, EventKind::StreamStarted, at(20)).unwrap();
    after.tried_at = Some(at(30));
    store.put_deliveries(&[before, after]).unwrap();
    store.correct_times(&correction()).unwrap();
    assert_eq!(store.webhooks().unwrap()[0].created_at, at(LATE + 10));
    let mut dates: Vec<_> =
        store.deliveries(webhook.id).unwrap().iter().map(|one| (one.created_at, one.tried_at)).collect();
    dates.sort();
    assert_eq!(dates, [(at(-10), None), (at(LATE + 20), Some(at(LATE + 30)))]);
    assert_sound(&store);
}

#[test]
fn a_ban_for_an_hour_lasts_an_hour() {
    let store = in_memory();
    let (ana, eve) = (user(&store, "ana"), user(&store, "eve"));
    let barred =
        |at, until| Restriction { user: eve, severity: Severity::Mute, until: Some(until), by: ana, at };
    let stream = start(&store, ana, "front");
    store.restrict(Room::ChatsOf(ana), &barred(at(10), at(3610))).unwrap();
    store.restrict(Room::Everywhere, &barred(at(-100), at(3500))).unwrap();
    store.correct_times(&correction()).unwrap();
    assert!(store.restriction(stream, ana, eve, at(LATE + 3609)).unwrap().is_some());
    assert!(store.restriction(stream, ana, eve, at(LATE + 3610)).unwrap().is_none());
    assert_eq!(
        store.restrictions(&Restricted::In(vec![Room::Everywhere]), at(0)).unwrap()[0].1.until,
        Some(at(3500))
    );
}

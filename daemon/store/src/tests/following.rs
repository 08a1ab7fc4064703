use super::*;
use crate::{EndReason, FollowCounts, NOTIFICATIONS_PER_USER, NotificationKind};

#[test]
fn following_counts_once_from_both_ends() {
    let store = in_memory();
    let (ana, bob, eve) = (user(&store, "ana"), user(&store, "bob"), user(&store, "eve"));
    assert_eq!(refusal(store.follow(ana, ana, at(1))), Refusal::OwnAccount);
    assert_eq!(refusal(store.follow(ana, UserId::from_number(5), at(1))), Refusal::NotFound { what: "user" });
    let told = store.follow(ana, bob, at(1)).unwrap().unwrap();
    assert_eq!((told.to, told.notification.kind), (bob, NotificationKind::Followed { by: ana }));
    assert_eq!(store.follow(ana, bob, at(2)).unwrap(), None, "followed already");
    store.follow(eve, bob, at(2)).unwrap();
    assert_eq!(store.follow_counts(bob).unwrap(), FollowCounts { followers: 2, following: 0 });
    assert_eq!(store.follow_counts(ana).unwrap(), FollowCounts { followers: 0, following: 1 });
    assert!(store.is_following(ana, bob).unwrap() && !store.is_following(bob, ana).unwrap());

    let first = store.followers(bob, None, 1).unwrap();
    let second = store.followers(bob, Some(first[0].id), 1).unwrap();
    let mut both = [first[0].id, second[0].id];
    both.sort();
    let mut expected = [ana, eve];
    expected.sort();
    assert_eq!(both, expected);
    assert_eq!(store.followers(bob, Some(second[0].id), 1).unwrap(), []);
    assert_eq!(store.following(ana, None, 9).unwrap()[0].id, bob);

    assert!(store.unfollow(ana, bob).unwrap());
    assert!(!store.unfollow(ana, bob).unwrap());
    assert_eq!(store.follow_counts(bob).unwrap().followers, 1);
    assert_sound(&store);
}

#[test]
fn followers_are_told_once_when_a_stream_goes_live() {
    let store = in_memory();
    let (ana, bob, eve) = (user(&store, "ana"), user(&store, "bob"), user(&store, "eve"));
    store.follow(bob, ana, at(1)).unwrap();
    store.follow(eve, ana, at(1)).unwrap();
    let stream = start(&store, ana, "front");
    let mut told: Vec<_> =
        store.stream_live(stream, at(20)).unwrap().into_iter().map(|told| told.to).collect();
    told.sort();
    let mut expected = vec![bob, eve];
    expected.sort();
    assert_eq!(told, expected);
    store.stream_interrupted(stream).unwrap();
    assert_eq!(store.stream_live(stream, at(30)).unwrap(), [], "it comes back, which is no news");
    let news = store.notifications(bob, None, 10).unwrap();
    assert_eq!(news[0].kind, NotificationKind::WentLive { by: ana, stream });
    assert_eq!(store.unread_notifications(bob).unwrap(), 1);
    assert_eq!(store.read_notifications(bob, Some(news[0].id)).unwrap(), 0);
    assert_eq!(store.unread_notifications(bob).unwrap(), 0);

    // Nobody is notified of what no longer exists.
    store.end_stream(stream, EndReason::User, at(40)).unwrap();
    store.delete_stream(stream).unwrap();
    assert_eq!(store.notifications(bob, None, 10).unwrap(), []);
    assert_sound(&store);
}

#[test]
fn the_user_is_told_when_something_else_stops_the_stream() {
    let store = in_memory();
    let ana = user(&store, "ana");
    for (reason, is_told) in [
        (EndReason::User, false),
        (EndReason::Owner, true),
        (EndReason::Button, true),
        (EndReason::Disk, true),
        (EndReason::Duration, false),
    ] {
        let stream = start(&store, ana, "front");
        let told = store.end_stream(stream, reason, at(20)).unwrap();
        assert_eq!(told.map(|told| told.to), is_told.then_some(ana), "{reason:?}");
    }
}

#[test]
fn notifications_are_bounded_and_not_repeated() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let bob = user(&store, "bob");
    for again in 0..3 {
        store.follow(bob, ana, at(again)).unwrap();
        store.unfollow(bob, ana).unwrap();
    }
    assert_eq!(store.notifications(ana, None, 10).unwrap().len(), 1);
    for number in 0..NOTIFICATIONS_PER_USER + 5 {
        let other = user(&store, &format!("u{number}"));
        store.follow(other, ana, at(100)).unwrap();
    }
    let all = store.notifications(ana, None, 1000).unwrap();
    assert_eq!(all.len(), NOTIFICATIONS_PER_USER);
    assert!(all.is_sorted_by(|newer, older| newer.id > older.id));
    let page = store.notifications(ana, Some(all[9].id), 5).unwrap();
    assert_eq!(page, all[10..15]);
    assert_eq!(store.read_notifications(ana, Some(all[50].id)).unwrap(), 50);
    assert_eq!(store.read_notifications(ana, None).unwrap(), 0);
    assert_sound(&store);
}

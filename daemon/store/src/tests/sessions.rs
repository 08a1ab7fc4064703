use super::*;
use crate::{SESSIONS_PER_USER, Standing};

const DAY: i64 = 86_400;

#[test]
fn a_refresh_token_is_good_once() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let login = store.open_session(ana, &[1; 32], "Firefox", at(0), at(30 * DAY)).unwrap();
    let refreshed = store.refresh_session(&[1; 32], &[2; 32], at(900), at(900 + 30 * DAY)).unwrap();
    assert_eq!((refreshed.id, refreshed.user), (login.id, ana));
    store.refresh_session(&[2; 32], &[3; 32], at(1800), at(1800 + 30 * DAY)).unwrap();
    assert_eq!(refusal(store.refresh_session(&[9; 32], &[4; 32], at(1800), at(DAY))), Refusal::TokenUnknown);
    assert_sound(&store);
}

#[test]
fn a_token_used_twice_closes_the_login_and_no_other() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let login = store.open_session(ana, &[1; 32], "", at(0), at(30 * DAY)).unwrap();
    let other = store.open_session(ana, &[100; 32], "", at(0), at(30 * DAY)).unwrap();
    store.refresh_session(&[1; 32], &[2; 32], at(900), at(30 * DAY)).unwrap();
    store.refresh_session(&[2; 32], &[3; 32], at(1800), at(30 * DAY)).unwrap();
    let twice = refusal(store.refresh_session(&[1; 32], &[4; 32], at(1801), at(30 * DAY)));
    assert_eq!(twice, Refusal::TokenReused { session: login.id, user: ana });
    for token in [[1; 32], [2; 32], [3; 32], [4; 32]] {
        let refused = refusal(store.refresh_session(&token, &[5; 32], at(1802), at(30 * DAY)));
        assert_eq!(refused, Refusal::TokenUnknown);
    }
    assert_eq!(refusal(store.session(login.id)), Refusal::NotFound { what: "login" });
    assert_eq!(store.session(other.id).unwrap().id, other.id);
    assert_sound(&store);
}

#[test]
fn an_exchange_whose_answer_was_lost_is_repeated() {
    let store = in_memory();
    let ana = user(&store, "ana");
    store.open_session(ana, &[1; 32], "", at(0), at(30 * DAY)).unwrap();
    let first = store.refresh_session(&[1; 32], &[2; 32], at(900), at(900 + 30 * DAY)).unwrap();
    for second in [900, 901, 929] {
        let again = store.refresh_session(&[1; 32], &[2; 32], at(second), at(second + 30 * DAY)).unwrap();
        assert_eq!(again, first, "the same token, good as long as before");
    }
    // The successor is in use, so its predecessor is not lost.
    store.refresh_session(&[2; 32], &[3; 32], at(930), at(930 + 30 * DAY)).unwrap();
    let reused = refusal(store.refresh_session(&[1; 32], &[2; 32], at(930), at(31 * DAY)));
    assert!(matches!(reused, Refusal::TokenReused { .. }), "{reused}");
    assert_eq!(store.sessions(ana).unwrap(), []);
    assert_sound(&store);
}

#[test]
fn an_exchange_is_not_repeated_later_nor_for_another_successor() {
    let store = in_memory();
    let ana = user(&store, "ana");
    for (next, second) in [([2; 32], 930), ([9; 32], 901)] {
        store.open_session(ana, &[1; 32], "", at(0), at(30 * DAY)).unwrap();
        store.refresh_session(&[1; 32], &[2; 32], at(900), at(30 * DAY)).unwrap();
        let reused = refusal(store.refresh_session(&[1; 32], &next, at(second), at(30 * DAY)));
        assert!(matches!(reused, Refusal::TokenReused { .. }), "{reused} at {second}");
        assert_eq!(store.sessions(ana).unwrap(), []);
    }
}

#[test]
fn an_expired_token_closes_the_login() {
    let store = in_memory();
    let ana = user(&store, "ana");
    store.open_session(ana, &[1; 32], "", at(0), at(DAY)).unwrap();
    assert_eq!(
        refusal(store.refresh_session(&[1; 32], &[2; 32], at(DAY), at(2 * DAY))),
        Refusal::TokenExpired
    );
    assert_eq!(store.sessions(ana).unwrap(), []);
    store.open_session(ana, &[3; 32], "", at(0), at(DAY)).unwrap();
    store.open_session(ana, &[4; 32], "", at(0), at(3 * DAY)).unwrap();
    super::retention::swept(&store, at(2 * DAY));
    assert_eq!(store.sessions(ana).unwrap().len(), 1);
    assert_sound(&store);
}

#[test]
fn logging_out_everywhere_keeps_what_is_asked() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let first = store.open_session(ana, &[1; 32], "", at(0), at(DAY)).unwrap();
    let second = store.open_session(ana, &[2; 32], "", at(1), at(DAY)).unwrap();
    store.open_session(ana, &[3; 32], "", at(2), at(DAY)).unwrap();
    store.close_session(first.id).unwrap();
    store.change_password(ana, &PasswordHash::new("$new"), Some(second.id)).unwrap();
    assert_eq!(store.password(ana).unwrap().expose(), "$new");
    assert_eq!(store.sessions(ana).unwrap().iter().map(|login| login.id).collect::<Vec<_>>(), [second.id]);
    assert!(store.close_session_of(&[2; 32]).unwrap());
    assert!(!store.close_session_of(&[2; 32]).unwrap());
    assert_eq!(store.sessions(ana).unwrap(), []);
    store.open_session(ana, &[4; 32], "", at(3), at(DAY)).unwrap();
    store.set_standing(ana, Standing::Suspended).unwrap();
    assert_eq!(store.sessions(ana).unwrap(), []);
    assert_sound(&store);
}

#[test]
fn logins_and_the_used_tokens_they_remember_are_bounded() {
    let store = in_memory();
    let ana = user(&store, "ana");
    for (number, second) in (0..=SESSIONS_PER_USER).zip(0..) {
        store.open_session(ana, &[number as u8; 32], "", at(second), at(DAY)).unwrap();
    }
    assert_eq!(store.sessions(ana).unwrap().len(), SESSIONS_PER_USER);
    assert_eq!(refusal(store.refresh_session(&[0; 32], &[99; 32], at(60), at(DAY))), Refusal::TokenUnknown);

    // A token is forgotten once it would have expired.
    store.refresh_session(&[1; 32], &[101; 32], at(60), at(3 * DAY)).unwrap();
    store.refresh_session(&[101; 32], &[102; 32], at(2 * DAY), at(4 * DAY)).unwrap();
    assert_eq!(
        refusal(store.refresh_session(&[1; 32], &[103; 32], at(2 * DAY), at(4 * DAY))),
        Refusal::TokenUnknown
    );
    assert!(matches!(
        refusal(store.refresh_session(&[101; 32], &[103; 32], at(2 * DAY), at(4 * DAY))),
        Refusal::TokenReused { .. }
    ));
    assert_sound(&store);
}

#[test]
fn a_login_under_a_clock_that_went_back_is_not_taken_for_the_oldest() {
    let store = in_memory();
    let ana = user(&store, "ana");
    for number in 0..SESSIONS_PER_USER {
        store.open_session(ana, &[number as u8; 32], "", at(0), at(DAY)).unwrap();
    }
    let back = store.open_session(ana, &[200; 32], "", at(-100 * DAY), at(DAY)).unwrap();
    assert_eq!(store.session(back.id).unwrap().id, back.id);
}

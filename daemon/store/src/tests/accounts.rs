use super::*;
use crate::tables::{META, NAME_SKELETONS};
use crate::{NotificationKind, Registration, Standing, Topic, UserChange, UserQuery};
use crate::{User, skeletons, user as record_of};

#[test]
fn setup_makes_one_owner_once() {
    let store = in_memory();
    assert!(!store.has_owner().unwrap());
    let owner = store.create_owner(&new_user("Ana"), at(0)).unwrap();
    assert_eq!((owner.role, owner.standing), (Role::Owner, Standing::Active));
    assert!(store.has_owner().unwrap());
    assert_eq!(refusal(store.create_owner(&new_user("Eve"), at(1))), Refusal::OwnerExists);
    assert_eq!(refusal(store.user_by_name("Eve")), Refusal::NotFound { what: "user" });
    assert_sound(&store);
}

#[test]
fn usernames_are_unique_without_regard_to_case() {
    let store = in_memory();
    let zoe = user(&store, "Zoë");
    let taken = refusal(store.add_user(&new_user("ZOË"), Role::Viewer, at(1)));
    assert_eq!(taken, Refusal::UsernameTaken { username: "ZOË".to_owned() });
    assert_eq!(store.user_by_name("zoe\u{308}").unwrap().id, zoe);

    let bob = user(&store, "bob");
    let to_zoe = UserChange { username: Some("zoë".to_owned()), ..UserChange::default() };
    assert!(matches!(refusal(store.change_user(bob, &to_zoe)), Refusal::UsernameTaken { .. }));
    assert_eq!(
        store.change_user(zoe, &to_zoe).unwrap().username,
        "zoë",
        "an account may change the spelling of its own name"
    );
    let to_rob = UserChange { username: Some("rob".to_owned()), ..UserChange::default() };
    store.change_user(bob, &to_rob).unwrap();
    user(&store, "Bob");
    assert_eq!(store.users(None, 10).unwrap().len(), 3);
    assert_sound(&store);
}

#[test]
fn usernames_look_different_from_each_other() {
    let store = in_memory();
    let ace = user(&store, "ace");
    // All Cyrillic.
    let alike = "\u{430}\u{441}\u{435}";
    let refused = Refusal::UsernameAlike { username: alike.to_owned(), other: "ace".to_owned() };
    assert_eq!(refusal(store.must_be_free(alike)), refused);
    assert_eq!(refusal(store.add_user(&new_user(alike), Role::Viewer, at(1))), refused);
    let named = |name: &str| UserChange { username: Some(name.to_owned()), ..UserChange::default() };
    let bob = user(&store, "bob");
    assert_eq!(refusal(store.change_user(bob, &named(alike))), refused);
    // One's own name may be written in another way, and a name that is given up is free.
    store.change_user(ace, &named(alike)).unwrap();
    store.change_user(ace, &named("ann")).unwrap();
    store.change_user(bob, &named(alike)).unwrap();
    assert!(matches!(refusal(store.must_be_free("ace")), Refusal::UsernameAlike { .. }));
    assert_sound(&store);
    store.delete_user(bob).unwrap();
    store.must_be_free("ace").unwrap();
    assert_sound(&store);
}

#[test]
fn accounts_that_look_alike_already_keep_their_names_when_unicode_changes() {
    let store = in_memory();
    let (ace, tom) = (user(&store, "ace"), user(&store, "tom"));
    // As another version of Unicode left it.
    store
        .write(|tx| {
            let mut table = tx.open_table(NAME_SKELETONS)?;
            table.retain(|_, ()| false)?;
            table.insert(("other", tom.number()), ())?;
            tx.open_table(META)?.insert("skeletons_by", 7)?;
            let twin = User { username: "torn".to_owned(), ..record_of::get(tx, ace)? };
            record_of::put(tx, &twin)?;
            Ok(())
        })
        .unwrap();
    assert!(!store.read(skeletons::are_current).unwrap());
    store.write(skeletons::rebuild).unwrap();
    assert!(store.read(skeletons::are_current).unwrap());
    assert_eq!(store.read(skeletons::verify).unwrap(), None);
    assert_eq!(store.user(tom).unwrap().username, "tom");
    let third = refusal(store.must_be_free("TOM"));
    assert!(matches!(third, Refusal::UsernameTaken { .. }), "{third}");
    assert!(store.must_be_free("tarn").is_ok());
}

#[test]
fn registration_follows_the_settings() {
    let store = in_memory();
    assert_eq!(refusal(store.register(&new_user("a"), at(0))), Refusal::RegistrationClosed, "no owner yet");
    let owner = store.set_up(&new_user("o"), Registration::Open, at(0)).unwrap().id;
    let (user, told) = store.register(&new_user("a"), at(0)).unwrap();
    assert_eq!((user.standing, user.role, told), (Standing::Active, Role::Viewer, vec![]));
    store.change_settings(|settings| settings.registration = Registration::Approval).unwrap();
    let (pending, told) = store.register(&new_user("b"), at(0)).unwrap();
    assert_eq!((pending.standing, pending.role), (Standing::Pending, Role::Viewer));
    let waiting = NotificationKind::AccountWaiting { by: pending.id };
    let told: Vec<_> = told.into_iter().map(|told| (told.to, told.notification.kind)).collect();
    assert_eq!(told, [(owner, waiting)]);
    assert_eq!(refusal(store.open_session(pending.id, &[1; 32], "", at(0), at(9))), Refusal::NotActive);
    store.set_standing(pending.id, Standing::Active).unwrap();
    assert_eq!(store.notifications(owner, None, 9).unwrap(), [], "it is decided");
    let (refused, _) = store.register(&new_user("d"), at(0)).unwrap();
    assert_eq!(store.notifications(owner, None, 9).unwrap().len(), 1);
    store.delete_user(refused.id).unwrap();
    assert_eq!(store.notifications(owner, None, 9).unwrap(), []);
    store.open_session(pending.id, &[1; 32], "", at(0), at(9)).unwrap();
    store.change_settings(|settings| settings.registration = Registration::Closed).unwrap();
    assert_eq!(refusal(store.register(&new_user("c"), at(0))), Refusal::RegistrationClosed);
    assert_sound(&store);
}

#[test]
fn the_last_owner_stays() {
    let store = in_memory();
    let ana = store.create_owner(&new_user("ana"), at(0)).unwrap().id;
    assert_eq!(refusal(store.set_role(ana, Role::Viewer)), Refusal::LastOwner);
    assert_eq!(refusal(store.set_standing(ana, Standing::Suspended)), Refusal::LastOwner);
    assert_eq!(refusal(store.delete_user(ana)), Refusal::LastOwner);
    let bob = user(&store, "bob");
    store.set_role(bob, Role::Owner).unwrap();
    store.delete_user(ana).unwrap();
    assert_eq!(refusal(store.set_role(bob, Role::Streamer)), Refusal::LastOwner);
    assert_sound(&store);
}

#[test]
fn hashes_and_keys_are_kept_apart_and_never_printed() {
    let store = in_memory();
    let ana = user(&store, "ana");
    assert_eq!(store.password(ana).unwrap().expose(), "$argon2id$of-ana");
    assert!(!format!("{:?} {:?}", store.password(ana), new_user("ana")).contains("argon2id"));
    let key = store.signing_key().unwrap();
    assert_eq!(store.signing_key().unwrap(), key);
    assert_ne!(key.expose(), &[0; 32]);
    assert_eq!(format!("{key:?}"), "SigningKey(…)");
}

#[test]
fn pictures_have_versions_and_a_bound() {
    let store = in_memory();
    let ana = user(&store, "ana");
    let one = store.set_avatar(ana, Some(b"one")).unwrap();
    let two = store.set_avatar(ana, Some(b"two")).unwrap();
    assert!(one != 0 && two != 0 && one != two);
    assert_eq!(store.user(ana).unwrap().avatar_version, two);
    assert_eq!(store.avatar(ana).unwrap().unwrap(), b"two");
    let huge = vec![0; crate::PICTURE_BYTES + 1];
    assert!(matches!(refusal(store.set_avatar(ana, Some(&huge))), Refusal::TooMany { .. }));
    assert_eq!(store.set_avatar(ana, None).unwrap(), 0);
    assert_eq!(store.avatar(ana).unwrap(), None);
    let stream = start(&store, ana, "front");
    let version = store.set_thumbnail(stream, b"jpeg").unwrap();
    assert_eq!(store.thumbnail(stream).unwrap().unwrap(), b"jpeg");
    assert_eq!(store.stream(stream).unwrap().details.thumbnail_version, version);
}

#[test]
fn topics_begin_with_a_set_and_are_the_owners_from_then_on() {
    let store = in_memory();
    let names = |topics: Vec<Topic>| topics.into_iter().map(|topic| topic.name).collect::<Vec<_>>();
    let starting = names(store.topics().unwrap());
    assert_eq!(starting[0], "Entertainment");
    assert!(starting.contains(&"Nature".to_owned()));
    assert_eq!(refusal(store.add_topic("gaming", at(0))), Refusal::TopicTaken { name: "gaming".to_owned() });
    let birds = store.add_topic("Birds", at(0)).unwrap();
    assert_eq!(names(store.topics().unwrap()).last().unwrap(), "Birds");
    store.change_topic(birds.id, Some("birds"), Some(0)).unwrap();
    assert_eq!(
        refusal(store.change_topic(birds.id, Some("Home"), None)),
        Refusal::TopicTaken { name: "Home".to_owned() }
    );
    store.delete_topic(topic(&store, "Home")).unwrap();
    store.change_topic(birds.id, Some("Home"), None).unwrap();
    assert_sound(&store);
    for number in store.topics().unwrap().len()..crate::TOPICS_MOST {
        store.add_topic(&number.to_string(), at(0)).unwrap();
    }
    assert!(matches!(refusal(store.add_topic("one more", at(0))), Refusal::TooMany { .. }));
}

#[test]
fn an_account_that_goes_takes_everything_of_it_along() {
    let store = in_memory();
    let (ana, bob) = (user(&store, "ana"), user(&store, "bob"));
    let (of_ana, of_bob) = (start(&store, ana, "a"), start(&store, bob, "b"));
    assert_eq!(refusal(store.delete_user(ana)), Refusal::NotEnded { stream: of_ana });
    store.follow(ana, bob, at(1)).unwrap();
    store.follow(bob, ana, at(1)).unwrap();
    for stream in [of_ana, of_bob] {
        store.stream_live(stream, at(2)).unwrap();
        store.react(ana, stream, Some(crate::Reaction::Like)).unwrap();
        store.save_stream(ana, stream, at(3)).unwrap();
        store.count_views(&[(stream, ana.into())]).unwrap();
        store
            .append_messages(&[message(stream, ana, 5, "hi"), message(stream, bob, 6, "ho")], at(4))
            .unwrap();
    }
    store.open_session(ana, &[1; 32], "", at(0), at(9)).unwrap();
    store.set_ingest_key(ana, Some((&[1; 32], &crate::IngestKey::new("x")))).unwrap();
    store.prepare_stream(ana, |_| ()).unwrap();
    store.set_avatar(ana, Some(b"x")).unwrap();
    store.end_stream(of_ana, crate::EndReason::User, at(5)).unwrap();
    assert_sound(&store);

    assert_eq!(store.delete_user(ana).unwrap(), [of_ana]);
    assert_sound(&store);
    assert_eq!(refusal(store.user_by_name("ana")), Refusal::NotFound { what: "user" });
    assert_eq!(refusal(store.stream(of_ana)), Refusal::NotFound { what: "stream" });
    let facts = store.stream(of_bob).unwrap().facts;
    assert_eq!((facts.likes, facts.views), (0, 1), "a view stays counted");
    let left = store.messages_after(of_bob, None, 10).unwrap();
    assert_eq!(left.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["ho"]);
    assert_eq!(store.follow_counts(bob).unwrap(), crate::FollowCounts::default());
    assert_eq!(store.notifications(bob, None, 10).unwrap(), []);
    assert_eq!(store.avatar(ana).unwrap(), None);
    user(&store, "ana");
    assert_sound(&store);
}

#[test]
fn accounts_are_found_by_name_and_standing_a_page_at_a_time() {
    let store = in_memory();
    let [ana, bob, cid] = [("Ana", 0), ("bob", 1), ("cid", 2)]
        .map(|(name, made)| store.add_user(&new_user(name), Role::Viewer, at(made)).unwrap().id);
    let full_name = UserChange { full_name: Some("Robert Ánderson".to_owned()), ..UserChange::default() };
    store.change_user(bob, &full_name).unwrap();
    store.set_standing(cid, Standing::Suspended).unwrap();
    let find = |text: &str, standing, before, limit| -> Vec<_> {
        let query = UserQuery { text: text.to_owned(), standing, before, limit };
        store.find_users(&query).unwrap().into_iter().map(|user| user.id).collect()
    };
    assert_eq!(find("", None, None, 10), [cid, bob, ana]);
    assert_eq!(find("", None, None, 2), [cid, bob]);
    assert_eq!(find("", None, Some(bob), 2), [ana]);
    assert_eq!(find("an", None, None, 10), [bob, ana]);
    assert_eq!(find("ROB ander", None, None, 10), [bob]);
    assert_eq!(find("", Some(Standing::Suspended), None, 10), [cid]);
    assert_eq!(find("an", Some(Standing::Pending), None, 10), []);
}

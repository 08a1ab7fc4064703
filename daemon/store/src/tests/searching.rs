use super::*;
use crate::failure::Outcome;
use crate::tables::{META, STREAM_LISTS};
use crate::writing::WriteTransaction;
use crate::{Cursor, EndReason, Reaction, Sort, StateFilter, StreamChange, StreamQuery, UserChange};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn titles(store: &Store, query: &StreamQuery) -> Vec<String> {
    store.find_streams(query).unwrap().items.into_iter().map(|stream| stream.details.title).collect()
}

fn text(text: &str) -> StreamQuery {
    StreamQuery { text: text.to_owned(), sort: Sort::Relevance, ..StreamQuery::default() }
}

/// Streams by title, each on its own camera, a second apart.
fn site(streams: &[(&str, &str)]) -> (Store, UserId, Vec<StreamId>) {
    let store = in_memory();
    let ana = user(&store, "ana");
    let ids = (0..).zip(streams).map(|(second, (title, description))| {
        let mut new = new_stream(ana, title, title);
        (*description).clone_into(&mut new.description);
        store.start_stream(&new, at(second)).unwrap().facts.id
    });
    let ids = ids.collect();
    (store, ana, ids)
}

#[test]
fn words_are_found_by_their_beginning_without_case_and_accents() {
    let (store, ..) = site(&[("Café Müller", ""), ("Caféteria", ""), ("Garden", "the café's owls")]);
    assert_eq!(titles(&store, &text("CAFÉT")), ["Caféteria"]);
    assert_eq!(titles(&store, &text("CAFE")), ["Café Müller", "Caféteria", "Garden"]);
    assert_eq!(titles(&store, &text("caf")).len(), 3);
    assert_eq!(titles(&store, &text("müll cafe")), ["Café Müller"]);
    assert_eq!(titles(&store, &text("mull owls")), [""; 0]);
    assert_eq!(titles(&store, &text("…!")).len(), 3, "a text without words matches everything");
}

#[test]
fn a_title_ranks_above_a_name_and_a_name_above_a_description() {
    let (store, ana, ids) = site(&[("Owl", ""), ("owls", ""), ("x", "an owl at night"), ("y", "")]);
    store
        .change_user(ana, &UserChange { full_name: Some("Ana Feeder".to_owned()), ..UserChange::default() })
        .unwrap();
    let nature =
        StreamChange { topics: Some(vec![store.add_topic("Owl", at(0)).unwrap().id]), ..Default::default() };
    store.change_stream(ids[3], &nature).unwrap();
    assert_eq!(titles(&store, &text("owl")), ["Owl", "y", "owls", "x"]);
    assert_eq!(
        titles(&store, &text("feed owl")),
        ["Owl", "y", "owls", "x"],
        "the account's name counts for each"
    );
    assert_sound(&store);
}

#[test]
fn the_index_follows_edits_renames_and_deletions() {
    let (store, ana, ids) = site(&[("Owl", "night"), ("Robin", "day")]);
    let retitle = StreamChange { title: Some("Night jar".to_owned()), ..StreamChange::default() };
    store.change_stream(ids[0], &retitle).unwrap();
    assert_eq!(titles(&store, &text("owl")), [""; 0]);
    assert_eq!(titles(&store, &text("night")), ["Night jar"]);
    store
        .change_user(ana, &UserChange { username: Some("zed".to_owned()), ..UserChange::default() })
        .unwrap();
    assert_eq!(titles(&store, &text("ana")), [""; 0]);
    assert_eq!(titles(&store, &text("zed")).len(), 2);
    store.end_stream(ids[1], EndReason::User, at(9)).unwrap();
    store.delete_stream(ids[1]).unwrap();
    assert_eq!(titles(&store, &text("robin")), [""; 0]);
    assert_sound(&store);
}

#[test]
fn a_stream_that_ended_before_its_first_picture_is_in_no_list() {
    let (store, ana, ids) = site(&[("dark", ""), ("seen", ""), ("starting", "")]);
    store.stream_live(ids[1], at(20)).unwrap();
    for id in &ids[..2] {
        store.end_stream(*id, EndReason::User, at(30)).unwrap();
    }
    for query in [
        StreamQuery::default(),
        StreamQuery { user: Some(ana), ..StreamQuery::default() },
        StreamQuery { sort: Sort::LiveFirst, ..StreamQuery::default() },
    ] {
        let mut found = titles(&store, &query);
        found.sort();
        assert_eq!(found, ["seen", "starting"]);
    }
    assert_eq!(titles(&store, &text("dark")), [""; 0]);
    assert_eq!(store.stream(ids[0]).unwrap().details.title, "dark", "it is there");
}

#[test]
fn conditions_join() {
    let (store, ana, ids) = site(&[("a", ""), ("b", ""), ("c", "")]);
    let bob = user(&store, "bob");
    store.stream_live(ids[0], at(20)).unwrap();
    store.stream_live(ids[1], at(20)).unwrap();
    store.end_stream(ids[1], EndReason::User, at(20)).unwrap();
    store.react(bob, ids[0], Some(Reaction::Like)).unwrap();
    store.react(bob, ids[2], Some(Reaction::Dislike)).unwrap();
    store.save_stream(bob, ids[1], at(1)).unwrap();
    let nature = topic(&store, "Nature");
    let change = StreamChange {
        topics: Some(vec![nature]),
        visibility: Some(Visibility::Members),
        ..StreamChange::default()
    };
    store.change_stream(ids[2], &change).unwrap();
    let all = StreamQuery { members: true, ..StreamQuery::default() };
    let with = |change: &dyn Fn(&mut StreamQuery)| {
        let mut query = all.clone();
        change(&mut query);
        titles(&store, &query)
    };
    assert_eq!(
        titles(&store, &StreamQuery::default()),
        ["b", "a"],
        "without an account, members-only streams are hidden"
    );
    assert_eq!(with(&|_| ()), ["c", "b", "a"]);
    assert_eq!(with(&|query| query.state = Some(StateFilter::Live)), ["c", "a"]);
    assert_eq!(with(&|query| query.state = Some(StateFilter::Ended)), ["b"]);
    assert_eq!(with(&|query| query.topic = Some(nature)), ["c"]);
    assert_eq!(with(&|query| query.user = Some(bob)), [""; 0]);
    assert_eq!(with(&|query| query.liked = Some(bob)), ["a"]);
    assert_eq!(with(&|query| query.saved = Some(bob)), ["b"]);
    assert_eq!(with(&|query| query.following = Some(bob)), [""; 0]);
    store.follow(bob, ana, at(2)).unwrap();
    assert_eq!(with(&|query| query.following = Some(bob)), ["c", "b", "a"]);
    assert_eq!(with(&|query| query.sort = Sort::LiveFirst), ["a", "c", "b"]);
    store.count_views(&[(ids[1], bob.into())]).unwrap();
    assert_eq!(with(&|query| query.sort = Sort::Views), ["b", "c", "a"]);
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let names: Vec<String> = (0..23).map(|number| format!("bird {number}")).collect();
    let streams: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let (store, ..) = site(&streams);
    for sort in [Sort::Newest, Sort::Views, Sort::LiveFirst, Sort::Relevance] {
        let mut query = StreamQuery { limit: 5, sort, ..text("bird") };
        let mut seen = Vec::new();
        loop {
            let page = store.find_streams(&query).unwrap();
            seen.extend(page.items.iter().map(|stream| stream.details.title.clone()));
            let Some(next) = page.next else { break };
            // A new stream in between shifts nothing that comes after.
            query.after = Some(next.to_string().parse().unwrap());
        }
        let newest_first: Vec<_> = names.iter().rev().cloned().collect();
        assert_eq!(seen, newest_first, "{sort:?}");
    }
}

#[test]
fn a_forged_cursor_is_refused_or_harmless() {
    let (store, ..) = site(&[("a", "")]);
    for bad in ["", "zz", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65), &format!("+{}", "0".repeat(63))]
    {
        assert!(bad.parse::<Cursor>().is_err(), "{bad}");
    }
    let far = "f".repeat(64).parse::<Cursor>().unwrap();
    assert_eq!(titles(&store, &StreamQuery { after: Some(far), ..StreamQuery::default() }), ["a"]);
    let near = "0".repeat(64).parse::<Cursor>().unwrap();
    assert_eq!(titles(&store, &StreamQuery { after: Some(near), ..StreamQuery::default() }), [""; 0]);
}

/// A store in memory that counts the pages read from it: it keeps none itself.
#[derive(Debug)]
struct Counted(redb::backends::InMemoryBackend, Arc<AtomicUsize>);

impl redb::StorageBackend for Counted {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read(offset, out)
    }

    fn set_len(&self, length: u64) -> Result<(), std::io::Error> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.0.write(offset, data)
    }
}

#[test]
fn a_page_and_a_profile_cost_the_same_with_eight_times_the_streams() {
    const FEW: i64 = 20;
    let reads = Arc::new(AtomicUsize::new(0));
    let backend = Counted(redb::backends::InMemoryBackend::new(), reads.clone());
    let database = crate::file::builder().set_cache_size(0).create_with_backend(backend).unwrap();
    schema::bring_up_to_date(&database, &PathBuf::from("memory")).unwrap();
    let store = Store::of(database, PathBuf::from("memory"), Box::new(|| unreachable!()));
    let [ana, bob] = ["ana", "bob"].map(|name| user(&store, name));
    let nature = topic(&store, "Nature");
    let add = |user, name: &str, number: i64| {
        let mut new = new_stream(user, &format!("camera {number}"), &format!("{name}{number}"));
        new.topics = vec![nature];
        let stream = store.start_stream(&new, at(number)).unwrap().facts.id;
        store.stream_live(stream, at(number)).unwrap();
        store.end_stream(stream, EndReason::User, at(number + 1)).unwrap();
    };
    for number in 0..5 {
        add(bob, "owl", number);
    }
    let cost = |what: &dyn Fn()| {
        let before = reads.load(Ordering::Relaxed);
        what();
        reads.load(Ordering::Relaxed) - before
    };
    let all = StreamQuery { members: true, limit: 5, ..StreamQuery::default() };
    let costs = || {
        let queries = [
            all.clone(),
            StreamQuery { sort: Sort::Views, ..all.clone() },
            StreamQuery { sort: Sort::LiveFirst, ..all.clone() },
            StreamQuery { state: Some(StateFilter::Live), ..all.clone() },
            StreamQuery { state: Some(StateFilter::Ended), ..all.clone() },
            StreamQuery { topic: Some(nature), sort: Sort::Views, ..all.clone() },
            StreamQuery { user: Some(bob), ..all.clone() },
            StreamQuery { text: "owl4".to_owned(), sort: Sort::Relevance, user: Some(bob), ..all.clone() },
        ];
        let mut costs: Vec<usize> =
            queries.iter().map(|query| cost(&|| drop(store.find_streams(query).unwrap()))).collect();
        costs.push(cost(&|| assert_eq!(store.count_streams(bob, false).unwrap(), 5)));
        let of_bob = crate::RecordingQuery { user: Some(bob), before: None, limit: 5 };
        costs.push(cost(&|| assert!(store.recordings(of_bob).unwrap().is_empty())));
        costs
    };
    for number in 5..FEW {
        add(ana, "robin", number);
    }
    let few = costs();
    for number in FEW..8 * FEW {
        add(ana, "robin", number);
    }
    let many = costs();
    for (number, (few, many)) in few.iter().zip(&many).enumerate() {
        // A tree that is a level higher costs a page more for each lookup.
        assert!(*many <= few * 2, "request {number}: {many} pages instead of {few}");
    }
}

#[test]
fn lists_are_made_anew_where_they_are_missing_or_of_another_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perch.redb");
    let store = Store::open(&path).unwrap();
    let ana = user(&store, "ana");
    let stream = start(&store, ana, "front");
    drop(store);
    let harms: [fn(&WriteTransaction) -> Outcome<()>; 2] = [
        |tx| {
            tx.open_table(STREAM_LISTS)?.retain(|_, _| false)?;
            Ok(tx.open_table(META)?.insert("stream_lists_version", 9_999).map(drop)?)
        },
        |tx| {
            tx.open_table(META)?.remove("stream_lists_version")?;
            Ok(tx.delete_table(STREAM_LISTS)?)
        },
    ];
    for harm in harms {
        let store = Store::open(&path).unwrap();
        store.write(harm).unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.find_streams(&StreamQuery::default()).unwrap().items[0].facts.id, stream);
        assert_sound(&store);
    }
}

//! The store against a model too simple to be wrong: maps and sets, and a search that looks at every stream.

use super::*;
use crate::search::words::words;
use crate::{EndReason, Reaction, Sort, StateFilter, StreamChange, StreamQuery, StreamState, Viewer};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

const USERS: usize = 4;
const TITLES: [&str; 6] = ["Owl café", "owls at Night", "Garden", "Night garden owl", "Über Caf", "x"];
const QUERIES: [&str; 7] = ["", "owl", "CAF", "night o", "gard", "u1", "nature"];

/// Indices are taken modulo the number of items, so that every number names one.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Follow(usize, usize),
    Unfollow(usize, usize),
    Start { user: usize, camera: u8, title: usize, members: bool },
    Live(usize),
    End(usize),
    Edit { stream: usize, title: usize, nature: bool },
    Delete(usize),
    React(usize, usize, Option<bool>),
    Save(usize, usize),
    Unsave(usize, usize),
    View(usize, u8),
    DeleteUser(usize),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let (user, stream, title) = (0..USERS, 0..12usize, 0..TITLES.len());
    prop_oneof![
        2 => (user.clone(), user.clone()).prop_map(|(a, b)| Step::Follow(a, b)),
        1 => (user.clone(), user.clone()).prop_map(|(a, b)| Step::Unfollow(a, b)),
        6 => (user.clone(), 0..5u8, title.clone(), any::<bool>())
            .prop_map(|(user, camera, title, members)| Step::Start { user, camera, title, members }),
        3 => stream.clone().prop_map(Step::Live),
        4 => stream.clone().prop_map(Step::End),
        2 => (stream.clone(), title, any::<bool>())
            .prop_map(|(stream, title, nature)| Step::Edit { stream, title, nature }),
        1 => stream.clone().prop_map(Step::Delete),
        4 => (user.clone(), stream.clone(), any::<Option<bool>>()).prop_map(|(u, s, r)| Step::React(u, s, r)),
        2 => (user.clone(), stream.clone()).prop_map(|(u, s)| Step::Save(u, s)),
        1 => (user.clone(), stream.clone()).prop_map(|(u, s)| Step::Unsave(u, s)),
        2 => (stream, 0..4u8).prop_map(|(s, v)| Step::View(s, v)),
        1 => user.prop_map(Step::DeleteUser),
    ]
}

#[derive(Clone)]
struct Entry {
    user: UserId,
    camera: u8,
    title: usize,
    members: bool,
    nature: bool,
    state: StreamState,
    was_live: bool,
    began: i64,
    views: BTreeSet<u8>,
}

#[derive(Default)]
pub(super) struct Model {
    users: Vec<UserId>,
    follows: BTreeSet<(UserId, UserId)>,
    streams: BTreeMap<StreamId, Entry>,
    reactions: BTreeMap<(UserId, StreamId), bool>,
    saved: BTreeSet<(UserId, StreamId)>,
}

impl Model {
    fn user(&self, place: usize) -> UserId {
        self.users[place % self.users.len()]
    }

    fn stream(&self, place: usize) -> Option<StreamId> {
        self.streams.keys().nth(place % self.streams.len().max(1)).copied()
    }

    fn forget_stream(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
        self.reactions.retain(|(_, of), _| *of != stream);
        self.saved.retain(|(_, of)| *of != stream);
    }

    /// Applies the step to both; the store must refuse exactly when the model would.
    fn take(&mut self, store: &Store, step: &Step, now: i64) {
        match *step {
            Step::Follow(a, b) => {
                let (a, b) = (self.user(a), self.user(b));
                let done = store.follow(a, b, at(now));
                assert_eq!(done.is_ok(), a != b);
                if a != b {
                    assert_eq!(done.unwrap().is_some(), self.follows.insert((a, b)));
                }
            }
            Step::Unfollow(a, b) => {
                let (a, b) = (self.user(a), self.user(b));
                assert_eq!(store.unfollow(a, b).unwrap(), self.follows.remove(&(a, b)));
            }
            Step::Start { user, camera, title, members } => {
                let user = self.user(user);
                let mut new = new_stream(user, &camera.to_string(), TITLES[title]);
                new.visibility = if members { Visibility::Members } else { Visibility::Public };
                let taken = self
                    .streams
                    .iter()
                    .find(|(_, entry)| entry.camera == camera && entry.state != StreamState::Ended);
                match store.start_stream(&new, at(now)) {
                    Ok(stream) => {
                        assert!(taken.is_none());
                        let (nature, state, views) = (false, StreamState::Starting, BTreeSet::new());
                        let was_live = false;
                        let entry = Entry {
                            user,
                            camera,
                            title,
                            members,
                            nature,
                            state,
                            was_live,
                            began: now,
                            views,
                        };
                        self.streams.insert(stream.facts.id, entry);
                    }
                    refused => {
                        let (&stream, entry) = taken.expect("refused only when the camera is taken");
                        let camera = camera.to_string();
                        assert_eq!(
                            refusal(refused),
                            Refusal::CameraTaken { camera, stream, user: entry.user }
                        );
                    }
                }
            }
            Step::DeleteUser(place) => self.delete_user(store, place),
            Step::Live(place)
            | Step::End(place)
            | Step::Edit { stream: place, .. }
            | Step::Delete(place)
            | Step::View(place, _)
            | Step::React(_, place, _)
            | Step::Save(_, place)
            | Step::Unsave(_, place) => {
                if let Some(stream) = self.stream(place) {
                    self.take_on_stream(store, step, stream, now);
                }
            }
        }
    }

    fn take_on_stream(&mut self, store: &Store, step: &Step, stream: StreamId, now: i64) {
        let entry = self.streams.get_mut(&stream).unwrap();
        let ended = entry.state == StreamState::Ended;
        match *step {
            Step::Live(_) => {
                assert_eq!(store.stream_live(stream, at(now)).is_ok(), !ended);
                if !ended {
                    entry.state = StreamState::Live;
                    entry.was_live = true;
                }
            }
            Step::End(_) => {
                store.end_stream(stream, EndReason::User, at(now)).unwrap();
                entry.state = StreamState::Ended;
            }
            Step::Edit { title, nature, .. } => {
                let topics = if nature { vec![topic(store, "Nature")] } else { Vec::new() };
                let title_text = Some(TITLES[title].to_owned());
                let change =
                    StreamChange { title: title_text, topics: Some(topics), ..StreamChange::default() };
                store.change_stream(stream, &change).unwrap();
                (entry.title, entry.nature) = (title, nature);
            }
            Step::Delete(_) => {
                assert_eq!(store.delete_stream(stream).is_ok(), ended);
                if ended {
                    self.forget_stream(stream);
                }
            }
            Step::View(_, viewer) => {
                let counted = store.count_views(&[(stream, Viewer::anonymous(viewer.into()))]).unwrap();
                assert_eq!(counted == 1, entry.views.insert(viewer));
            }
            Step::React(user, _, like) => {
                let user = self.user(user);
                let reaction = like.map(|like| if like { Reaction::Like } else { Reaction::Dislike });
                store.react(user, stream, reaction).unwrap();
                match like {
                    Some(like) => drop(self.reactions.insert((user, stream), like)),
                    None => drop(self.reactions.remove(&(user, stream))),
                }
            }
            Step::Save(user, _) => {
                let user = self.user(user);
                store.save_stream(user, stream, at(now)).unwrap();
                self.saved.insert((user, stream));
            }
            Step::Unsave(user, _) => {
                let user = self.user(user);
                assert_eq!(store.unsave_stream(user, stream).unwrap(), self.saved.remove(&(user, stream)));
            }
            _ => unreachable!("not about a stream"),
        }
    }

    fn delete_user(&mut self, store: &Store, place: usize) {
        let user = self.user(place);
        let theirs = self.streams.iter().filter(|(_, entry)| entry.user == user);
        let is_live = theirs.clone().any(|(_, entry)| entry.state != StreamState::Ended);
        let theirs: BTreeSet<StreamId> = theirs.map(|(id, _)| *id).collect();
        let deleted = store.delete_user(user);
        assert_eq!(deleted.is_ok(), !is_live);
        let Ok(gone) = deleted else { return };
        assert_eq!(gone.into_iter().collect::<BTreeSet<_>>(), theirs);
        for stream in theirs {
            self.forget_stream(stream);
        }
        self.users.retain(|other| *other != user);
        self.follows.retain(|(a, b)| *a != user && *b != user);
        self.reactions.retain(|(of, _), _| *of != user);
        self.saved.retain(|(of, _)| *of != user);
    }

    fn check(&self, store: &Store, names: &BTreeMap<UserId, String>) {
        for &user in &self.users {
            let counts = store.follow_counts(user).unwrap();
            assert_eq!(
                counts.followers,
                self.follows.iter().filter(|(_, followed)| *followed == user).count() as u64
            );
            assert_eq!(counts.following, self.follows.iter().filter(|(who, _)| *who == user).count() as u64);
        }
        for (id, entry) in &self.streams {
            let facts = store.stream(*id).unwrap().facts;
            let of =
                |like| self.reactions.iter().filter(|((_, of), is)| of == id && **is == like).count() as u64;
            assert_eq!((facts.likes, facts.dislikes), (of(true), of(false)));
            assert_eq!((facts.views, facts.state), (entry.views.len() as u64, entry.state));
        }
        for query in self.queries() {
            let expected = self.search(&query, names);
            let mut found: Vec<StreamId> = Vec::new();
            let mut paged = StreamQuery { limit: 3, ..query.clone() };
            loop {
                let page = store.find_streams(&paged).unwrap();
                found.extend(page.items.iter().map(|stream| stream.facts.id));
                paged.after = page.next;
                if paged.after.is_none() {
                    break;
                }
            }
            if query.sort == Sort::Relevance {
                // The model does not rank: it says which streams match, and the search's own tests check their order.
                let sorted = |mut ids: Vec<StreamId>| {
                    ids.sort();
                    ids
                };
                assert_eq!(sorted(found), sorted(expected), "{query:?}");
            } else {
                assert_eq!(found, expected, "{query:?}");
            }
        }
    }

    fn queries(&self) -> Vec<StreamQuery> {
        let somebody = self.users.first().copied();
        let base = StreamQuery { members: true, ..StreamQuery::default() };
        let mut queries: Vec<StreamQuery> = QUERIES
            .iter()
            .map(|text| StreamQuery { text: (*text).to_owned(), sort: Sort::Relevance, ..base.clone() })
            .collect();
        queries.push(StreamQuery::default());
        for sort in [Sort::Newest, Sort::Views, Sort::LiveFirst] {
            queries.push(StreamQuery { sort, ..base.clone() });
        }
        for state in [StateFilter::Live, StateFilter::Ended] {
            queries.push(StreamQuery { state: Some(state), text: "o".to_owned(), ..base.clone() });
        }
        queries.push(StreamQuery { topic: Some(TopicId::from_number(6)), ..base.clone() });
        queries.push(StreamQuery { user: somebody, ..base.clone() });
        queries.push(StreamQuery { following: somebody, ..base.clone() });
        queries.push(StreamQuery { liked: somebody, ..base.clone() });
        queries.push(StreamQuery { saved: somebody, sort: Sort::Views, ..base });
        queries
    }

    fn search(&self, query: &StreamQuery, names: &BTreeMap<UserId, String>) -> Vec<StreamId> {
        let matches = |entry: &Entry| {
            let topic = if entry.nature { "Nature" } else { "" };
            let all: Vec<String> =
                words(&format!("{} {} {topic}", TITLES[entry.title], names[&entry.user])).collect();
            words(&query.text).all(|wanted| all.iter().any(|word| word.starts_with(&wanted)))
        };
        let mut found: Vec<(&StreamId, &Entry)> = self
            .streams
            .iter()
            .filter(|(id, entry)| {
                (query.members || !entry.members)
                    && (entry.state != StreamState::Ended || entry.was_live)
                    && query.state.is_none_or(|state| {
                        (state == StateFilter::Ended) == (entry.state == StreamState::Ended)
                    })
                    && query.topic.is_none_or(|_| entry.nature)
                    && query.user.is_none_or(|user| entry.user == user)
                    && query.following.is_none_or(|user| self.follows.contains(&(user, entry.user)))
                    && query.liked.is_none_or(|user| self.reactions.get(&(user, **id)) == Some(&true))
                    && query.saved.is_none_or(|user| self.saved.contains(&(user, **id)))
                    && matches(entry)
            })
            .collect();
        found.sort_by_key(|(_, entry)| {
            let first = match query.sort {
                Sort::Views => entry.views.len(),
                Sort::LiveFirst => usize::from(entry.state == StreamState::Live),
                Sort::Newest | Sort::Relevance => 0,
            };
            Reverse((first, entry.began))
        });
        found.into_iter().map(|(id, _)| *id).collect()
    }
}

/// Applies the steps to an empty store.
pub(super) fn play(store: &Store, steps: &[Step]) -> (Model, BTreeMap<UserId, String>) {
    store.create_owner(&new_user("owner"), at(0)).unwrap();
    let mut model = Model::default();
    let mut names = BTreeMap::new();
    for number in 0..USERS {
        let name = format!("u{number}");
        let id = user(store, &name);
        model.users.push(id);
        names.insert(id, name);
    }
    for (second, step) in (0..).zip(steps) {
        model.take(store, step, second);
        if model.users.is_empty() {
            break;
        }
    }
    (model, names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_store_does_as_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let store = in_memory();
        let (model, names) = play(&store, &steps);
        model.check(&store, &names);
        assert_sound(&store);
    }
}

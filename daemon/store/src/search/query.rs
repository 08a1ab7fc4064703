//! One query for all lists of streams. A list without a text is read in its order, from the cursor on ([`crate::lists`]). Where the
//! candidates are found in another way (a text, what is on the air, what a person saved or likes) they are few, or the newest few;
//! their facts are read, and they are sorted. Only the page's streams are then read whole.

use crate::failure::Outcome;
use crate::lists::{self, Class, Of, Order};
use crate::reads::Reads;
use crate::relation::{Relation, newest};
use crate::search::cursor::Cursor;
use crate::search::matching::{self, STREAMS_MOST};
use crate::streams;
use crate::tables::{
    CAMERA_CLAIMS, FILED, FOLLOWS, REACTED, SAVED, STREAM_LISTS, USER_REACTIONS, WATCH_LIST,
};
use crate::{Reaction, Store, StoreError, Stream, StreamFacts, StreamId, StreamState, TopicId, UserId};
use redb::{ReadTransaction, ReadableTable as _};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Accounts whose lists are merged for somebody who follows them.
const FOLLOWED_MOST: usize = 1_000;

/// Selects and sorts streams.
#[derive(Clone, Debug)]
pub struct StreamQuery {
    /// Words that title, description, user or topics must contain, each whole or as a prefix; empty: any.
    pub text: String,
    /// Only streams filed under this topic.
    pub topic: Option<TopicId>,
    /// Only live or only ended streams.
    pub state: Option<StateFilter>,
    /// Only streams of this account.
    pub user: Option<UserId>,
    /// Only streams of accounts that this account follows.
    pub following: Option<UserId>,
    /// Only streams that this account likes.
    pub liked: Option<UserId>,
    /// Only streams on this account's watch list.
    pub saved: Option<UserId>,
    /// True to include members-only streams: the caller has an account.
    pub members: bool,
    /// The order.
    pub sort: Sort,
    /// Where the previous page ended.
    pub after: Option<Cursor>,
    /// Streams per page.
    pub limit: usize,
}

impl Default for StreamQuery {
    fn default() -> Self {
        Self {
            text: String::new(),
            topic: None,
            state: None,
            user: None,
            following: None,
            liked: None,
            saved: None,
            members: false,
            sort: Sort::Newest,
            after: None,
            limit: 20,
        }
    }
}

/// Selects streams by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// Has not ended.
    Live,
    /// Ended, after it showed a picture.
    Ended,
}

/// How streams are sorted; among equals the newest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Newest first.
    Newest,
    /// Most viewers first.
    Views,
    /// Streams on the air first.
    LiveFirst,
    /// Best match of the text first; without a text, as [`Sort::Newest`].
    Relevance,
}

/// One page of a list. It may be short, even empty, and another one follow: a request looks at a bounded number of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl Store {
    /// A page of the streams that match a query.
    pub fn find_streams(&self, query: &StreamQuery) -> Result<Page<Stream>, StoreError> {
        self.read(|tx| {
            let Found { mut keys, ended_at } = find(tx, query)?;
            let more = keys.len() > query.limit;
            keys.truncate(query.limit);
            let next = if more { keys.last().copied() } else { ended_at };
            let stream =
                |key: &Cursor| streams::whole(tx, streams::facts(tx, StreamId::from_number(key.id))?);
            Ok(Page { items: keys.iter().map(stream).collect::<Outcome<_>>()?, next })
        })
    }
}

/// Streams that match, in their order: one more than the page holds, if there are so many.
struct Found {
    keys: Vec<Cursor>,
    /// Where the reading ended before so many were found and the list was over.
    ended_at: Option<Cursor>,
}

fn find(tx: &ReadTransaction, query: &StreamQuery) -> Outcome<Found> {
    if let Some(matches) = matching::matches(tx, &query.text)? {
        return among(tx, query, matches);
    }
    let alike = |streams: Vec<u128>| streams.into_iter().map(|id| (StreamId::from_number(id), 0)).collect();
    if query.state == Some(StateFilter::Live) {
        return among(tx, query, alike(unfinished(tx)?));
    }
    if let Some(user) = query.saved {
        let saved = newest(&tx.reading(SAVED)?, user.number(), None, STREAMS_MOST)?;
        return among(tx, query, alike(saved.into_iter().map(|(id, _)| id).collect()));
    }
    if let Some(user) = query.liked {
        let reactions = newest(&tx.reading(USER_REACTIONS)?, user.number(), None, STREAMS_MOST)?;
        let liked = reactions.into_iter().filter(|(_, code)| *code == Reaction::Like.code());
        return among(tx, query, alike(liked.map(|(id, _)| id).collect()));
    }
    if query.sort == Sort::LiveFirst { live_first(tx, query) } else { walk(tx, query, &[]) }
}

/// The streams that have not ended: as many as there are cameras and publishers.
fn unfinished(tx: &impl Reads) -> Outcome<Vec<u128>> {
    tx.reading(CAMERA_CLAIMS)?.iter()?.map(|row| Ok(row?.1.value())).collect()
}

/// Those of the candidates, with their scores, that match.
fn among(tx: &impl Reads, query: &StreamQuery, candidates: Vec<(StreamId, u32)>) -> Outcome<Found> {
    let mut keys = Vec::new();
    for (stream, score) in candidates {
        let facts = streams::facts(tx, stream)?;
        let key = sort_key(query.sort, &facts, score);
        if query.after.is_none_or(|after| key < after) && fits(tx, query, &facts)? {
            keys.push(key);
        }
    }
    keys.sort_unstable_by_key(|key| Reverse(*key));
    keys.truncate(query.limit.saturating_add(1));
    Ok(Found { keys, ended_at: None })
}

/// First what is on the air, then the others by age.
fn live_first(tx: &ReadTransaction, query: &StreamQuery) -> Outcome<Found> {
    let mut live = Vec::new();
    for stream in unfinished(tx)? {
        if streams::facts(tx, StreamId::from_number(stream))?.state == StreamState::Live {
            live.push(stream);
        }
    }
    let candidates = live.iter().map(|&id| (StreamId::from_number(id), 0)).collect();
    let mut found = among(tx, query, candidates)?;
    let wanted = query.limit.saturating_add(1) - found.keys.len();
    if wanted > 0 {
        let after = query.after.filter(|after| after.first == 0);
        let rest = StreamQuery { after, sort: Sort::Newest, limit: wanted - 1, ..query.clone() };
        let rest = walk(tx, &rest, &live)?;
        found.keys.extend(rest.keys);
        found.ended_at = rest.ended_at;
    }
    Ok(found)
}

/// Reads the lists in their order, without the streams of `except`.
fn walk(tx: &ReadTransaction, query: &StreamQuery, except: &[u128]) -> Outcome<Found> {
    let lists: Vec<Of> = match (query.user, query.following, query.topic) {
        (Some(user), ..) => vec![Of::User(user)],
        (None, Some(user), _) => {
            let followed = FOLLOWS.rights(tx, user.number())?.into_iter().take(FOLLOWED_MOST);
            followed.map(|(user, _)| Of::User(UserId::from_number(user))).collect()
        }
        (None, None, Some(topic)) => vec![Of::Topic(topic)],
        (None, None, None) => vec![Of::All],
    };
    // A row tells the list, the class and the place; for other conditions the facts are read.
    let reads_facts = query.following.is_some() && query.user.is_some()
        || query.topic.is_some() && !matches!(lists[..], [Of::Topic(_)]);
    let unfinished = if query.state == Some(StateFilter::Ended) { unfinished(tx)? } else { Vec::new() };
    let order = if query.sort == Sort::Views { Order::Views } else { Order::Age };
    let table = tx.reading(STREAM_LISTS)?;
    let mut lists = {
        let classes = Class::seen_by(query.members);
        let each = lists.iter().flat_map(|&of| classes.iter().map(move |&class| (of, class)));
        each.map(|(of, class)| lists::rows(&table, of, order, class, query.after))
            .collect::<Outcome<Vec<_>>>()?
    };
    // The next row of each list, the greatest on top.
    let mut heads = BinaryHeap::new();
    for (number, list) in lists.iter_mut().enumerate() {
        if let Some(row) = list.next() {
            heads.push((lists::read(&row?.0.value()), number));
        }
    }
    let mut found = Found { keys: Vec::new(), ended_at: None };
    let mut looked = 0;
    while let Some((place, number)) = heads.pop() {
        if let Some(row) = lists[number].next() {
            heads.push((lists::read(&row?.0.value()), number));
        }
        looked += 1;
        let is_left_out = except.contains(&place.id) || unfinished.contains(&place.id);
        if !is_left_out
            && (!reads_facts || fits(tx, query, &streams::facts(tx, StreamId::from_number(place.id))?)?)
        {
            found.keys.push(place);
        }
        if found.keys.len() > query.limit {
            break;
        }
        if looked == STREAMS_MOST {
            found.ended_at = (!heads.is_empty()).then_some(place);
            break;
        }
    }
    Ok(found)
}

/// True if the stream meets every condition but the text.
fn fits(tx: &impl Reads, query: &StreamQuery, facts: &StreamFacts) -> Outcome<bool> {
    let has_ended = facts.state == StreamState::Ended;
    let id = facts.id.number();
    let of_facts = Class::seen_by(query.members).contains(&Class::of(facts))
        && query.state.is_none_or(|state| has_ended == (state == StateFilter::Ended))
        && query.user.is_none_or(|user| facts.user == user);
    if !of_facts {
        return Ok(false);
    }
    let is_tied = |relation: &Relation, left: u128, right: u128| {
        relation.value(tx, left, right).map(|value| value.is_some())
    };
    let follows = |follower: UserId| is_tied(&FOLLOWS, follower.number(), facts.user.number());
    let has_saved = |user: UserId| is_tied(&WATCH_LIST, user.number(), id);
    let is_under = |topic: TopicId| is_tied(&FILED, id, topic.number());
    let likes =
        |user: UserId| REACTED.value(tx, id, user.number()).map(|code| code == Some(Reaction::Like.code()));
    Ok(query.following.map_or(Ok(true), follows)?
        && query.saved.map_or(Ok(true), has_saved)?
        && query.liked.map_or(Ok(true), likes)?
        && query.topic.map_or(Ok(true), is_under)?)
}

fn sort_key(sort: Sort, facts: &StreamFacts, score: u32) -> Cursor {
    let first = match sort {
        Sort::Newest => 0,
        Sort::Views => facts.views,
        Sort::LiveFirst => u64::from(facts.state == StreamState::Live),
        Sort::Relevance => u64::from(score),
    };
    Cursor { first, ..lists::place(facts, Order::Age) }
}

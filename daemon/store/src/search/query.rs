//! One query for all lists of streams. The text gives scores by ordinal. One pass over the facts of all streams, which
//! are small, applies the other conditions and keeps those that sort after the cursor. Only the page's streams are then
//! read whole.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record;
use crate::search::index::{self, NAME, WHOLE_WORD};
use crate::search::words::words;
use crate::streams;
use crate::tables::{FILED, FOLLOWS, REACTED, STREAM_FACTS, USER_WORDS, WATCH_LIST};
use crate::topic;
use crate::{
    Reaction, Store, StoreError, Stream, StreamFacts, StreamId, StreamState, TopicId, UserId, Visibility,
};
use redb::{ReadTransaction, ReadableTable as _};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

/// Words of a query that count; further ones are ignored.
const QUERY_WORDS_MOST: usize = 8;

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

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// Where a page ended: the sort key of its last stream. As text, 64 hexadecimal digits without meaning to the client; a forged
/// one only starts elsewhere. A stream whose views change between two pages may be listed twice or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    first: u64,
    newest: u64,
    id: u128,
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: take next_cursor from the previous page")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}{:032x}", self.first, self.newest, self.id)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CursorError);
        }
        let number = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| CursorError);
        Ok(Self {
            first: number(&text[..16])?,
            newest: number(&text[16..32])?,
            id: u128::from_str_radix(&text[32..], 16).map_err(|_| CursorError)?,
        })
    }
}

impl Store {
    /// A page of the streams that match a query.
    pub fn find_streams(&self, query: &StreamQuery) -> Result<Page<Stream>, StoreError> {
        self.read(|tx| {
            let mut keys = matching(tx, query)?;
            let wanted = query.limit.saturating_add(1);
            if keys.len() > wanted {
                keys.select_nth_unstable_by_key(wanted - 1, |key| Reverse(*key));
                keys.truncate(wanted);
            }
            keys.sort_unstable_by_key(|key| Reverse(*key));
            let more = keys.len() > query.limit;
            keys.truncate(query.limit);
            let next = keys.last().copied().filter(|_| more);
            let stream =
                |key: &Cursor| streams::whole(tx, streams::facts(tx, StreamId::from_number(key.id))?);
            Ok(Page { items: keys.iter().map(stream).collect::<Outcome<_>>()?, next })
        })
    }
}

/// The sort keys of the streams that match and come after the cursor.
fn matching(tx: &ReadTransaction, query: &StreamQuery) -> Outcome<Vec<Cursor>> {
    let scores = Scores::of(tx, &query.text)?;
    let among = among(tx, query)?;
    let followed: Option<HashSet<u128>> = match query.following {
        Some(user) => {
            Some(FOLLOWS.rights(tx, user.number())?.into_iter().map(|(followed, _)| followed).collect())
        }
        None => None,
    };
    let mut keys = Vec::new();
    for row in tx.reading(STREAM_FACTS)?.iter()? {
        let (id, bytes) = row?;
        if !among.iter().all(|set| set.contains(&id.value())) {
            continue;
        }
        let facts: StreamFacts = record::decode(bytes.value())?;
        let Some(score) = scores.as_ref().map_or(Some(0), |scores| scores.get(&facts)) else { continue };
        let has_ended = facts.state == StreamState::Ended;
        let fits = (query.members || facts.visibility == Visibility::Public)
            // A stream that ended before its first picture has nothing to show.
            && (!has_ended || facts.live_at.is_some())
            && query.state.is_none_or(|state| has_ended == (state == StateFilter::Ended))
            && query.user.is_none_or(|user| facts.user == user)
            && followed.as_ref().is_none_or(|followed| followed.contains(&facts.user.number()));
        let key = Cursor {
            first: first_key(query.sort, &facts, score),
            newest: newest_key(&facts),
            id: id.value(),
        };
        if fits && query.after.is_none_or(|after| key < after) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The sets that a stream must be in.
fn among(tx: &ReadTransaction, query: &StreamQuery) -> Outcome<Vec<HashSet<u128>>> {
    let ids = |pairs: Vec<(u128, i64)>| pairs.into_iter().map(|(id, _)| id).collect();
    let mut sets = Vec::new();
    if let Some(topic) = query.topic {
        sets.push(ids(FILED.lefts(tx, topic.number())?));
    }
    if let Some(user) = query.saved {
        sets.push(ids(WATCH_LIST.rights(tx, user.number())?));
    }
    if let Some(user) = query.liked {
        let mut reactions = REACTED.lefts(tx, user.number())?;
        reactions.retain(|(_, code)| *code == Reaction::Like.code());
        sets.push(ids(reactions));
    }
    Ok(sets)
}

fn first_key(sort: Sort, facts: &StreamFacts, score: u32) -> u64 {
    match sort {
        Sort::Newest => 0,
        Sort::Views => facts.views,
        Sort::LiveFirst => u64::from(facts.state == StreamState::Live),
        Sort::Relevance => u64::from(score),
    }
}

/// Times before 1970, from a board whose clock is not set, sort below all others.
fn newest_key(facts: &StreamFacts) -> u64 {
    u64::try_from(facts.created_at.unix_millis()).unwrap_or(0)
}

/// How well streams match a text.
struct Scores {
    /// Each word's best weight, by ordinal.
    texts: Vec<Vec<u8>>,
    /// Each word's weight for all streams of an account.
    users: Vec<HashMap<u128, u8>>,
    /// Each word's weight for all streams of a topic.
    topics: Vec<HashMap<u128, u8>>,
}

impl Scores {
    /// `None`: the text has no words, so every stream matches.
    fn of(tx: &ReadTransaction, text: &str) -> Outcome<Option<Self>> {
        let mut scores = Self { texts: Vec::new(), users: Vec::new(), topics: Vec::new() };
        for word in words(text).take(QUERY_WORDS_MOST) {
            let mut by_stream: Vec<u8> = Vec::new();
            index::find(tx, &word, |ordinal, weight| {
                let place = ordinal as usize;
                if by_stream.len() <= place {
                    by_stream.resize(place + 1, 0);
                }
                by_stream[place] = by_stream[place].max(weight);
            })?;
            scores.texts.push(by_stream);
            scores.users.push(users_named(tx, &word)?);
            scores.topics.push(streams_under(tx, &word)?);
        }
        Ok((!scores.texts.is_empty()).then_some(scores))
    }

    /// `None`: a word is missing.
    fn get(&self, facts: &StreamFacts) -> Option<u32> {
        let mut score = 0;
        for (word, by_stream) in self.texts.iter().enumerate() {
            let text = by_stream.get(facts.ordinal as usize).copied().unwrap_or(0);
            let user = self.users[word].get(&facts.user.number()).copied().unwrap_or(0);
            let topic = self.topics[word].get(&facts.id.number()).copied().unwrap_or(0);
            match text.max(user).max(topic) {
                0 => return None,
                weight => score += u32::from(weight),
            }
        }
        Some(score)
    }
}

fn weight(word: &str, prefix: &str) -> u8 {
    if word.len() == prefix.len() { NAME * WHOLE_WORD } else { NAME }
}

fn users_named(tx: &impl Reads, prefix: &str) -> Outcome<HashMap<u128, u8>> {
    let mut users = HashMap::new();
    for row in tx.reading(USER_WORDS)?.range((prefix, 0)..)? {
        let (key, _) = row?;
        let (word, user) = key.value();
        if !word.starts_with(prefix) {
            break;
        }
        let best: &mut u8 = users.entry(user).or_default();
        *best = weight(word, prefix).max(*best);
    }
    Ok(users)
}

fn streams_under(tx: &impl Reads, prefix: &str) -> Outcome<HashMap<u128, u8>> {
    let mut streams = HashMap::new();
    for topic in topic::all(tx)? {
        let named = words(&topic.name).filter(|word| word.starts_with(prefix));
        let Some(weight) = named.map(|word| weight(&word, prefix)).max() else { continue };
        for (stream, _) in FILED.lefts(tx, topic.id.number())? {
            let best: &mut u8 = streams.entry(stream).or_default();
            *best = weight.max(*best);
        }
    }
    Ok(streams)
}

//! How well streams match a text: by words of their own, of their account's names, of their topics' names.

use crate::failure::Outcome;
use crate::lists::{self, Class, Of, Order};
use crate::reads::Reads;
use crate::search::index::{self, NAME, WHOLE_WORD};
use crate::search::words::words;
use crate::tables::{STREAM_LISTS, STREAM_ORDINALS, USER_WORDS};
use crate::{StreamId, TopicId, UserId, topic};
use redb::ReadableTable as _;
use std::collections::BTreeMap;

/// Words of a query that count; further ones are ignored.
const QUERY_WORDS_MOST: usize = 8;
/// Rows that one query reads of the indexes: some milliseconds on a small board. Words that begin like those of half the site are
/// found in part: whole words before longer ones, newer streams before older ones.
const ROWS_MOST: usize = 20_000;
/// Streams that one query looks at: the newest of those that match.
pub(super) const STREAMS_MOST: usize = 2_000;

/// The newest streams that have every word of a text, with their scores; `None`: the text has no words.
pub(super) fn matches(tx: &impl Reads, text: &str) -> Outcome<Option<Vec<(StreamId, u32)>>> {
    let words: Vec<String> = words(text).take(QUERY_WORDS_MOST).collect();
    let Some(first) = words.first() else { return Ok(None) };
    // Each word has its share, half of it for the streams' own words, a quarter each for the names.
    let quarter = ROWS_MOST / words.len() / 4;
    let mut scores: Vec<u32> = weights(tx, first, quarter)?.into_iter().map(u32::from).collect();
    for word in &words[1..] {
        let weights = weights(tx, word, quarter)?;
        scores.truncate(weights.len());
        for (score, weight) in scores.iter_mut().zip(weights) {
            *score = if *score == 0 || weight == 0 { 0 } else { *score + u32::from(weight) };
        }
    }
    let ordinals = tx.reading(STREAM_ORDINALS)?;
    let mut found = Vec::new();
    for (ordinal, &score) in
        scores.iter().enumerate().rev().filter(|(_, score)| **score > 0).take(STREAMS_MOST)
    {
        // The index of words may name a stream that was deleted in part; it is skipped.
        if let Some(stream) = ordinals.get(u32::try_from(ordinal).unwrap_or(u32::MAX))? {
            found.push((StreamId::from_number(stream.value()), score));
        }
    }
    Ok(Some(found))
}

/// The weight of a word by the streams' ordinals, 0 where it is missing.
fn weights(tx: &impl Reads, word: &str, quarter: usize) -> Outcome<Vec<u8>> {
    let mut by_stream: Vec<u8> = Vec::new();
    let mut found = |ordinal: u32, weight: u8| {
        let place = ordinal as usize;
        if by_stream.len() <= place {
            by_stream.resize(place + 1, 0);
        }
        by_stream[place] = by_stream[place].max(weight);
    };
    index::find(tx, word, quarter * 2, &mut found)?;
    let users = users_named(tx, word, quarter)?.into_iter().map(|(user, weight)| (Of::User(user), weight));
    find_in(tx, users, quarter, &mut found)?;
    let topics = topics_named(tx, word)?.into_iter().map(|(topic, weight)| (Of::Topic(topic), weight));
    find_in(tx, topics, quarter, &mut found)?;
    Ok(by_stream)
}

/// Calls `found` for the streams of these lists, until `rows` are read.
fn find_in(
    tx: &impl Reads,
    lists: impl Iterator<Item = (Of, u8)>,
    mut rows: usize,
    found: &mut impl FnMut(u32, u8),
) -> Outcome<()> {
    let table = tx.reading(STREAM_LISTS)?;
    for (of, weight) in lists {
        for &class in Class::seen_by(true) {
            for row in lists::rows(&table, of, Order::Age, class, None)?.take(rows) {
                found(row?.1.value(), weight);
                rows -= 1;
            }
        }
    }
    Ok(())
}

fn weight(word: &str, prefix: &str) -> u8 {
    if word.len() == prefix.len() { NAME * WHOLE_WORD } else { NAME }
}

fn users_named(tx: &impl Reads, prefix: &str, rows: usize) -> Outcome<BTreeMap<UserId, u8>> {
    let mut users: BTreeMap<UserId, u8> = BTreeMap::new();
    for row in tx.reading(USER_WORDS)?.range((prefix, 0)..)?.take(rows) {
        let (key, _) = row?;
        let (word, user) = key.value();
        if !word.starts_with(prefix) {
            break;
        }
        let best = users.entry(UserId::from_number(user)).or_default();
        *best = weight(word, prefix).max(*best);
    }
    Ok(users)
}

/// The site has [`crate::TOPICS_MOST`] topics at most.
fn topics_named(tx: &impl Reads, prefix: &str) -> Outcome<Vec<(TopicId, u8)>> {
    let mut topics = Vec::new();
    for topic in topic::all(tx)? {
        let named = words(&topic.name).filter(|word| word.starts_with(prefix));
        if let Some(weight) = named.map(|word| weight(&word, prefix)).max() {
            topics.push((topic.id, weight));
        }
    }
    Ok(topics)
}

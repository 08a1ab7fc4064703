//! Tables that are computed from others: keys of names, words of accounts, the search index. What a letter's lower case is, and how
//! it is composed, depends on the version of Unicode, so a file says by which one its tables were computed. They are computed anew when
//! that changes, and for every backup, whose tables are not believed.

use crate::failure::{Failure, Outcome};
use crate::reads::Reads;
use crate::search::{index, words};
use crate::stream::{ORDINALS, StreamDetails, StreamFacts};
use crate::tables::{
    COUNTERS, META, POSTINGS, STREAM_DETAILS, STREAM_FACTS, TOPIC_NAMES, TOPICS, USER_WORDS, USERNAMES, USERS,
};
use crate::topic::Topic;
use crate::user::{self, User};
use crate::writing::WriteTransaction;
use crate::{StreamId, record};
use redb::{Key, ReadableTable as _, TableDefinition, Value};
use std::ops::Bound;

/// The entry of `META`.
const DERIVED_BY: &str = "derived_by";

/// Increase it with every change of `search::words` or `search::index` that computes something else from the same text.
const RULES: u8 = 1;

/// Letters of a name that stay when it is taken.
const KEPT_LETTERS: usize = 13;
/// Characters of the id that make a taken name another one.
const ID_LETTERS: usize = 6;

/// What the tables are computed by: our rules, and the Unicode versions of the standard library and of `unicode-normalization`.
fn derived_by() -> u64 {
    let unicode = [char::UNICODE_VERSION, unicode_normalization::UNICODE_VERSION];
    unicode.into_iter().fold(u64::from(RULES), |sum, (major, minor, update)| {
        [major, minor, update].into_iter().fold(sum, |sum, part| (sum << 8) | u64::from(part))
    })
}

/// True if the tables were computed by what this code computes them by.
pub(crate) fn is_current(tx: &impl Reads) -> Outcome<bool> {
    Ok(tx.reading(META)?.get(DERIVED_BY)?.map(|entry| entry.value()) == Some(derived_by()))
}

/// Computes the tables anew, and numbers the streams anew, by which lists are sorted, too.
pub(crate) fn rebuild(tx: &WriteTransaction) -> Outcome<()> {
    clear(tx, USERNAMES)?;
    clear(tx, USER_WORDS)?;
    clear(tx, TOPIC_NAMES)?;
    clear(tx, POSTINGS)?;
    name_users(tx)?;
    name_topics(tx)?;
    index_streams(tx)?;
    tx.open_table(META)?.insert(DERIVED_BY, derived_by())?;
    Ok(())
}

fn clear<K: Key + 'static, V: Value + 'static>(
    tx: &WriteTransaction,
    table: TableDefinition<K, V>,
) -> Outcome<()> {
    tx.delete_table(table)?;
    tx.open_table(table)?;
    Ok(())
}

fn name_users(tx: &WriteTransaction) -> Outcome<()> {
    each(tx, USERS, |id, bytes| {
        let mut user: User = record::decode(bytes)?;
        if !claim(tx, USERNAMES, &user.username, id)? {
            user.username = unlike_others(&user.username, id);
            if !claim(tx, USERNAMES, &user.username, id)? {
                return Err(Failure::Damaged(format!("two accounts are called {}", user.username)));
            }
            record::put(tx, USERS, id, &user)?;
        }
        user::index_words(tx, &user, true)
    })
}

fn name_topics(tx: &WriteTransaction) -> Outcome<()> {
    each(tx, TOPICS, |id, bytes| {
        let mut topic: Topic = record::decode(bytes)?;
        if !claim(tx, TOPIC_NAMES, &topic.name, id)? {
            topic.name = unlike_others(&topic.name, id);
            if !claim(tx, TOPIC_NAMES, &topic.name, id)? {
                return Err(Failure::Damaged(format!("two topics are called {}", topic.name)));
            }
            record::put(tx, TOPICS, id, &topic)?;
        }
        Ok(())
    })
}

/// Numbers the streams anew, in the order of their ids: a search takes memory up to the greatest number.
fn index_streams(tx: &WriteTransaction) -> Outcome<()> {
    let mut next = 0_u32;
    each(tx, STREAM_FACTS, |id, bytes| {
        let mut facts: StreamFacts = record::decode(bytes)?;
        let ordinal = next;
        next = ordinal.checked_add(1).ok_or(Failure::Exhausted { counter: ORDINALS })?;
        if facts.ordinal != ordinal {
            facts.ordinal = ordinal;
            record::put(tx, STREAM_FACTS, id, &facts)?;
        }
        let details: Option<StreamDetails> = record::get(tx, STREAM_DETAILS, id)?;
        index::reindex(tx, ordinal, None, details.as_ref())
    })?;
    tx.open_table(COUNTERS)?.insert(ORDINALS, u64::from(next))?;
    Ok(())
}

/// Calls `work` with each row's key and bytes, in the order of the keys. `work` may change the table.
fn each(
    tx: &WriteTransaction,
    table: TableDefinition<u128, &'static [u8]>,
    mut work: impl FnMut(u128, &[u8]) -> Outcome<()>,
) -> Outcome<()> {
    let mut from = Bound::Unbounded;
    while let Some((id, bytes)) = after(tx, table, from)? {
        work(id, &bytes)?;
        from = Bound::Excluded(id);
    }
    Ok(())
}

fn after(
    tx: &WriteTransaction,
    table: TableDefinition<u128, &'static [u8]>,
    from: Bound<u128>,
) -> Outcome<Option<(u128, Vec<u8>)>> {
    let table = tx.open_table(table)?;
    let mut rows = table.range((from, Bound::Unbounded))?;
    let row = rows.next().transpose()?;
    Ok(row.map(|(key, value)| (key.value(), value.value().to_vec())))
}

/// False if another has the name; then nothing is changed.
fn claim(
    tx: &WriteTransaction,
    table: TableDefinition<&'static str, u128>,
    name: &str,
    id: u128,
) -> Outcome<bool> {
    let mut names = tx.open_table(table)?;
    let key = words::name_key(name);
    let is_free = names.get(key.as_str())?.is_none();
    if is_free {
        names.insert(key.as_str(), id)?;
    }
    Ok(is_free)
}

/// Another name for the younger of two whose names a newer Unicode no longer distinguishes.
fn unlike_others(name: &str, id: u128) -> String {
    let id = StreamId::from_number(id).to_string();
    let kept: String = name.chars().take(KEPT_LETTERS).collect();
    format!("{kept}-{}", &id[id.len() - ID_LETTERS..])
}

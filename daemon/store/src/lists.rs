//! Lists of streams in their orders: of all, of an account, under a topic. A page of a list reads the rows of that page, however
//! many streams there are. The rows change in the transaction that changes a stream's facts or topics.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record;
use crate::search::cursor::Cursor;
use crate::tables::{FILED, META, STREAM_FACTS, STREAM_LISTS, STREAM_ORDINALS};
use crate::writing::WriteTransaction;
use crate::{StreamFacts, StreamId, StreamState, TopicId, UserId, Visibility};
use redb::{Range, ReadableTable};
use std::iter::Rev;
use std::ops::Bound;

/// The version of the rows' form. With another one in the file, or none, they are made anew when the store is opened.
const VERSION: u64 = 1;
const VERSION_NAME: &str = "stream_lists_version";

/// List, account or topic, [`Class`], sort key (two numbers), stream.
pub(crate) type Key = (u8, u128, u8, u64, u64, u128);

/// Whose streams a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    All,
    User(UserId),
    Topic(TopicId),
}

/// The order of a list, greatest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Age,
    Views,
}

impl Of {
    /// The first two parts of the key.
    const fn prefix(self, order: Order) -> (u8, u128) {
        let (kind, of) = match self {
            Self::All => (0, 0),
            Self::User(user) => (1, user.number()),
            Self::Topic(topic) => (2, topic.number()),
        };
        (kind * 2 + matches!(order, Order::Views) as u8, of)
    }
}

/// Who sees a stream in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Public = 0,
    Members = 1,
    /// Nobody: it ended before its first picture, so there is nothing to show.
    Hidden = 2,
}

impl Class {
    /// The class of a stream with these facts.
    pub(crate) fn of(facts: &StreamFacts) -> Self {
        match facts.visibility {
            _ if facts.state == StreamState::Ended && facts.live_at.is_none() => Self::Hidden,
            Visibility::Public => Self::Public,
            Visibility::Members => Self::Members,
        }
    }

    /// The classes that a caller sees.
    pub(crate) const fn seen_by(members: bool) -> &'static [Self] {
        if members { &[Self::Public, Self::Members] } else { &[Self::Public] }
    }
}

/// A stream's place in a list of this order, among others of its class.
pub(crate) fn place(facts: &StreamFacts, order: Order) -> Cursor {
    Cursor {
        first: if order == Order::Views { facts.views } else { 0 },
        // Times before 1970, from a board whose clock is not set, sort below all others.
        newest: u64::try_from(facts.created_at.unix_millis()).unwrap_or(0),
        id: facts.id.number(),
    }
}

fn key(of: Of, order: Order, class: Class, place: Cursor) -> Key {
    let (list, whose) = of.prefix(order);
    (list, whose, class as u8, place.first, place.newest, place.id)
}

/// The rows of a list from the first one after `after`, greatest first.
pub(crate) fn rows(
    table: &impl ReadableTable<Key, u32>,
    of: Of,
    order: Order,
    class: Class,
    after: Option<Cursor>,
) -> Outcome<Rev<Range<'_, Key, u32>>> {
    let least = key(of, order, class, Cursor { first: 0, newest: 0, id: 0 });
    let end = match after {
        Some(after) => Bound::Excluded(key(of, order, class, after)),
        None => Bound::Included(key(
            of,
            order,
            class,
            Cursor { first: u64::MAX, newest: u64::MAX, id: u128::MAX },
        )),
    };
    Ok(table.range((Bound::Included(least), end))?.rev())
}

/// The place that a row names.
pub(crate) fn read(row: &Key) -> Cursor {
    Cursor { first: row.3, newest: row.4, id: row.5 }
}

/// Every stream of an account, hidden ones too, newest first.
pub(crate) fn all_of(tx: &impl Reads, user: UserId) -> Outcome<Vec<StreamId>> {
    let table = tx.reading(STREAM_LISTS)?;
    let mut streams = Vec::new();
    for class in [Class::Public, Class::Members, Class::Hidden] {
        for row in rows(&table, Of::User(user), Order::Age, class, None)? {
            streams.push(StreamId::from_number(read(&row?.0.value()).id));
        }
    }
    streams.sort_unstable_by_key(|stream| std::cmp::Reverse(*stream));
    Ok(streams)
}

/// How many streams of an account are in lists.
pub(crate) fn count(tx: &impl Reads, user: UserId, members: bool) -> Outcome<usize> {
    let table = tx.reading(STREAM_LISTS)?;
    let mut count = 0;
    for &class in Class::seen_by(members) {
        for row in rows(&table, Of::User(user), Order::Age, class, None)? {
            row?;
            count += 1;
        }
    }
    Ok(count)
}

/// Moves a stream's rows from its old facts (`None`: it is new) to its present ones (`None`: it is deleted).
pub(crate) fn update(
    tx: &WriteTransaction,
    before: Option<&StreamFacts>,
    after: Option<&StreamFacts>,
) -> Outcome<()> {
    let Some(facts) = before.or(after) else { return Ok(()) };
    let sorted_by = |facts: &StreamFacts| (facts.user, Class::of(facts), place(facts, Order::Views));
    if before.map(sorted_by) == after.map(sorted_by) {
        return Ok(());
    }
    let topics = FILED.rights(tx, facts.id.number())?;
    let topics = topics.into_iter().map(|(topic, _)| Of::Topic(TopicId::from_number(topic)));
    let lists: Vec<Of> = [Of::All, Of::User(facts.user)].into_iter().chain(topics).collect();
    for of in lists {
        put(tx, of, before, after)?;
    }
    let mut ordinals = tx.open_table(STREAM_ORDINALS)?;
    match after {
        Some(after) => ordinals.insert(after.ordinal, after.id.number())?,
        None => ordinals.remove(facts.ordinal)?,
    };
    Ok(())
}

/// Puts a stream into the list of a topic, or takes it out.
pub(crate) fn file(tx: &WriteTransaction, facts: &StreamFacts, topic: TopicId, is_in: bool) -> Outcome<()> {
    let (before, after) = if is_in { (None, Some(facts)) } else { (Some(facts), None) };
    put(tx, Of::Topic(topic), before, after)
}

fn put(
    tx: &WriteTransaction,
    of: Of,
    before: Option<&StreamFacts>,
    after: Option<&StreamFacts>,
) -> Outcome<()> {
    let mut table = tx.open_table(STREAM_LISTS)?;
    for order in [Order::Age, Order::Views] {
        let key = |facts: &StreamFacts| key(of, order, Class::of(facts), place(facts, order));
        let (old, new) = (before.map(key), after.map(key));
        if old == new {
            continue;
        }
        if let Some(old) = old {
            table.remove(old)?;
        }
        if let (Some(new), Some(facts)) = (new, after) {
            table.insert(new, facts.ordinal)?;
        }
    }
    Ok(())
}

/// True if the file has the rows in the form that this code reads.
pub(crate) fn are_up_to_date(tx: &impl Reads) -> Outcome<bool> {
    Ok(tx.reading(META)?.get(VERSION_NAME)?.is_some_and(|found| found.value() == VERSION))
}

/// Makes all rows anew.
pub(crate) fn rebuild(tx: &WriteTransaction) -> Outcome<()> {
    // Whatever their form was.
    tx.delete_table(STREAM_LISTS)?;
    tx.delete_table(STREAM_ORDINALS)?;
    tx.open_table(STREAM_LISTS)?;
    tx.open_table(STREAM_ORDINALS)?;
    for row in tx.reading(STREAM_FACTS)?.iter()? {
        let facts: StreamFacts = record::decode(row?.1.value())?;
        update(tx, None, Some(&facts))?;
    }
    tx.open_table(META)?.insert(VERSION_NAME, VERSION)?;
    Ok(())
}

/// The rows that a stream has, under these topics.
pub(crate) fn due(facts: &StreamFacts, topics: &[TopicId]) -> Vec<(Key, u32)> {
    let lists =
        [Of::All, Of::User(facts.user)].into_iter().chain(topics.iter().map(|&topic| Of::Topic(topic)));
    let orders = [Order::Age, Order::Views];
    lists
        .flat_map(|of| {
            orders.map(|order| (key(of, order, Class::of(facts), place(facts, order)), facts.ordinal))
        })
        .collect()
}

//! A topic that streams are filed under, and its record.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::search::words;
use crate::tables::{TOPIC_NAMES, TOPICS};
use crate::writing::WriteTransaction;
use crate::{Refusal, TopicId};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};

/// Topics at most: the page shows them as tabs.
pub const TOPICS_MOST: usize = 100;

/// The topics of a new store.
pub(crate) const STARTING_SET: [&str; 8] =
    ["Entertainment", "Gaming", "Business", "Tutorial", "Lifestyle", "Nature", "Workshop", "Home"];

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Unique without regard to case.
    pub name: String,
    /// Its position in the row of tabs, smallest first.
    pub position: u32,
}

impl Record for Topic {
    const NAME: &'static str = "topic";
    const VERSION: u8 = 1;
}

pub(crate) fn get(tx: &impl Reads, topic: TopicId) -> Outcome<Topic> {
    record::get(tx, TOPICS, topic.number())?.ok_or_else(|| Refusal::NotFound { what: "topic" }.into())
}

pub(crate) fn all(tx: &impl Reads) -> Outcome<Vec<Topic>> {
    let rows = tx.reading(TOPICS)?;
    let topics: Outcome<Vec<Topic>> = rows.iter()?.map(|row| record::decode(row?.1.value())).collect();
    let mut topics = topics?;
    topics.sort_by_key(|topic| (topic.position, topic.id));
    Ok(topics)
}

/// The starting set has the same ids on every board.
pub(crate) fn add_starting_set(tx: &WriteTransaction) -> Outcome<()> {
    for (position, name) in (0..).zip(STARTING_SET) {
        let id = TopicId::from_number(u128::from(position) + 1);
        add(tx, Topic { id, name: name.to_owned(), position })?;
    }
    Ok(())
}

pub(crate) fn add(tx: &WriteTransaction, topic: Topic) -> Outcome<Topic> {
    let taken = tx
        .open_table(TOPIC_NAMES)?
        .insert(words::name_key(&topic.name).as_str(), topic.id.number())?
        .is_some();
    if taken {
        return Err(Refusal::TopicTaken { name: topic.name }.into());
    }
    record::put(tx, TOPICS, topic.id.number(), &topic)?;
    if all(tx)?.len() > TOPICS_MOST {
        return Err(Refusal::TooMany { what: "topics", most: TOPICS_MOST }.into());
    }
    Ok(topic)
}

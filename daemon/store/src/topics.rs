//! What streams are filed under: a starting set, managed by the owner from then on.

use crate::record::{self, Record};
use crate::search::words;
use crate::tables::{FILED, TOPIC_NAMES, TOPICS};
use crate::transaction::{Outcome, Reads};
use crate::{Refusal, Store, StoreError, Timestamp, TopicId, id};
use redb::{ReadableTable as _, WriteTransaction};
use serde::{Deserialize, Serialize};

/// Topics at most: the page shows them as tabs.
pub const TOPICS_MOST: usize = 100;

/// What a new store begins with.
pub(crate) const STARTING_SET: [&str; 8] =
    ["Entertainment", "Gaming", "Business", "Tutorial", "Lifestyle", "Nature", "Workshop", "Home"];

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Unique without regard to case.
    pub name: String,
    /// Its place in the row of tabs, smallest first.
    pub position: u32,
}

impl Record for Topic {
    const NAME: &'static str = "topic";
    const VERSION: u8 = 1;
}

impl Store {
    /// All topics, in their order.
    pub fn topics(&self) -> Result<Vec<Topic>, StoreError> {
        self.read(all)
    }

    /// Adds a topic behind the others.
    pub fn add_topic(&self, name: &str, now: Timestamp) -> Result<Topic, StoreError> {
        self.write(|tx| {
            let position = all(tx)?.last().map_or(0, |last| last.position.saturating_add(1));
            let id = TopicId::from_number(id::fresh(now)?);
            add(tx, Topic { id, name: name.to_owned(), position })
        })
    }

    /// Renames or moves a topic; `None` stays as it is.
    pub fn change_topic(
        &self,
        topic: TopicId,
        name: Option<&str>,
        position: Option<u32>,
    ) -> Result<Topic, StoreError> {
        self.write(|tx| {
            let mut changed = get(tx, topic)?;
            changed.position = position.unwrap_or(changed.position);
            tx.open_table(TOPIC_NAMES)?.remove(words::name_key(&changed.name).as_str())?;
            if let Some(name) = name {
                name.clone_into(&mut changed.name);
            }
            add(tx, changed)
        })
    }

    /// Removes a topic, and from the streams filed under it.
    pub fn delete_topic(&self, topic: TopicId) -> Result<(), StoreError> {
        self.write(|tx| {
            let gone = get(tx, topic)?;
            for (stream, _) in FILED.lefts(tx, topic.number())? {
                FILED.untie(tx, stream, topic.number())?;
            }
            tx.open_table(TOPIC_NAMES)?.remove(words::name_key(&gone.name).as_str())?;
            tx.open_table(TOPICS)?.remove(topic.number())?;
            Ok(())
        })
    }
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

fn add(tx: &WriteTransaction, topic: Topic) -> Outcome<Topic> {
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

//! The topics of the site: a starting set, then managed by the owner.

use crate::search::words;
use crate::tables::{FILED, TOPIC_NAMES, TOPICS};
use crate::{Store, StoreError, StreamId, Timestamp, Topic, TopicId, lists, new_id, streams, topic};

impl Store {
    /// All topics, in their order.
    pub fn topics(&self) -> Result<Vec<Topic>, StoreError> {
        self.read(topic::all)
    }

    /// Adds a topic after the others.
    pub fn add_topic(&self, name: &str, now: Timestamp) -> Result<Topic, StoreError> {
        self.write(|tx| {
            let position = topic::all(tx)?.last().map_or(0, |last| last.position.saturating_add(1));
            let id = TopicId::from_number(new_id::at(now)?);
            topic::add(tx, Topic { id, name: name.to_owned(), position })
        })
    }

    /// Renames or moves a topic; `None` keeps the present value.
    pub fn change_topic(
        &self,
        topic: TopicId,
        name: Option<&str>,
        position: Option<u32>,
    ) -> Result<Topic, StoreError> {
        self.write(|tx| {
            let mut changed = topic::get(tx, topic)?;
            changed.position = position.unwrap_or(changed.position);
            tx.open_table(TOPIC_NAMES)?.remove(words::name_key(&changed.name).as_str())?;
            if let Some(name) = name {
                name.clone_into(&mut changed.name);
            }
            topic::add(tx, changed)
        })
    }

    /// Deletes a topic, and removes it from the streams filed under it.
    pub fn delete_topic(&self, topic: TopicId) -> Result<(), StoreError> {
        self.write(|tx| {
            let gone = topic::get(tx, topic)?;
            for (stream, _) in FILED.lefts(tx, topic.number())? {
                FILED.untie(tx, stream, topic.number())?;
                lists::file(tx, &streams::facts(tx, StreamId::from_number(stream))?, topic, false)?;
            }
            tx.open_table(TOPIC_NAMES)?.remove(words::name_key(&gone.name).as_str())?;
            tx.open_table(TOPICS)?.remove(topic.number())?;
            Ok(())
        })
    }
}

//! The topics of streams, managed by the owner.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::{self, FieldError};
use perch_store::{Store, TOPICS_MOST, Topic, TopicId};
use std::ops::RangeInclusive;

/// Characters of a topic's name, which is shown on a tab.
const NAME_CHARACTERS: RangeInclusive<usize> = 1..=40;

/// All topics, in the order of their tabs; for everyone.
///
/// # Errors
///
/// Those of the store.
pub async fn list(site: &Site) -> Result<Vec<Topic>, SiteError> {
    site.store(Store::topics).await
}

/// Adds a topic after the others; for owners.
///
/// # Errors
///
/// `Field` for `name`, `Refused` if the name is taken or there are too many topics, `Unauthenticated` and `Forbidden`.
pub async fn add(site: &Site, actor: &Actor, name: &str) -> Result<Topic, SiteError> {
    actor.owner()?;
    let (name, now) = (text::name("name", name, NAME_CHARACTERS)?, site.now());
    site.store(move |store| store.add_topic(&name, now)).await
}

/// Changes to a topic; `None` keeps the present value.
#[derive(Debug, Default)]
pub struct TopicChange {
    /// 1 to 40 characters.
    pub name: Option<String>,
    /// Its position in the row of tabs, from 0.
    pub position: Option<u32>,
}

/// Renames or moves a topic; for owners.
///
/// # Errors
///
/// `Field` for an invalid value, `Refused` if the name is taken or the topic is unknown, `Unauthenticated` and `Forbidden`.
pub async fn change(
    site: &Site,
    actor: &Actor,
    topic: TopicId,
    change: TopicChange,
) -> Result<Topic, SiteError> {
    actor.owner()?;
    let name = change.name.map(|name| text::name("name", &name, NAME_CHARACTERS)).transpose()?;
    if change.position.is_some_and(|position| position as usize >= TOPICS_MOST) {
        let why = format!("must be from 0 to {}", TOPICS_MOST - 1);
        return Err(FieldError { field: "position", why }.into());
    }
    site.store(move |store| store.change_topic(topic, name.as_deref(), change.position)).await
}

/// Deletes a topic; its streams stay. For owners.
///
/// # Errors
///
/// `Refused` for an unknown topic, `Unauthenticated` and `Forbidden`.
pub async fn delete(site: &Site, actor: &Actor, topic: TopicId) -> Result<(), SiteError> {
    actor.owner()?;
    site.store(move |store| store.delete_topic(topic)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use perch_store::{Refusal, Role};

    #[tokio::test]
    async fn owners_arrange_the_topics() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let birds = add(&site, &olga, "Birds").await.unwrap();
        let trains = add(&site, &olga, "Trains").await.unwrap();
        let taken = add(&site, &olga, "birds").await;
        assert!(matches!(taken, Err(SiteError::Refused(Refusal::TopicTaken { .. }))), "{taken:?}");
        let first = TopicChange { position: Some(0), ..TopicChange::default() };
        assert_eq!(change(&site, &olga, trains.id, first).await.unwrap().name, "Trains");
        // A new site has topics already.
        let ids = |topics: Vec<Topic>| {
            let ids = topics.into_iter().map(|topic| topic.id);
            ids.filter(|id| [birds.id, trains.id].contains(id)).collect::<Vec<_>>()
        };
        assert_eq!(ids(list(&site).await.unwrap()), [trains.id, birds.id]);
        let far = TopicChange { position: Some(TOPICS_MOST as u32), ..TopicChange::default() };
        let refused = change(&site, &olga, trains.id, far).await;
        assert!(matches!(&refused, Err(SiteError::Field(error)) if error.field == "position"));
        delete(&site, &olga, birds.id).await.unwrap();
        assert_eq!(ids(list(&site).await.unwrap()), [trains.id]);
    }

    #[tokio::test]
    async fn nobody_else_arranges_them() {
        let site = TestSite::new();
        let ann = site.account("ann", Role::Streamer).await;
        let birds = add(&site, &Actor::Console, "Birds").await.unwrap();
        let refused = [
            add(&site, &ann, "Trains").await.map(drop),
            change(&site, &ann, birds.id, TopicChange::default()).await.map(drop),
            delete(&site, &ann, birds.id).await,
        ];
        for refused in refused {
            assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        }
    }
}

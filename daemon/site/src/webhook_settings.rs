//! Setting webhooks up, and what became of their deliveries; for owners. `webhooks` delivers.

use crate::actor::Actor;
use crate::error::SiteError;
use crate::site::Site;
use crate::text::FieldError;
use crate::webhooks::event::About;
use perch_store::{
    EventKind, Refusal, Store, StoreError, Webhook, WebhookChange, WebhookDelivery, WebhookId, WebhookSecret,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// All webhooks, oldest first; for owners.
///
/// # Errors
///
/// `Unauthenticated` and `Forbidden`.
pub async fn list(site: &Site, actor: &Actor) -> Result<Vec<Webhook>, SiteError> {
    actor.owner()?;
    site.store(Store::webhooks).await
}

/// Adds a webhook with a new secret; for owners. The caller has checked that `url` can be reached by HTTP at all.
///
/// # Errors
///
/// `Field` for `events`, `Refused` for too many, `Unauthenticated` and `Forbidden`.
pub async fn add(
    site: &Site,
    actor: &Actor,
    url: String,
    events: BTreeSet<EventKind>,
) -> Result<Webhook, SiteError> {
    actor.owner()?;
    let events = acceptable(events)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let (secret, now) = (WebhookSecret::new(secret), site.now());
    let webhooks = site.webhooks.clone();
    let added = site.store(move |store| {
        let added = store.add_webhook(&url, &events, &secret, now)?;
        webhooks.load(store)?;
        Ok::<_, StoreError>(added)
    });
    let added = added.await?;
    tracing::info!(by = %actor, webhook = %added.id, "a webhook was added");
    Ok(added)
}

/// Changes a webhook; for owners.
///
/// # Errors
///
/// Those of [`add`], and `Refused` with `NotFound`.
pub async fn change(
    site: &Site,
    actor: &Actor,
    id: WebhookId,
    mut change: WebhookChange,
) -> Result<Webhook, SiteError> {
    actor.owner()?;
    change.events = change.events.map(acceptable).transpose()?;
    let webhooks = site.webhooks.clone();
    site.store(move |store| {
        let changed = store.change_webhook(id, &change)?;
        webhooks.load(store)?;
        Ok::<_, StoreError>(changed)
    })
    .await
}

/// Deletes a webhook with its deliveries; for owners.
///
/// # Errors
///
/// `Refused` with `NotFound`, `Unauthenticated` and `Forbidden`.
pub async fn delete(site: &Site, actor: &Actor, id: WebhookId) -> Result<(), SiteError> {
    actor.owner()?;
    let webhooks = site.webhooks.clone();
    site.store(move |store| {
        store.delete_webhook(id)?;
        webhooks.load(store)
    })
    .await
}

/// A delivery, and when it is tried next if it waits.
#[derive(Debug)]
pub struct SeenDelivery {
    /// The delivery.
    pub delivery: WebhookDelivery,
    /// Time until the next try.
    pub next_in: Option<Duration>,
}

/// What was delivered to a webhook, the newest first; for owners.
///
/// # Errors
///
/// Those of [`delete`].
pub async fn deliveries(site: &Site, actor: &Actor, id: WebhookId) -> Result<Vec<SeenDelivery>, SiteError> {
    actor.owner()?;
    let stored = site.store(move |store| store.deliveries(id)).await?;
    let queue = site.webhooks.queue();
    let now = site.clock.monotonic();
    let mut all: BTreeMap<_, _> = stored.into_iter().map(|delivery| (delivery.id, delivery)).collect();
    all.extend(queue.unsaved_of(id).into_iter().map(|delivery| (delivery.id, delivery)));
    let seen = all.into_values().rev().map(|delivery| {
        let due = queue.due_of(id, delivery.id);
        SeenDelivery { next_in: due.map(|due| due.saturating_sub(now)), delivery }
    });
    Ok(seen.collect())
}

/// Sends a webhook a test; for owners.
///
/// # Errors
///
/// `Busy` if too much waits for it already, and those of [`delete`].
pub async fn test(site: &Site, actor: &Actor, id: WebhookId) -> Result<(), SiteError> {
    actor.owner()?;
    let is_known =
        site.store(move |store| Ok::<_, StoreError>(store.webhooks()?.iter().any(|known| known.id == id)));
    if !is_known.await? {
        return Err(Refusal::NotFound { what: "webhook" }.into());
    }
    if !site.webhooks.deliver(About::Test, &[id])? {
        return Err(SiteError::Busy("too many deliveries wait for this webhook"));
    }
    Ok(())
}

fn acceptable(events: BTreeSet<EventKind>) -> Result<BTreeSet<EventKind>, FieldError> {
    let why = if events.is_empty() {
        "choose at least one"
    } else if events.contains(&EventKind::Test) {
        "a test is sent when you ask for it"
    } else {
        return Ok(events);
    };
    Err(FieldError { field: "events", why: why.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestSite;
    use crate::webhooks::Webhooks;
    use crate::webhooks::queue::Untaken;
    use perch_store::{DeliveryState, Role};

    fn started() -> BTreeSet<EventKind> {
        BTreeSet::from([EventKind::StorageLow])
    }

    fn low() -> About {
        About::StorageLow { detail: "the card is nearly full".to_owned() }
    }

    #[tokio::test]
    async fn webhooks_are_the_owners_and_are_told_what_they_want() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        let ann = site.account("ann", Role::Streamer).await;
        let refused = add(&site, &ann, "http://192.0.2.1/".to_owned(), started()).await.map(drop);
        assert!(matches!(refused, Err(SiteError::Forbidden)), "{refused:?}");
        for wrong in [BTreeSet::new(), BTreeSet::from([EventKind::Test])] {
            let refused = add(&site, &olga, "http://192.0.2.1/".to_owned(), wrong).await.map(drop);
            assert!(
                matches!(&refused, Err(SiteError::Field(error)) if error.field == "events"),
                "{refused:?}"
            );
        }
        site.webhooks.tell(low());
        let webhook = add(&site, &olga, "http://192.0.2.1/".to_owned(), started()).await.unwrap();
        site.webhooks.tell(low());
        site.webhooks.tell(About::RelayFailed {
            relay: "mirror".to_owned(),
            stream: perch_store::StreamId::from_number(1),
            detail: String::new(),
        });
        let [seen] = &deliveries(&site, &olga, webhook.id).await.unwrap()[..] else { panic!("one") };
        assert_eq!((seen.delivery.state, seen.next_in), (DeliveryState::Waiting, Some(Duration::ZERO)));
        let job = site.webhooks.due().await;
        site.webhooks.tried(&job, Ok(200), 0);
        site.webhooks.save(&site.store).unwrap();
        test(&site, &olga, webhook.id).await.unwrap();
        let seen = deliveries(&site, &olga, webhook.id).await.unwrap();
        let states: Vec<_> = seen.iter().map(|seen| (seen.delivery.event, seen.delivery.state)).collect();
        assert!(states.contains(&(EventKind::StorageLow, DeliveryState::Delivered)), "{states:?}");
        assert!(states.contains(&(EventKind::Test, DeliveryState::Waiting)), "{states:?}");
        delete(&site, &olga, webhook.id).await.unwrap();
        let gone = test(&site, &olga, webhook.id).await;
        assert!(matches!(gone, Err(SiteError::Refused(Refusal::NotFound { .. }))), "{gone:?}");
    }

    #[tokio::test]
    async fn what_waits_outlasts_a_restart() {
        let site = TestSite::new();
        let olga = site.account("olga", Role::Owner).await;
        add(&site, &olga, "http://192.0.2.1/".to_owned(), started()).await.unwrap();
        site.webhooks.tell(low());
        let job = site.webhooks.due().await;
        site.webhooks.tried(&job, Err(Untaken { status: Some(500), detail: "it answers 500".to_owned() }), 0);
        site.webhooks.save(&site.store).unwrap();
        let after = Webhooks::new(|_| String::new(), site.clock.clone());
        after.load(&site.store).unwrap();
        after.resume(&site.store).unwrap();
        let again = after.due().await;
        assert_eq!((again.id, &again.body), (job.id, &job.body));
    }
}

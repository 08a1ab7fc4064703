//! Webhooks: addresses that are told of events, each with a secret, and what was delivered to them. No backup holds them, because their secrets
//! and addresses open other programs.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::tables::{WEBHOOK_DELIVERIES, WEBHOOKS};
use crate::writing::WriteTransaction;
use crate::{Refusal, Store, StoreError, Timestamp, WebhookDeliveryId, WebhookId, new_id, relation};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Webhooks at most.
pub const WEBHOOKS_MOST: usize = 16;
/// Deliveries that are over and kept for each webhook; older ones are forgotten.
pub const DELIVERIES_PER_WEBHOOK: usize = 50;

/// Something that a webhook is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// A stream shows its first picture.
    #[serde(rename = "stream.started")]
    StreamStarted,
    /// A stream that was live has ended.
    #[serde(rename = "stream.ended")]
    StreamEnded,
    /// A recording is closed and can be downloaded.
    #[serde(rename = "recording.ready")]
    RecordingReady,
    /// A relay's server does not take the stream.
    #[serde(rename = "relay.failed")]
    RelayFailed,
    /// A stream waits for its camera.
    #[serde(rename = "camera.fault")]
    CameraFault,
    /// The card is nearly full.
    #[serde(rename = "storage.low")]
    StorageLow,
    /// Somebody wrote in a chat.
    #[serde(rename = "chat.message")]
    ChatMessage,
    /// The owner tries the webhook.
    #[serde(rename = "test")]
    Test,
}

impl EventKind {
    /// Its name in the API and in what is delivered.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StreamStarted => "stream.started",
            Self::StreamEnded => "stream.ended",
            Self::RecordingReady => "recording.ready",
            Self::RelayFailed => "relay.failed",
            Self::CameraFault => "camera.fault",
            Self::StorageLow => "storage.low",
            Self::ChatMessage => "chat.message",
            Self::Test => "test",
        }
    }
}

/// The secret that signs what is delivered; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSecret([u8; 32]);

impl WebhookSecret {
    /// Takes random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for signing.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// A webhook.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where it is delivered; the caller has checked it. Its path may be a secret of the other program.
    pub url: String,
    /// What it is told of.
    pub events: BTreeSet<EventKind>,
    /// False: it is told of nothing for now.
    pub is_enabled: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// Signs what is delivered.
    pub secret: WebhookSecret,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("events", &self.events).finish_non_exhaustive()
    }
}

impl Record for Webhook {
    const NAME: &'static str = "webhook";
    const VERSION: u8 = 1;
}

/// Changes to a webhook; `None` keeps the present value.
#[derive(Clone, Default)]
pub struct WebhookChange {
    /// Where it is delivered.
    pub url: Option<String>,
    /// What it is told of.
    pub events: Option<BTreeSet<EventKind>>,
    /// Whether it is told of anything.
    pub is_enabled: Option<bool>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried, or tried again.
    Waiting,
    /// The receiver has taken it.
    Delivered,
    /// It was given up.
    Failed,
}

/// What became of one event for one webhook.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDelivery {
    /// Its id; the same at each try.
    pub id: WebhookDeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// Of what.
    pub event: EventKind,
    /// The body: JSON.
    pub body: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: u32,
    /// When it was tried last.
    pub tried_at: Option<Timestamp>,
    /// The status that the receiver answered last.
    pub status: Option<u16>,
    /// Why the last try failed, in words.
    pub detail: Option<String>,
}

impl fmt::Debug for WebhookDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WebhookDelivery");
        shown.field("id", &self.id).field("event", &self.event).field("state", &self.state);
        shown.field("tries", &self.tries).field("detail", &self.detail).finish_non_exhaustive()
    }
}

impl Record for WebhookDelivery {
    const NAME: &'static str = "delivery of a webhook";
    const VERSION: u8 = 1;
}

impl WebhookDelivery {
    /// A delivery that was not tried yet. Its id is greater than those of earlier ones, unless the clock went back.
    pub fn new(webhook: WebhookId, event: EventKind, at: Timestamp) -> Result<Self, StoreError> {
        let id = new_id::at(at)
            .map_err(|failure| failure.at(std::path::Path::new("webhooks"), "make an id for"))?;
        Ok(Self {
            id: WebhookDeliveryId::from_number(id),
            webhook,
            event,
            body: String::new(),
            created_at: at,
            state: DeliveryState::Waiting,
            tries: 0,
            tried_at: None,
            status: None,
            detail: None,
        })
    }
}

impl Store {
    /// All webhooks, oldest first.
    pub fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        self.read(all)
    }

    /// Adds a webhook that is told of `events` at `url`.
    pub fn add_webhook(
        &self,
        url: &str,
        events: &BTreeSet<EventKind>,
        secret: &WebhookSecret,
        now: Timestamp,
    ) -> Result<Webhook, StoreError> {
        self.write(|tx| {
            let known = all(tx)?;
            if known.len() >= WEBHOOKS_MOST {
                return Err(Refusal::TooMany { what: "webhooks", most: WEBHOOKS_MOST }.into());
            }
            let last = known.last().map(|last| last.id.number());
            let webhook = Webhook {
                id: WebhookId::from_number(new_id::after(last, now)?),
                url: url.to_owned(),
                events: events.clone(),
                is_enabled: true,
                created_at: now,
                secret: secret.clone(),
            };
            record::put(tx, WEBHOOKS, webhook.id.number(), &webhook)?;
            Ok(webhook)
        })
    }

    /// Changes a webhook.
    pub fn change_webhook(&self, id: WebhookId, change: &WebhookChange) -> Result<Webhook, StoreError> {
        self.write(|tx| {
            let mut webhook = get(tx, id)?;
            let WebhookChange { url, events, is_enabled } = change.clone();
            webhook.url = url.unwrap_or(webhook.url);
            webhook.events = events.unwrap_or(webhook.events);
            webhook.is_enabled = is_enabled.unwrap_or(webhook.is_enabled);
            record::put(tx, WEBHOOKS, id.number(), &webhook)?;
            Ok(webhook)
        })
    }

    /// Deletes a webhook with its deliveries.
    pub fn delete_webhook(&self, id: WebhookId) -> Result<(), StoreError> {
        self.write(|tx| {
            get(tx, id)?;
            tx.open_table(WEBHOOKS)?.remove(id.number())?;
            tx.open_table(WEBHOOK_DELIVERIES)?.retain_in(relation::of(id.number()), |_, _| false)?;
            Ok(())
        })
    }

    /// A webhook's stored deliveries, oldest first.
    pub fn deliveries(&self, id: WebhookId) -> Result<Vec<WebhookDelivery>, StoreError> {
        self.read(|tx| {
            get(tx, id)?;
            deliveries_of(tx, id)
        })
    }

    /// Stored deliveries that were neither taken nor given up, oldest first.
    pub fn waiting_deliveries(&self) -> Result<Vec<WebhookDelivery>, StoreError> {
        self.read(|tx| {
            let mut waiting = Vec::new();
            for row in tx.reading(WEBHOOK_DELIVERIES)?.iter()? {
                let delivery: WebhookDelivery = record::decode(row?.1.value())?;
                if delivery.state == DeliveryState::Waiting {
                    waiting.push(delivery);
                }
            }
            waiting.sort_by_key(|delivery| delivery.id);
            Ok(waiting)
        })
    }

    /// Stores deliveries, new ones and changed ones, in one commit. Those of deleted webhooks are left out, and of those that are over only the
    /// newest are kept.
    pub fn put_deliveries(&self, deliveries: &[WebhookDelivery]) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut touched = BTreeSet::new();
            for delivery in deliveries {
                let webhook = delivery.webhook.number();
                if tx.open_table(WEBHOOKS)?.get(webhook)?.is_some() {
                    record::put(tx, WEBHOOK_DELIVERIES, (webhook, delivery.id.number()), delivery)?;
                    touched.insert(delivery.webhook);
                }
            }
            for webhook in touched {
                let mut over = deliveries_of(tx, webhook)?;
                over.retain(|delivery| delivery.state != DeliveryState::Waiting);
                for old in &over[..over.len().saturating_sub(DELIVERIES_PER_WEBHOOK)] {
                    tx.open_table(WEBHOOK_DELIVERIES)?.remove((webhook.number(), old.id.number()))?;
                }
            }
            Ok(())
        })
    }
}

fn all(tx: &impl Reads) -> Outcome<Vec<Webhook>> {
    tx.reading(WEBHOOKS)?.iter()?.map(|row| record::decode(row?.1.value())).collect()
}

fn get(tx: &impl Reads, id: WebhookId) -> Outcome<Webhook> {
    record::get(tx, WEBHOOKS, id.number())?.ok_or_else(|| Refusal::NotFound { what: "webhook" }.into())
}

fn deliveries_of(tx: &impl Reads, id: WebhookId) -> Outcome<Vec<WebhookDelivery>> {
    let rows = tx.reading(WEBHOOK_DELIVERIES)?;
    rows.range(relation::of(id.number()))?.map(|row| record::decode(row?.1.value())).collect()
}

/// Forgets all webhooks and their deliveries.
pub(crate) fn forget_all(tx: &WriteTransaction) -> Outcome<()> {
    tx.open_table(WEBHOOKS)?.retain(|_, _| false)?;
    tx.open_table(WEBHOOK_DELIVERIES)?.retain(|_, _| false)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backup;
    use crate::tests::{assert_sound, at, in_memory, refusal};

    const URL: &str = "https://example.org/HOOKSECRET";

    fn events() -> BTreeSet<EventKind> {
        BTreeSet::from([EventKind::StreamStarted, EventKind::StreamEnded])
    }

    fn added(store: &Store) -> Webhook {
        store.add_webhook(URL, &events(), &WebhookSecret::new([7; 32]), at(0)).unwrap()
    }

    #[test]
    fn webhooks_are_added_changed_and_deleted() {
        let store = in_memory();
        let (one, two) = (added(&store), added(&store));
        assert_eq!(store.webhooks().unwrap(), [one.clone(), two.clone()]);
        let off = WebhookChange { is_enabled: Some(false), ..WebhookChange::default() };
        let changed = store.change_webhook(one.id, &off).unwrap();
        assert_eq!(changed, Webhook { is_enabled: false, ..one.clone() });
        store.delete_webhook(one.id).unwrap();
        assert_eq!(refusal(store.delete_webhook(one.id)), Refusal::NotFound { what: "webhook" });
        assert_eq!(refusal(store.change_webhook(one.id, &off)), Refusal::NotFound { what: "webhook" });
        for _ in 1..WEBHOOKS_MOST {
            added(&store);
        }
        let refused = store.add_webhook(URL, &events(), &two.secret, at(0));
        assert_eq!(refusal(refused), Refusal::TooMany { what: "webhooks", most: WEBHOOKS_MOST });
        assert!(!format!("{two:?} {:?}", two.secret).contains("HOOKSECRET"));
        assert_sound(&store);
    }

    #[test]
    fn deliveries_that_are_over_are_bounded_and_those_that_wait_stay() {
        let store = in_memory();
        let (one, two) = (added(&store), added(&store));
        let waiting = WebhookDelivery::new(one.id, EventKind::StreamStarted, at(1)).unwrap();
        store.put_deliveries(std::slice::from_ref(&waiting)).unwrap();
        for second in 2..100 {
            let new = WebhookDelivery::new(one.id, EventKind::StreamEnded, at(second)).unwrap();
            let over = WebhookDelivery { state: DeliveryState::Delivered, status: Some(204), ..new };
            store.put_deliveries(&[over]).unwrap();
        }
        let kept = store.deliveries(one.id).unwrap();
        assert_eq!(kept.len(), DELIVERIES_PER_WEBHOOK + 1);
        assert_eq!((&kept[0], kept[1].created_at), (&waiting, at(50)));
        assert_eq!(store.waiting_deliveries().unwrap(), std::slice::from_ref(&waiting));
        let other = WebhookDelivery::new(two.id, EventKind::Test, at(0)).unwrap();
        store.put_deliveries(&[other]).unwrap();
        store.delete_webhook(one.id).unwrap();
        // Whatever was under way when its webhook was deleted.
        store.put_deliveries(&[waiting]).unwrap();
        assert_eq!(store.waiting_deliveries().unwrap().len(), 1);
        assert_eq!(refusal(store.deliveries(one.id)), Refusal::NotFound { what: "webhook" });
        assert_sound(&store);
    }

    #[test]
    fn no_backup_holds_webhooks() {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("perch.redb"), dir.path().join("backup"));
        let store = Store::open(&path).unwrap();
        added(&store);
        store.back_up(&to, at(0)).unwrap();
        let bytes = std::fs::read(&to).unwrap();
        for secret in [&b"HOOKSECRET"[..], &[7; 32]] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
        drop(store);
        // A backup, and a store file that was copied by hand.
        for file in [&to, &path] {
            assert_eq!(Backup::check(file, at(1)).unwrap().store.webhooks().unwrap(), []);
        }
    }
}

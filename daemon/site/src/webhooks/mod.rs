//! Webhooks: the owner's addresses that are told of events. An event is rendered once, waits in a bounded queue, and is stored within seconds: with
//! what became of it if that is known by then. So a receiver may get an event of the last seconds before a power cut twice, under one id, or not
//! at all; what waits outlasts a restart.
//!
//! `queue` decides when each delivery is tried, `watch` finds the events, `address` says whom webhooks may reach. Not here: HTTP (perch-web's
//! `webhooks`), and setting webhooks up (`webhook_settings`).

pub mod address;
pub mod event;
pub mod queue;
pub mod watch;

use event::{About, Event, RenderEvent};
use perch_store::{EventKind, Store, StoreError, Timestamp, WebhookDelivery, WebhookId, WebhookSecret};
use perch_studio::clock::{Clock, wall};
use queue::{Job, Queue, Untaken};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Bytes of a body at most. All that is in one is bounded much below this.
const BODY_BYTES: usize = 16 << 10;

/// The webhooks and what waits for them; clones share it.
#[derive(Clone)]
pub struct Webhooks(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the one who sends.
    news: Notify,
    render: RenderEvent,
    clock: Arc<dyn Clock>,
}

impl Webhooks {
    /// No webhooks yet.
    pub fn new(render: RenderEvent, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { queue: Mutex::default(), news: Notify::new(), render, clock }))
    }

    /// Takes over the webhooks of the store. Blocks.
    pub fn load(&self, store: &Store) -> Result<(), StoreError> {
        let webhooks = store.webhooks()?;
        self.queue().set_webhooks(webhooks);
        self.0.news.notify_one();
        Ok(())
    }

    /// Takes over what the last run left. Blocks.
    pub fn resume(&self, store: &Store) -> Result<(), StoreError> {
        let waiting = store.waiting_deliveries()?;
        self.queue().resume(waiting, self.0.clock.monotonic());
        self.0.news.notify_one();
        Ok(())
    }

    /// True if some webhook is told of this.
    pub fn wants(&self, event: EventKind) -> bool {
        self.queue().wants(event)
    }

    /// Tells all webhooks that want to know. Never waits; a webhook for which too much waits already is left out.
    pub fn tell(&self, about: About) {
        let told = self.queue().told_of(about.kind());
        if let Err(error) = self.deliver(about, &told) {
            tracing::error!("webhooks were not told: {error}");
        }
    }

    /// Tells these webhooks; false if too much waits for one of them.
    pub(crate) fn deliver(&self, about: About, to: &[WebhookId]) -> Result<bool, StoreError> {
        if to.is_empty() {
            return Ok(false);
        }
        let at = wall(&*self.0.clock);
        let event = about.kind();
        let body = (self.0.render)(&Event { at, about });
        if body.len() > BODY_BYTES {
            tracing::error!("an event of {} bytes is too long for webhooks: {}", body.len(), event.name());
            return Ok(false);
        }
        let now = self.0.clock.monotonic();
        let mut are_all = true;
        for webhook in to {
            let new = WebhookDelivery::new(*webhook, event, at)?;
            are_all &= self.queue().push(WebhookDelivery { body: body.clone(), ..new }, now);
        }
        self.0.news.notify_one();
        Ok(are_all)
    }

    /// Waits for a delivery that is due. Whoever takes it says how it went: [`Self::tried`].
    pub async fn due(&self) -> Job {
        loop {
            let next = {
                let mut queue = self.queue();
                let now = self.0.clock.monotonic();
                if let Some(job) = queue.take_due(now) {
                    return job;
                }
                queue.next_due().map(|due| due.saturating_sub(now))
            };
            let wait = async {
                match next {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.0.news.notified() => {}
            }
        }
    }

    /// Notes how a try ended: the receiver's status if it took it.
    pub fn tried(&self, job: &Job, outcome: Result<u16, Untaken>, random: u32) {
        let (at, now) = (wall(&*self.0.clock), self.0.clock.monotonic());
        self.queue().tried(job, outcome, at, now, random);
        self.0.news.notify_one();
    }

    /// Stores what has changed, in one commit; nothing is written if nothing has. Blocks.
    pub fn save(&self, store: &Store) -> Result<(), StoreError> {
        let unsaved = self.queue().take_unsaved();
        if unsaved.is_empty() {
            return Ok(());
        }
        store.put_deliveries(&unsaved).inspect_err(|_| self.queue().put_back(unsaved))
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().expect("nothing panics while it holds the lock")
    }
}

/// What a receiver checks: base64 of HMAC-SHA256 over `id.timestamp.body` (standardwebhooks.com, version 1).
pub fn signature(secret: &WebhookSecret, id: &str, at: Timestamp, body: &str) -> String {
    use base64::Engine as _;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let seconds = at.unix_millis().div_euclid(1000);
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.expose()).expect("HMAC takes keys of any length");
    let mac = mac.chain_update(format!("{id}.{seconds}.")).chain_update(body).finalize().into_bytes();
    base64::engine::general_purpose::STANDARD.encode(mac)
}

/// The secret as its owner gets it, and as libraries of receivers take it.
pub fn shown_secret(secret: &WebhookSecret) -> String {
    use base64::Engine as _;
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(secret.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by Python's hmac and base64.
    #[test]
    fn a_signature_is_what_other_programs_compute() {
        let secret = WebhookSecret::new([7; 32]);
        let at = Timestamp::from_unix_millis(1_795_000_000_999);
        assert_eq!(
            signature(&secret, "01KB", at, "{\"a\":1}"),
            "S08aMBRyHKL5TxcNRsFcALtoXUhCRXn4RLrNR2QgUkE="
        );
        assert_eq!(shown_secret(&secret), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    }
}

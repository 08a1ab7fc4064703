//! The tasks of the webhooks: one finds the events, one delivers them.

use crate::config::Config;
use crate::shutdown;
use perch_site::Site;
use perch_site::chat::ChatHandle;
use perch_site::webhooks::Webhooks;
use perch_site::webhooks::event::About;
use perch_site::webhooks::watch::{self, Watched};
use perch_store::{EventKind, Store};
use perch_studio::clock::Clock;
use perch_studio::shutdown::step;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The running tasks.
pub(crate) struct WebhookTasks {
    webhooks: Webhooks,
    store: Arc<Store>,
    watching: JoinHandle<()>,
    delivering: JoinHandle<()>,
}

impl WebhookTasks {
    /// Starts them: what happens from here on is told, and what the last run left is sent.
    pub(crate) fn start(config: &Config, site: &Site) -> Self {
        let (webhooks, store, clock) = (site.webhooks.clone(), site.store.clone(), site.clock.clone());
        let watched = Watched {
            on_air: site.live.on_air(),
            recordings: site.recordings.clone(),
            board: site.board.clone(),
            store: store.clone(),
            clock: clock.clone(),
        };
        let watching = tokio::spawn(watch::watch(watched, webhooks.clone()));
        let settings = config.webhooks.clone();
        let delivering =
            tokio::spawn(perch_web::deliver_webhooks(webhooks.clone(), settings, store.clone(), clock));
        Self { webhooks, store, watching, delivering }
    }

    /// Ends them, and stores what is yet to be told.
    pub(crate) async fn stop(self) {
        self.watching.abort();
        self.delivering.abort();
        let saving = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.webhooks.save(&self.store) {
                tracing::warn!("what webhooks are yet to be told is lost: {error}");
            }
        });
        step("storing what webhooks are yet to be told", shutdown::STORE, saving).await;
    }
}

/// The webhooks of the store, which are told what is said in chats. Without them everything else works.
pub(crate) fn webhooks(store: &Arc<Store>, chat: &ChatHandle, clock: Arc<dyn Clock>) -> Webhooks {
    let webhooks = Webhooks::new(perch_web::webhook_body, clock);
    if let Err(error) = webhooks.load(store).and_then(|()| webhooks.resume(store)) {
        tracing::error!("the webhooks cannot be read: {error}");
    }
    let told = webhooks.clone();
    chat.pass_on(Box::new(move |stream, message, by| {
        if told.wants(EventKind::ChatMessage) {
            told.tell(About::ChatMessage(stream, message.clone(), by.cloned()));
        }
    }));
    webhooks
}

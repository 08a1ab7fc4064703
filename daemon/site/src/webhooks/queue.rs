//! Deliveries that wait, as a value: when each is tried, and when it is given up. No clock, no randomness, no store, no sockets.

use perch_store::{
    DeliveryState, EventKind, Timestamp, Webhook, WebhookDelivery, WebhookDeliveryId, WebhookId,
    WebhookSecret,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Deliveries that may wait for one webhook; further events are dropped, so that a receiver that is down costs at most 100 bodies.
pub const WAITING_MOST: usize = 100;
/// Pauses between the tries; half of each is random. The last try is about nine hours after the event.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
];
/// The answer of a receiver that wants no more of it (RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Job {
    /// The same at each try, so that a receiver can tell a repetition.
    pub id: WebhookDeliveryId,
    /// Its webhook.
    pub webhook: WebhookId,
    /// What it is about.
    pub event: EventKind,
    /// Where to.
    pub url: String,
    /// Signs it.
    pub secret: WebhookSecret,
    /// The body.
    pub body: String,
}

/// Why a try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untaken {
    /// The receiver's answer, if there was one.
    pub status: Option<u16>,
    /// In words.
    pub detail: String,
}

#[derive(Debug)]
struct Waiting {
    delivery: WebhookDelivery,
    /// Monotonic time of the next try.
    due: Duration,
}

#[derive(Debug)]
struct Line {
    webhook: Webhook,
    waiting: Vec<Waiting>,
    /// The one that is being tried: one at a time, so that a slow receiver holds up nobody else.
    trying: Option<WebhookDeliveryId>,
}

/// The webhooks and their deliveries.
#[derive(Debug, Default)]
pub struct Queue {
    lines: BTreeMap<WebhookId, Line>,
    unsaved: BTreeMap<WebhookDeliveryId, WebhookDelivery>,
}

impl Queue {
    /// Takes over the webhooks as they are now. What waits for those that are gone is forgotten.
    pub fn set_webhooks(&mut self, webhooks: Vec<Webhook>) {
        let mut before = std::mem::take(&mut self.lines);
        for webhook in webhooks {
            let line = match before.remove(&webhook.id) {
                Some(line) => Line { webhook, ..line },
                None => Line { webhook, waiting: Vec::new(), trying: None },
            };
            self.lines.insert(line.webhook.id, line);
        }
        self.unsaved.retain(|_, delivery| self.lines.contains_key(&delivery.webhook));
    }

    /// Takes over deliveries of a run before: each is tried soon.
    pub fn resume(&mut self, deliveries: Vec<WebhookDelivery>, now: Duration) {
        for delivery in deliveries {
            if let Some(line) = self.lines.get_mut(&delivery.webhook)
                && line.waiting.len() < WAITING_MOST
            {
                line.waiting.push(Waiting { delivery, due: now });
            }
        }
    }

    /// True if some webhook is told of this.
    pub fn wants(&self, event: EventKind) -> bool {
        self.lines.values().any(|line| line.webhook.is_enabled && line.webhook.events.contains(&event))
    }

    /// The webhooks that are told of this and can take it.
    pub fn told_of(&self, event: EventKind) -> Vec<WebhookId> {
        let told = self.lines.values().filter(|line| {
            let webhook = &line.webhook;
            webhook.is_enabled && webhook.events.contains(&event) && line.waiting.len() < WAITING_MOST
        });
        told.map(|line| line.webhook.id).collect()
    }

    /// Adds a delivery, to be tried at once. False if its webhook is gone, or too many wait for it.
    pub fn push(&mut self, delivery: WebhookDelivery, now: Duration) -> bool {
        let Some(line) = self.lines.get_mut(&delivery.webhook) else { return false };
        if line.waiting.len() >= WAITING_MOST {
            return false;
        }
        self.unsaved.insert(delivery.id, delivery.clone());
        line.waiting.push(Waiting { delivery, due: now });
        true
    }

    /// The next delivery that is due, of a webhook for which none is under way.
    pub fn take_due(&mut self, now: Duration) -> Option<Job> {
        let lines = self.lines.values_mut().filter(|line| line.trying.is_none() && line.webhook.is_enabled);
        let mut lines: Vec<_> = lines.collect();
        // The one that waits longest.
        lines.sort_by_key(|line| line.waiting.iter().map(|waiting| waiting.due).min());
        for line in lines {
            let next = line.waiting.iter().filter(|waiting| waiting.due <= now);
            if let Some(Waiting { delivery, .. }) =
                next.min_by_key(|waiting| (waiting.due, waiting.delivery.id))
            {
                line.trying = Some(delivery.id);
                return Some(Job {
                    id: delivery.id,
                    webhook: line.webhook.id,
                    event: delivery.event,
                    url: line.webhook.url.clone(),
                    secret: line.webhook.secret.clone(),
                    body: delivery.body.clone(),
                });
            }
        }
        None
    }

    /// When the next delivery is due that is not under way.
    pub fn next_due(&self) -> Option<Duration> {
        let free = self.lines.values().filter(|line| line.trying.is_none() && line.webhook.is_enabled);
        free.flat_map(|line| line.waiting.iter().map(|waiting| waiting.due)).min()
    }

    /// Notes how a try ended. `at` is the wall time, `now` the monotonic one.
    pub fn tried(
        &mut self,
        job: &Job,
        outcome: Result<u16, Untaken>,
        at: Timestamp,
        now: Duration,
        random: u32,
    ) {
        let Some(line) = self.lines.get_mut(&job.webhook) else { return };
        line.trying = line.trying.filter(|trying| *trying != job.id);
        let Some(index) = line.waiting.iter().position(|waiting| waiting.delivery.id == job.id) else {
            return;
        };
        let waiting = &mut line.waiting[index];
        let delivery = &mut waiting.delivery;
        delivery.tries += 1;
        delivery.tried_at = Some(at);
        let pause = PAUSES.get(delivery.tries as usize - 1);
        match outcome {
            Ok(status) => {
                (delivery.status, delivery.detail) = (Some(status), None);
                delivery.state = DeliveryState::Delivered;
            }
            Err(Untaken { status, detail }) => {
                (delivery.status, delivery.detail) = (status, Some(detail));
                match pause {
                    Some(pause) if status != Some(GONE) => waiting.due = now + jittered(*pause, random),
                    _ => delivery.state = DeliveryState::Failed,
                }
            }
        }
        self.unsaved.insert(job.id, delivery.clone());
        if delivery.state != DeliveryState::Waiting {
            line.waiting.remove(index);
        }
    }

    /// Takes what has to be stored.
    pub fn take_unsaved(&mut self) -> Vec<WebhookDelivery> {
        std::mem::take(&mut self.unsaved).into_values().collect()
    }

    /// Takes back what could not be stored, unless it has changed since.
    pub fn put_back(&mut self, deliveries: Vec<WebhookDelivery>) {
        for delivery in deliveries {
            if self.lines.contains_key(&delivery.webhook) {
                self.unsaved.entry(delivery.id).or_insert(delivery);
            }
        }
    }

    /// A webhook's deliveries that are not stored yet, or differ from what is stored; and when each that waits is tried next.
    pub fn unsaved_of(&self, webhook: WebhookId) -> Vec<WebhookDelivery> {
        self.unsaved.values().filter(|delivery| delivery.webhook == webhook).cloned().collect()
    }

    /// When a delivery that waits is tried next.
    pub fn due_of(&self, webhook: WebhookId, delivery: WebhookDeliveryId) -> Option<Duration> {
        let waiting = &self.lines.get(&webhook)?.waiting;
        waiting.iter().find(|waiting| waiting.delivery.id == delivery).map(|waiting| waiting.due)
    }
}

/// From half of it to all of it, so that receivers that were down are not asked by everybody at once.
fn jittered(most: Duration, random: u32) -> Duration {
    most.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_795_000_000_000);

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn webhook(number: u128) -> Webhook {
        Webhook {
            id: WebhookId::from_number(number),
            url: format!("http://192.0.2.{number}/"),
            events: [EventKind::StreamStarted, EventKind::Test].into(),
            is_enabled: true,
            created_at: NOW,
            secret: WebhookSecret::new([1; 32]),
        }
    }

    fn queue(webhooks: u128) -> Queue {
        let mut queue = Queue::default();
        queue.set_webhooks((1..=webhooks).map(webhook).collect());
        queue
    }

    fn add(queue: &mut Queue, webhook: u128, number: u128, now: Duration) -> bool {
        let new =
            WebhookDelivery::new(WebhookId::from_number(webhook), EventKind::StreamStarted, NOW).unwrap();
        queue.push(WebhookDelivery { id: WebhookDeliveryId::from_number(number), ..new }, now)
    }

    fn down() -> Result<u16, Untaken> {
        Err(Untaken { status: None, detail: "nobody is there".to_owned() })
    }

    #[test]
    fn what_is_taken_is_over_and_stored_once() {
        let mut queue = queue(1);
        assert!(queue.wants(EventKind::StreamStarted) && !queue.wants(EventKind::ChatMessage));
        assert!(add(&mut queue, 1, 7, second(0)));
        assert!(!add(&mut queue, 2, 8, second(0)), "there is no such webhook");
        let job = queue.take_due(second(0)).unwrap();
        assert!(queue.take_due(second(0)).is_none() && queue.next_due().is_none(), "it is under way");
        queue.tried(&job, Ok(204), NOW, second(1), 0);
        let [saved] = &queue.take_unsaved()[..] else { panic!("one") };
        assert_eq!((saved.state, saved.status, saved.tries), (DeliveryState::Delivered, Some(204), 1));
        assert!(queue.take_unsaved().is_empty() && queue.next_due().is_none());
    }

    #[test]
    fn a_receiver_that_is_down_is_asked_less_and_less_often_and_then_given_up() {
        let mut queue = queue(1);
        add(&mut queue, 1, 7, second(0));
        let (mut now, mut pauses) = (second(0), Vec::new());
        while let Some(due) = queue.next_due() {
            pauses.push(due.saturating_sub(now).as_secs());
            now = due;
            let job = queue.take_due(now).unwrap();
            queue.tried(&job, down(), NOW, now, u32::MAX);
        }
        assert_eq!(pauses, [0, 10, 60, 300, 1800, 7200, 21600]);
        let [given_up] = &queue.take_unsaved()[..] else { panic!("one") };
        assert_eq!((given_up.state, given_up.tries), (DeliveryState::Failed, 7));
        assert_eq!(jittered(second(10), 0), second(5));
        // Who wants no more is believed.
        add(&mut queue, 1, 8, now);
        let job = queue.take_due(now).unwrap();
        queue.tried(&job, Err(Untaken { status: Some(410), detail: String::new() }), NOW, now, 0);
        assert_eq!((queue.next_due(), queue.take_unsaved()[0].state), (None, DeliveryState::Failed));
    }

    #[test]
    fn a_slow_receiver_holds_up_nobody_else_and_what_waits_is_bounded() {
        let mut queue = queue(2);
        let taken = (0..200).filter(|number| add(&mut queue, 1, *number, second(0))).count();
        assert_eq!(taken, WAITING_MOST);
        assert_eq!(queue.told_of(EventKind::StreamStarted), [WebhookId::from_number(2)]);
        let slow = queue.take_due(second(1)).unwrap();
        assert_eq!(slow.webhook, WebhookId::from_number(1));
        add(&mut queue, 2, 500, second(1));
        assert_eq!(queue.take_due(second(1)).unwrap().webhook, WebhookId::from_number(2));
        assert!(queue.take_due(second(1)).is_none());
        queue.tried(&slow, down(), NOW, second(9), 0);
        // The next one of the first webhook, not the one that just failed.
        assert_ne!(queue.take_due(second(9)).unwrap().id, slow.id);
    }

    #[test]
    fn a_webhook_that_is_switched_off_waits_and_one_that_is_deleted_is_forgotten() {
        let mut queue = queue(2);
        add(&mut queue, 1, 7, second(0));
        add(&mut queue, 2, 8, second(0));
        let mut off = webhook(1);
        off.is_enabled = false;
        queue.set_webhooks(vec![off]);
        assert!(queue.take_due(second(5)).is_none() && !queue.wants(EventKind::StreamStarted));
        assert_eq!(queue.take_unsaved().len(), 1);
        queue.set_webhooks(vec![webhook(1)]);
        let job = queue.take_due(second(5)).unwrap();
        queue.set_webhooks(Vec::new());
        queue.tried(&job, Ok(200), NOW, second(6), 0);
        assert!(queue.take_unsaved().is_empty());
    }

    #[test]
    fn what_a_restart_left_is_tried_again_under_its_id() {
        let mut before = queue(1);
        add(&mut before, 1, 7, second(0));
        let job = before.take_due(second(0)).unwrap();
        before.tried(&job, down(), NOW, second(0), 0);
        let left = before.take_unsaved();
        let mut after = queue(1);
        after.resume(left.clone(), second(3));
        assert_eq!(after.take_due(second(3)).unwrap().id, job.id);
        // What the card did not take is kept for the next time.
        after.put_back(left);
        assert_eq!(after.take_unsaved().len(), 1);
    }
}

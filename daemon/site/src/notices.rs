//! Delivers notifications to open pages. The store writes each one first, so nothing is lost if no page is open; a page
//! that is too slow is told to count again. perch-web's `events` has the wire format.

use perch_store::{Delivery, Notification, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Notifications a listener may lag behind; beyond that only the count matters.
const QUEUE: usize = 16;
/// Open pages of one person that are notified; each holds a connection.
const LISTENERS_PER_USER: usize = 10;

/// A message to a listener.
#[derive(Debug, Clone)]
pub enum Heard {
    /// A notification.
    Told(Arc<Notification>),
    /// The unread count may have changed: notifications were read elsewhere, or the listener lagged.
    Recount,
}

/// A person has too many open pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this account has too many open pages")]
pub struct TooManyListeners;

/// The listeners; one for the daemon.
pub struct Notices {
    /// `None` once the daemon is stopping.
    people: Mutex<Option<HashMap<UserId, broadcast::Sender<Heard>>>>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { people: Mutex::new(Some(HashMap::new())) }
    }
}

impl Notices {
    /// Sends notifications that the store has written to open pages. Never waits.
    pub fn deliver<'a>(&self, deliveries: impl IntoIterator<Item = &'a Delivery>) {
        let people = self.people();
        let Some(people) = people.as_ref().filter(|people| !people.is_empty()) else { return };
        for delivery in deliveries {
            if let Some(listeners) = people.get(&delivery.to) {
                // An error means that the last page has just closed.
                let _ = listeners.send(Heard::Told(Arc::new(delivery.notification.clone())));
            }
        }
    }

    /// Tells a person's open pages that the unread count has changed.
    pub fn recount(&self, user: UserId) {
        if let Some(listeners) = self.people().as_ref().and_then(|people| people.get(&user)) {
            let _ = listeners.send(Heard::Recount);
        }
    }

    /// Tells everybody's open pages that their unread counts may have changed: notifications about an account are gone.
    pub fn recount_all(&self) {
        for listeners in self.people().iter().flat_map(HashMap::values) {
            let _ = listeners.send(Heard::Recount);
        }
    }

    /// Listens for a person's notifications from now on.
    pub fn listen(&self, user: UserId) -> Result<Listener, TooManyListeners> {
        let mut people = self.people();
        let Some(people) = people.as_mut() else { return Ok(Listener(broadcast::channel(1).1)) };
        people.retain(|_, listeners| listeners.receiver_count() > 0);
        let listeners = people.entry(user).or_insert_with(|| broadcast::Sender::new(QUEUE));
        if listeners.receiver_count() >= LISTENERS_PER_USER {
            return Err(TooManyListeners);
        }
        Ok(Listener(listeners.subscribe()))
    }

    /// Ends all listeners, present and future.
    pub fn close(&self) {
        *self.people() = None;
    }

    fn people(&self) -> MutexGuard<'_, Option<HashMap<UserId, broadcast::Sender<Heard>>>> {
        self.people.lock().expect("nothing panics while it holds the lock")
    }
}

/// One open page of a person.
pub struct Listener(broadcast::Receiver<Heard>);

impl Listener {
    /// The next message; `None` when the daemon stops. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(heard) => Some(heard),
            Err(RecvError::Lagged(_)) => Some(Heard::Recount),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::{NotificationId, NotificationKind, Timestamp};

    const ANN: UserId = UserId::from_number(1);
    const BEN: UserId = UserId::from_number(2);

    fn delivery(to: UserId, number: u128) -> Delivery {
        let kind = NotificationKind::Followed { by: BEN };
        let at = Timestamp::from_unix_millis(0);
        Delivery {
            to,
            notification: Notification { id: NotificationId::from_number(number), at, read: false, kind },
        }
    }

    async fn told(listener: &mut Listener) -> Option<u128> {
        match listener.next().await.unwrap() {
            Heard::Told(notification) => Some(notification.id.number()),
            Heard::Recount => None,
        }
    }

    #[tokio::test]
    async fn everybody_hears_their_own() {
        let notices = Notices::default();
        notices.deliver(&[delivery(ANN, 1)]);
        let (mut ann, mut again) = (notices.listen(ANN).unwrap(), notices.listen(ANN).unwrap());
        let mut ben = notices.listen(BEN).unwrap();
        notices.deliver(&[delivery(ANN, 2), delivery(BEN, 3)]);
        notices.recount(ANN);
        assert_eq!((told(&mut ann).await, told(&mut ann).await), (Some(2), None));
        assert_eq!((told(&mut again).await, told(&mut again).await), (Some(2), None));
        assert_eq!(told(&mut ben).await, Some(3));
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_to_count_anew_and_goes_on() {
        let notices = Notices::default();
        let mut slow = notices.listen(ANN).unwrap();
        for number in 0..100 {
            notices.deliver(&[delivery(ANN, number)]);
        }
        assert_eq!(told(&mut slow).await, None);
        assert_eq!(told(&mut slow).await, Some(100 - QUEUE as u128));
    }

    #[tokio::test]
    async fn listeners_are_bounded_and_their_places_come_back() {
        let notices = Notices::default();
        let pages: Vec<_> = (0..LISTENERS_PER_USER).map(|_| notices.listen(ANN).unwrap()).collect();
        assert_eq!(notices.listen(ANN).err(), Some(TooManyListeners));
        assert!(notices.listen(BEN).is_ok());
        drop(pages);
        assert!(notices.listen(ANN).is_ok());
    }

    #[tokio::test]
    async fn listening_ends_with_the_daemon() {
        let notices = Notices::default();
        let mut ann = notices.listen(ANN).unwrap();
        notices.close();
        assert!(ann.next().await.is_none());
        assert!(notices.listen(ANN).unwrap().next().await.is_none());
    }
}

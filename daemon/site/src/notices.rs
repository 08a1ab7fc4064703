//! Notifications, delivered to those who are there now. The store has written each one before it comes here, so nothing is lost when nobody
//! listens, or when a listener is too slow: it is told to count anew. What an event looks like on the wire is `http::events`'.

use perch_store::{Delivery, Notification, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What one listener may be behind. More than a person is told of in a moment; beyond that only the count matters.
const QUEUE: usize = 16;
/// Open pages of one person that are told; each holds a connection.
const LISTENERS_PER_USER: usize = 10;

/// What a listener hears.
#[derive(Debug, Clone)]
pub enum Heard {
    /// Something happened.
    Told(Arc<Notification>),
    /// The number of unread ones may be another: some were read elsewhere, or went by unheard.
    Recount,
}

/// More pages of one person than are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many open pages of one account")]
pub struct TooManyListeners;

/// Who listens; one for the daemon.
pub struct Notices {
    /// `None` once the daemon ends.
    people: Mutex<Option<HashMap<UserId, broadcast::Sender<Heard>>>>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { people: Mutex::new(Some(HashMap::new())) }
    }
}

impl Notices {
    /// Tells those who listen what the store has written for them. Never waits.
    pub fn deliver<'a>(&self, deliveries: impl IntoIterator<Item = &'a Delivery>) {
        let people = self.people();
        let Some(people) = people.as_ref().filter(|people| !people.is_empty()) else { return };
        for delivery in deliveries {
            if let Some(listeners) = people.get(&delivery.to) {
                // An error is that the last page was closed just now.
                let _ = listeners.send(Heard::Told(Arc::new(delivery.notification.clone())));
            }
        }
    }

    /// Tells a person's other pages that the number of unread ones has changed.
    pub fn recount(&self, user: UserId) {
        if let Some(listeners) = self.people().as_ref().and_then(|people| people.get(&user)) {
            let _ = listeners.send(Heard::Recount);
        }
    }

    /// Listens for a person, from now on.
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

    /// Ends all listening, and what would begin.
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
    /// What happens next; `None` when the daemon ends. Nothing is lost when it is cancelled.
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

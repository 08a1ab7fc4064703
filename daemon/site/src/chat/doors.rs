//! Limits the connections to all rooms of one account, and of one address without accounts.

use crate::accounts::attempts::network;
use perch_store::UserId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Connections of one account: a person with a few devices, and a few pages open on each.
pub(super) const PER_ACCOUNT: u32 = 20;
/// Connections of one address that are nobody's account: a school or an office, and a tenth of a room's seats.
pub(super) const PER_ADDRESS: u32 = 200;

/// Whose seats a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Account(UserId),
    /// People without an account; an IPv6 network is one address.
    Address(IpAddr),
}

impl Subject {
    /// The account if there is one, so that strangers at the same address take none of its seats.
    pub(super) fn of(account: Option<UserId>, address: IpAddr) -> Self {
        account.map_or_else(|| Self::Address(network(address)), Self::Account)
    }

    const fn seats(self) -> u32 {
        match self {
            Self::Account(_) => PER_ACCOUNT,
            Self::Address(_) => PER_ADDRESS,
        }
    }
}

/// Counts connections.
#[derive(Debug)]
pub(super) struct Doors {
    taken: Mutex<HashMap<Subject, u32>>,
    all: watch::Sender<usize>,
}

impl Default for Doors {
    fn default() -> Self {
        Self { taken: Mutex::default(), all: watch::channel(0).0 }
    }
}

/// One connection's permission; released on drop.
#[derive(Debug)]
pub(super) struct Ticket {
    doors: Arc<Doors>,
    subject: Subject,
}

impl Doors {
    /// `None` when all seats of `subject` are taken.
    pub(super) fn enter(self: &Arc<Self>, subject: Subject) -> Option<Ticket> {
        let mut taken = self.taken();
        let count = taken.entry(subject).or_default();
        if *count == subject.seats() {
            return None;
        }
        *count += 1;
        self.all.send_modify(|all| *all += 1);
        Some(Ticket { doors: self.clone(), subject })
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        // The sender lives as long as `self`.
        let _ = self.all.subscribe().wait_for(|all| *all == 0).await;
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Subject, u32>> {
        self.taken.lock().expect("nothing panics while it holds the lock")
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut taken = self.doors.taken();
        if let Some(count) = taken.get_mut(&self.subject) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.subject);
            }
        }
        self.doors.all.send_modify(|all| *all -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_comes_in_so_often_and_again_when_it_has_left() {
        let doors = Arc::new(Doors::default());
        let at = |address: &str| Subject::of(None, address.parse().unwrap());
        let mut tickets: Vec<_> = std::iter::from_fn(|| doors.enter(at("2001:db8::1"))).collect();
        assert_eq!(tickets.len(), PER_ADDRESS as usize);
        assert!(doors.enter(at("2001:db8::2")).is_none(), "the same network");
        assert!(doors.enter(at("192.0.2.2")).is_some());
        tickets.pop();
        assert!(doors.enter(at("2001:db8::1")).is_some());
        drop(tickets);
        doors.empty().await;
        assert!(doors.taken().is_empty());
    }

    #[test]
    fn strangers_at_the_same_address_take_no_seat_of_an_account() {
        let doors = Arc::new(Doors::default());
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let crowd: Vec<_> = std::iter::from_fn(|| doors.enter(Subject::of(None, here))).collect();
        assert_eq!(crowd.len(), PER_ADDRESS as usize);
        for account in [1, 2].map(UserId::from_number) {
            let enter = || doors.enter(Subject::of(Some(account), here));
            let own: Vec<_> = std::iter::from_fn(enter).collect();
            assert_eq!(own.len(), PER_ACCOUNT as usize);
        }
    }
}

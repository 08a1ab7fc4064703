//! Limits one address's connections to all rooms.

use crate::accounts::attempts::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Connections of one address: enough for a household, each member with a few pages open.
pub(super) const PER_ADDRESS: u32 = 50;

/// Counts connections.
#[derive(Debug)]
pub(super) struct Doors {
    per_address: Mutex<HashMap<IpAddr, u32>>,
    all: watch::Sender<usize>,
}

impl Default for Doors {
    fn default() -> Self {
        Self { per_address: Mutex::default(), all: watch::channel(0).0 }
    }
}

/// One connection's permission; released on drop.
#[derive(Debug)]
pub(super) struct Ticket {
    doors: Arc<Doors>,
    address: IpAddr,
}

impl Doors {
    /// `None` when the address has enough connections.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let address = network(address);
        let mut per_address = self.per_address();
        let count = per_address.entry(address).or_default();
        if *count == PER_ADDRESS {
            return None;
        }
        *count += 1;
        self.all.send_modify(|all| *all += 1);
        Some(Ticket { doors: self.clone(), address })
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        // The sender lives as long as `self`.
        let _ = self.all.subscribe().wait_for(|all| *all == 0).await;
    }

    fn per_address(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.per_address.lock().expect("nothing panics while it holds the lock")
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut per_address = self.doors.per_address();
        if let Some(count) = per_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                per_address.remove(&self.address);
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
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let mut tickets: Vec<_> = std::iter::from_fn(|| doors.enter(here)).collect();
        assert_eq!(tickets.len(), PER_ADDRESS as usize);
        assert!(doors.enter("192.0.2.2".parse().unwrap()).is_some());
        tickets.pop();
        assert!(doors.enter(here).is_some());
        drop(tickets);
        doors.empty().await;
        assert!(doors.per_address().is_empty());
    }
}

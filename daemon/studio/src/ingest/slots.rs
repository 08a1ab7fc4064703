//! How many connections of programs are open, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections beyond the streams that may be on the air: those that are being let in, those that are being refused, and those that are half open.
const BEYOND: usize = 24;

/// The open connections; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    peer: IpAddr,
}

impl Slots {
    /// Places for this many streams.
    pub(super) fn new(streams: usize) -> Self {
        Self(Arc::new(Inner { most: streams + BEYOND, taken: Mutex::default() }))
    }

    /// A place for a connection from `peer`. One address gets two thirds of all at most, so that it cannot lock the others out.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Slot> {
        let mut taken = self.taken();
        let own = taken.get(&peer).copied().unwrap_or_default();
        if taken.values().sum::<usize>() >= self.0.most || own >= self.0.most * 2 / 3 {
            return None;
        }
        taken.insert(peer, own + 1);
        Some(Slot { slots: self.clone(), peer })
    }

    /// Each change under the lock is one step: a panic leaves no half-made change.
    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        if let Some(own) = taken.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let slots = Slots::new(6);
        let [a, b, c] = [1, 2, 3].map(|n| IpAddr::from([10, 0, 0, n]));
        let of_a: Vec<_> = std::iter::from_fn(|| slots.take(a)).collect();
        let of_b: Vec<_> = std::iter::from_fn(|| slots.take(b)).collect();
        assert_eq!((of_a.len(), of_b.len()), (20, 10));
        assert!(slots.take(c).is_none());
        drop(of_a);
        assert!(slots.take(c).is_some());
        drop(of_b);
        assert!(slots.taken().is_empty());
    }
}

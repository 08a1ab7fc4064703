//! Limits open connections: a fixed number of slots, of which one address holds at most half, so that one machine cannot shut
//! out the others.
//!
//! When all slots are taken, the connection that has been idle longest is closed in favour of the new one, so ten thousand idle
//! connections do not keep a viewer out. A connection whose request is being answered is not closed for a new one; if all are,
//! the new one is refused. Only when slow viewers together hold too much memory is the longest-running of their responses cut.

use perch_studio::memory_budget::{CONNECTION_BYTES, Held, MemoryBudget, Part};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Connections at a time for which the kernel may take as much of a file as it likes: 4 MiB each (`tcp_wmem`), of which the
/// page cache cannot let go meanwhile.
const FREE_OF_BOUNDS: usize = 8;

/// All slots of the server.
#[derive(Debug)]
pub(super) struct Slots {
    most: usize,
    most_per_address: usize,
    /// A counter that orders the waiting connections without a clock.
    turn: AtomicU64,
    memory: MemoryBudget,
    free_of_bounds: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    occupants: HashMap<u64, Arc<Occupant>>,
    per_address: HashMap<IpAddr, usize>,
}

/// The part of a connection's state that the other connections see.
#[derive(Debug)]
struct Occupant {
    address: IpAddr,
    /// The turn at which its last response was finished; [`ANSWERING`] during a request.
    waiting_since: AtomicU64,
    /// The turn at which its present segment began; [`NO_SEGMENT`] otherwise.
    sending_since: AtomicU64,
    leave: Notify,
}

const ANSWERING: u64 = u64::MAX;
const NO_SEGMENT: u64 = u64::MAX;

/// One slot, held by one connection; released on drop.
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    occupant: Arc<Occupant>,
    _memory: Held,
}

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Somebody who may have half of the slots.
    Client,
    /// A trusted proxy, for many: it may have all.
    Proxy,
}

/// The result of a new connection's request for a slot.
pub(super) enum Admission {
    /// A slot was free.
    Free(Slot),
    /// An idle connection was closed for it.
    InsteadOfIdle(Slot),
    /// All open connections are being answered.
    Refused,
}

impl Slots {
    /// `most` slots, or fewer if memory does not suffice.
    pub(super) fn new(most: usize, memory: &MemoryBudget) -> Arc<Self> {
        let most = most.min(memory.connections()).max(2);
        Arc::new(Self {
            most,
            most_per_address: most / 2,
            turn: AtomicU64::new(0),
            memory: memory.clone(),
            free_of_bounds: Arc::new(Semaphore::new(FREE_OF_BOUNDS)),
            taken: Mutex::default(),
        })
    }

    pub(super) fn take(self: &Arc<Self>, address: IpAddr, share: Share) -> Admission {
        let address = network_of(address);
        let mut taken = self.taken();
        let of_address = taken.per_address.get(&address).copied().unwrap_or(0);
        let crowded = if share == Share::Client && of_address >= self.most_per_address {
            Some(taken.longest_waiting(|occupant| occupant.address == address))
        } else if taken.occupants.len() >= self.most {
            Some(taken.longest_waiting(|_| true))
        } else {
            None
        };
        match crowded {
            None => Admission::Free(self.admit(&mut taken, address)),
            Some(None) => Admission::Refused,
            Some(Some(number)) => {
                if let Some(occupant) = taken.leave(number) {
                    occupant.leave.notify_one();
                }
                Admission::InsteadOfIdle(self.admit(&mut taken, address))
            }
        }
    }

    pub(super) const fn most(&self) -> usize {
        self.most
    }

    pub(super) fn in_use(&self) -> usize {
        self.taken().occupants.len()
    }

    fn admit(self: &Arc<Self>, taken: &mut Taken, address: IpAddr) -> Slot {
        let number = taken.next;
        taken.next += 1;
        let occupant = Arc::new(Occupant {
            address,
            waiting_since: AtomicU64::new(self.next_turn()),
            sending_since: AtomicU64::new(NO_SEGMENT),
            leave: Notify::new(),
        });
        taken.occupants.insert(number, Arc::clone(&occupant));
        *taken.per_address.entry(address).or_default() += 1;
        let memory = self.memory.hold(Part::Connections, CONNECTION_BYTES);
        Slot { slots: Arc::clone(self), number, occupant, _memory: memory }
    }

    /// Closes the connection that has been receiving one segment for longest. False if there is none.
    pub(super) fn cut_oldest_answer(&self) -> bool {
        let mut taken = self.taken();
        let since = |occupant: &Occupant| occupant.sending_since.load(Ordering::Relaxed);
        let sending = taken.occupants.iter().filter(|(_, occupant)| since(occupant) != NO_SEGMENT);
        let Some(oldest) = sending.min_by_key(|(_, occupant)| since(occupant)).map(|(number, _)| *number)
        else {
            return false;
        };
        if let Some(occupant) = taken.leave(oldest) {
            occupant.leave.notify_one();
        }
        true
    }

    fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().expect("nothing panics while it holds the lock")
    }
}

impl Taken {
    fn longest_waiting(&self, among: impl Fn(&Occupant) -> bool) -> Option<u64> {
        let waiting_since = |occupant: &Occupant| occupant.waiting_since.load(Ordering::Relaxed);
        self.occupants
            .iter()
            .filter(|(_, occupant)| waiting_since(occupant) != ANSWERING && among(occupant))
            .min_by_key(|(_, occupant)| waiting_since(occupant))
            .map(|(number, _)| *number)
    }

    fn leave(&mut self, number: u64) -> Option<Arc<Occupant>> {
        let occupant = self.occupants.remove(&number)?;
        if let Some(count) = self.per_address.get_mut(&occupant.address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&occupant.address);
            }
        }
        Some(occupant)
    }
}

impl Slot {
    /// Notes that a request is being answered: this connection stays open.
    pub(super) fn answering(&self) {
        self.occupant.waiting_since.store(ANSWERING, Ordering::Relaxed);
    }

    /// Notes that the response is a segment, and that sending it has begun.
    pub(super) fn sending_segment(&self) {
        self.occupant.sending_since.store(self.slots.next_turn(), Ordering::Relaxed);
    }

    /// Notes that the segments are sent, while other answers go on.
    pub(super) fn segment_sent(&self) {
        self.occupant.sending_since.store(NO_SEGMENT, Ordering::Relaxed);
    }

    /// Permits the kernel to take much of a file for this connection, while the permit is held. `None`: others have that now.
    pub(super) fn free_of_bounds(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots.free_of_bounds).try_acquire_owned().ok()
    }

    /// Notes that the response is finished: from now on the connection may be closed for another.
    pub(super) fn waiting(&self) {
        self.occupant.sending_since.store(NO_SEGMENT, Ordering::Relaxed);
        self.occupant.waiting_since.store(self.slots.next_turn(), Ordering::Relaxed);
    }

    /// Completes when another connection needs the slot or its memory.
    pub(super) async fn sent_away(&self) {
        self.occupant.leave.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.taken().leave(self.number);
    }
}

/// The network that counts as one address: an IPv4 address, or the /64 from which an IPv6 host picks its addresses.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(most: usize) -> Arc<Slots> {
        Slots::new(most, &MemoryBudget::of(256 << 20))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn slot(admission: Admission) -> Slot {
        match admission {
            Admission::Free(slot) | Admission::InsteadOfIdle(slot) => slot,
            Admission::Refused => panic!("refused"),
        }
    }

    fn is_sent_away(slot: &Slot) -> bool {
        let mut future = std::pin::pin!(slot.sent_away());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn one_address_gets_half_of_the_slots_and_the_others_still_come_in() {
        let slots = slots(8);
        let crowd: Vec<_> = (0..100).map(|_| slots.take(address(1), Share::Client)).map(slot).collect();
        assert_eq!(slots.in_use(), 4);
        assert_eq!(crowd.iter().filter(|slot| is_sent_away(slot)).count(), 96);
        assert!(matches!(slots.take(address(2), Share::Client), Admission::Free(_)));
    }

    #[test]
    fn a_trusted_proxy_gets_all_slots() {
        let slots = slots(8);
        let crowd: Vec<_> = (0..8).map(|_| slot(slots.take(address(1), Share::Proxy))).collect();
        assert_eq!(slots.in_use(), 8);
        assert!(crowd.iter().all(|slot| !is_sent_away(slot)));
    }

    #[test]
    fn the_one_that_waited_longest_goes_first() {
        let slots = slots(4);
        let first = slot(slots.take(address(1), Share::Client));
        let second = slot(slots.take(address(1), Share::Client));
        first.answering();
        first.waiting();
        assert!(matches!(slots.take(address(1), Share::Client), Admission::InsteadOfIdle(_)));
        assert!(is_sent_away(&second) && !is_sent_away(&first));
    }

    #[test]
    fn nobody_is_sent_away_in_the_middle_of_an_answer() {
        let slots = slots(4);
        let crowd: Vec<_> = (0..4).map(|n| slot(slots.take(address(n), Share::Client))).collect();
        crowd.iter().for_each(Slot::answering);
        assert!(matches!(slots.take(address(9), Share::Client), Admission::Refused));
        crowd[2].waiting();
        assert!(matches!(slots.take(address(9), Share::Client), Admission::InsteadOfIdle(_)));
        assert!(is_sent_away(&crowd[2]));
    }

    #[test]
    fn there_are_as_many_slots_as_there_is_memory_for() {
        // A quarter, less a quarter of that for programs that publish.
        let memory = MemoryBudget::of(16 * CONNECTION_BYTES);
        let slots = Slots::new(100, &memory);
        assert_eq!(slots.most(), 3);
        let crowd: Vec<_> = (0..3).map(|n| slot(slots.take(address(n), Share::Client))).collect();
        crowd.iter().for_each(Slot::answering);
        assert!(matches!(slots.take(address(9), Share::Client), Admission::Refused));
        assert_eq!(memory.used(Part::Connections), 3 * CONNECTION_BYTES);
        drop(crowd);
        assert_eq!(memory.used(Part::Connections), 0);
    }

    #[test]
    fn the_segment_that_has_been_sent_for_longest_is_cut_first() {
        let slots = slots(8);
        let crowd: Vec<_> = (0..4).map(|n| slot(slots.take(address(n), Share::Client))).collect();
        crowd.iter().for_each(Slot::answering);
        assert!(!slots.cut_oldest_answer(), "no segment is being sent");
        for index in [2, 0, 1] {
            crowd[index].sending_segment();
        }
        crowd[2].waiting();
        assert!(slots.cut_oldest_answer());
        assert!(is_sent_away(&crowd[0]) && !is_sent_away(&crowd[1]));
        assert!(slots.cut_oldest_answer());
        assert!(is_sent_away(&crowd[1]));
        assert!(!slots.cut_oldest_answer());
    }

    #[test]
    fn slots_are_released() {
        let slots = slots(4);
        for _ in 0..10 {
            drop(slot(slots.take(address(1), Share::Client)));
        }
        assert_eq!(slots.in_use(), 0);
        assert!(slots.taken().per_address.is_empty());
    }

    #[test]
    fn a_host_cannot_multiply_itself_by_ipv6_addresses_or_by_mapping() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:aaaa::1"), network("2001:db8:1:2:bbbb::2"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}

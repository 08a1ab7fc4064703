//! The viewers of a stream: those who fetched its playlist a moment ago. Every player fetches it once per segment.

use perch_store::Viewer;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whoever fetched the playlist within this many target durations is watching: a player fetches it once in each, and
/// may miss one.
const WATCHING_TARGETS: u32 = 3;
/// At least this long, because a player that runs out of pictures waits before it asks again.
const WATCHING_LEAST: Duration = Duration::from_secs(10);
/// Viewers counted at most, more than a board can serve; further ones watch uncounted.
const MOST: usize = 20_000;
/// Viewers without an account that count at one address. They are told apart by a cookie, which anybody can make up; this many share the
/// address of a school.
const MOST_AT_ONE_ADDRESS: u32 = 250;

/// Viewers without an account at each address; `K` may say of which stream, too.
#[derive(Debug)]
pub struct AtOneAddress<K>(HashMap<K, u32>);

impl<K> Default for AtOneAddress<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> AtOneAddress<K> {
    /// Counts one more, if one more counts there.
    pub fn admit(&mut self, key: K) -> bool {
        let count = self.0.entry(key).or_default();
        let may = *count < MOST_AT_ONE_ADDRESS;
        *count += u32::from(may);
        may
    }

    fn leave(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(key);
            }
        }
    }
}

/// The viewers of one stream.
#[derive(Debug)]
pub struct Viewers {
    watching: Duration,
    seen: Mutex<Seen>,
    now: AtomicU32,
}

#[derive(Debug, Default)]
struct Seen {
    /// Time of each viewer's last fetch of the playlist, and the address of one without an account.
    last: HashMap<Viewer, (Duration, Option<IpAddr>)>,
    /// Those of `last`.
    at_address: AtOneAddress<IpAddr>,
    /// Viewers whose view is counted, or is about to be.
    counted: HashSet<Viewer>,
    /// Those of `counted`.
    counted_at_address: AtOneAddress<IpAddr>,
    /// Viewers whose view has still to be counted.
    new: Vec<Viewer>,
}

impl Default for Viewers {
    /// Viewers of a stream with short segments.
    fn default() -> Self {
        Self::new(Duration::ZERO)
    }
}

impl Viewers {
    /// Starts without viewers. `target` is the playlist's target duration.
    pub fn new(target: Duration) -> Self {
        Self {
            watching: WATCHING_LEAST.max(target * WATCHING_TARGETS),
            seen: Mutex::default(),
            now: AtomicU32::default(),
        }
    }

    /// Notes that `viewer` fetches the playlist at monotonic time `now`. `from`: the address of a viewer without an account.
    pub fn saw(&self, viewer: Viewer, from: Option<IpAddr>, now: Duration) {
        let seen = &mut *self.seen();
        if let Some((last, _)) = seen.last.get_mut(&viewer) {
            *last = now;
            return;
        }
        if seen.last.len() < MOST && from.is_none_or(|from| seen.at_address.admit(from)) {
            seen.last.insert(viewer, (now, from));
        }
        if seen.counted.len() < MOST
            && !seen.counted.contains(&viewer)
            && from.is_none_or(|from| seen.counted_at_address.admit(from))
        {
            seen.counted.insert(viewer);
            seen.new.push(viewer);
        }
    }

    /// Number of viewers at the last look.
    pub fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Counts the viewers again; returns those whose view has not been counted yet.
    pub(super) fn look(&self, now: Duration) -> Vec<Viewer> {
        let seen = &mut *self.seen();
        let at_address = &mut seen.at_address;
        seen.last.retain(|_, (last, from)| {
            let watches = now.saturating_sub(*last) < self.watching;
            if let (false, Some(from)) = (watches, from) {
                at_address.leave(from);
            }
            watches
        });
        self.now.store(seen.last.len() as u32, Ordering::Relaxed);
        std::mem::take(&mut seen.new)
    }

    /// Each change under the lock is one step: a panic leaves no half-made change.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The viewer that carries this cookie.
pub fn viewer_of_cookie(token: u128) -> Viewer {
    Viewer::anonymous(token)
}

/// The viewer without a cookie: an address and the program that asks. It differs after a restart of the daemon.
pub fn viewer_of_address(address: IpAddr, program: &[u8]) -> Viewer {
    use std::sync::LazyLock;
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    let half = |key: &RandomState| u128::from(key.hash_one((address, program)));
    Viewer::anonymous(half(&KEYS[0]) << 64 | half(&KEYS[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once_and_is_there_while_it_asks() {
        let viewers = Viewers::default();
        let [ann, ben] = [1, 2].map(Viewer::anonymous);
        let at = Duration::from_secs;
        viewers.saw(ann, None, at(0));
        viewers.saw(ben, None, at(1));
        viewers.saw(ann, None, at(8));
        assert_eq!(viewers.look(at(9)), [ann, ben]);
        assert_eq!(viewers.now(), 2);
        assert_eq!(viewers.look(at(12)), []);
        assert_eq!(viewers.now(), 1);
        viewers.saw(ben, None, at(60));
        assert_eq!(viewers.look(at(61)), [], "each viewer is one view, however often they return");
        assert_eq!(viewers.now(), 1);
    }

    #[test]
    fn a_viewer_of_long_segments_counts_between_two_of_them() {
        let viewers = Viewers::new(Duration::from_secs(10));
        viewers.saw(Viewer::anonymous(1), None, Duration::ZERO);
        viewers.look(Duration::from_secs(29));
        assert_eq!(viewers.now(), 1);
        viewers.look(Duration::from_secs(31));
        assert_eq!(viewers.now(), 0);
    }

    #[test]
    fn made_up_cookies_of_one_address_fill_no_counter() {
        let viewers = Viewers::default();
        let [forger, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
        let at = Duration::from_secs;
        for number in 0..30_000 {
            viewers.saw(Viewer::anonymous(number), forger, at(0));
        }
        viewers.saw(Viewer::anonymous(40_000), other, at(0));
        viewers.saw(Viewer::anonymous(40_001), None, at(0));
        assert_eq!(viewers.look(at(1)).len(), MOST_AT_ONE_ADDRESS as usize + 2);
        assert_eq!(viewers.now(), MOST_AT_ONE_ADDRESS + 2);
        // Those who are gone make room for others who watch; their views stay counted.
        viewers.look(at(60));
        assert_eq!(viewers.now(), 0);
        viewers.saw(Viewer::anonymous(50_000), forger, at(61));
        assert_eq!(viewers.look(at(62)), []);
        assert_eq!(viewers.now(), 1);
    }

    #[test]
    fn programs_at_one_address_are_told_apart() {
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(viewer_of_address(address, b"vlc"), viewer_of_address(address, b"vlc"));
        assert_ne!(viewer_of_address(address, b"vlc"), viewer_of_address(address, b"mpv"));
        assert_ne!(viewer_of_address(address, b"vlc"), viewer_of_address([192, 0, 2, 2].into(), b"vlc"));
    }
}

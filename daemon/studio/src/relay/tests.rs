//! A relay through schedules of faults, in virtual time: the server is down, frozen, unreachable or slow, or refuses. The broadcast is the real one, sockets and clock are not.

use super::server::{Server, target};
use super::status::RelayState;
use super::tagger::Asked;
use super::uplink::Uplink;
use crate::broadcast::{self, Broadcast, Publisher, Reader, Start, Want};
use crate::rtmp::USER_CONTROL;
use perch_media::access_unit::{AccessUnit, Entry};
use proptest::prelude::*;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(100);
/// Steps from one look at the connection to the next.
const LOOK: u32 = 5;
/// The longest pause, the greeting, a key-frame interval, and a look.
const BACK_WITHIN: Duration = Duration::from_secs(60 + 10 + 2 + 1);
/// Bytes that a frozen server's kernel takes.
const KERNEL: usize = 64 << 10;
/// Bytes of a picture: 80 kB/s.
const PICTURE: usize = 8000;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Connections are refused, and open ones are closed.
    Down,
    /// The server does nothing; its kernel takes what fits.
    Frozen,
    /// No packet arrives.
    BlackHole,
    /// So many bytes in a step.
    Slow(usize),
    /// It refuses the stream.
    Refusing,
}

struct World {
    now: Duration,
    fault: Fault,
    uplink: Uplink,
    publisher: Publisher,
    broadcast: Broadcast,
    reader: Option<Reader>,
    server: Option<Server>,
    /// Written and not yet taken by the far end's kernel.
    untaken: Vec<u8>,
    /// Taken by its kernel, and not by the server.
    unread: Vec<u8>,
    written: u64,
    /// Bodies of the pictures that all servers got, in order.
    got: Vec<Vec<u8>>,
    pictures: u32,
    steps: u32,
}

/// Picture `number`, ten a second, an IDR first in each two seconds; its bytes say its number.
fn picture(number: u32) -> AccessUnit {
    let is_idr = number.is_multiple_of(20);
    let mut unit = crate::capture::testing::access_unit(i64::from(number) * 9000, is_idr, PICTURE);
    let mut data = unit.data.to_vec();
    // No start code comes about.
    for (at, digit) in (0..8).map(|at| (at, number >> (4 * at) & 15)) {
        data[10 + at] = 0x10 | digit as u8;
    }
    unit.data = data.into();
    unit.entry = if is_idr { Entry::Idr } else { Entry::None };
    unit
}

fn number_of(body: &[u8]) -> u32 {
    // A body has 5 bytes before the picture, and a length in place of the start code.
    (0..8).map(|at| u32::from(body[5 + 10 + at] & 15) << (4 * at)).sum()
}

impl World {
    fn new(seed: u32) -> Self {
        let (publisher, broadcast) = broadcast::channel();
        let mut state = seed;
        let random = Box::new(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        });
        let asked = Asked { frames_per_second: 10, bitrate_kbps: 640 };
        Self {
            now: Duration::from_secs(1000),
            fault: Fault::Nothing,
            uplink: Uplink::new("a".into(), asked, random),
            publisher,
            broadcast,
            reader: None,
            server: None,
            untaken: Vec::new(),
            unread: Vec::new(),
            written: 0,
            got: Vec::new(),
            pictures: 0,
            steps: 0,
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.uplink.status().state, RelayState::Live { .. })
    }

    fn step(&mut self) {
        self.now += STEP;
        self.steps += 1;
        self.publisher.publish([picture(self.pictures)], self.now);
        self.pictures += 1;
        if self.uplink.connects_at().is_some() {
            self.disconnected();
        }
        if self.uplink.connects_at().is_some_and(|at| at <= self.now) {
            self.uplink.connecting();
            match self.fault {
                Fault::Down => self.uplink.failed("cannot connect", self.now),
                Fault::BlackHole => self.uplink.failed("does not answer", self.now),
                _ => {
                    self.server = Some(Server::new());
                    self.uplink.opened(target(), self.now);
                }
            }
        }
        if self.server.is_some() {
            self.carry();
        }
        if self.server.is_some() && self.steps.is_multiple_of(LOOK) {
            self.uplink.look(self.written, self.untaken.len() as u64, !self.untaken.is_empty(), self.now);
        }
    }

    fn disconnected(&mut self) {
        self.server = None;
        self.reader = None;
        self.written = 0;
        self.untaken.clear();
        self.unread.clear();
    }

    fn carry(&mut self) {
        let rate = match self.fault {
            Fault::Down => {
                self.uplink.failed("the server closed the connection", self.now);
                return;
            }
            Fault::BlackHole => 0,
            Fault::Slow(rate) => rate,
            Fault::Frozen => KERNEL.saturating_sub(self.unread.len()),
            Fault::Nothing | Fault::Refusing => usize::MAX,
        };
        // Both ends answer each other within a step.
        for _ in 0..8 {
            if self.uplink.sends() && self.reader.is_none() {
                let want = Want { patience: Duration::ZERO, at_entry_points: true, start: Start::Newest };
                self.reader = Some(self.broadcast.subscribe(want));
            }
            while self.untaken.len() < KERNEL
                && self.uplink.wants_sample()
                && let Some(item) = self.reader.as_mut().and_then(Reader::next_of_those_there)
            {
                self.uplink.push(&item, self.now);
            }
            let Some(out) = self.uplink.out() else { return };
            assert!(out.len() <= (32 << 10) + PICTURE + 1000, "{} bytes wait", out.len());
            if self.untaken.len() < KERNEL {
                self.written += out.len() as u64;
                self.untaken.append(out);
            }
        }
        let taken = self.untaken.len().min(rate);
        self.unread.extend(self.untaken.drain(..taken));
        let Some(server) = &mut self.server else { return };
        server.refuses = (self.fault == Fault::Refusing).then_some("NetStream.Publish.BadName");
        if matches!(self.fault, Fault::Frozen | Fault::BlackHole) {
            return;
        }
        for _ in 0..4 {
            server.receive(&std::mem::take(&mut self.unread));
            let answer = std::mem::take(&mut server.out);
            self.uplink.received(&answer, self.now);
            if let Some(out) = self.uplink.out().filter(|_| rate == usize::MAX) {
                self.written += out.len() as u64;
                self.unread.append(out);
            }
        }
        self.check_media();
    }

    /// Everything begins with what a decoder needs, and no picture comes twice.
    fn check_media(&mut self) {
        let Some(server) = &mut self.server else { return };
        let is_first =
            |got: &[Vec<u8>], body: &[u8]| got.last().is_none_or(|last| number_of(last) < number_of(body));
        for (type_id, body) in server.media.drain(..) {
            if type_id == 9 && body[1] == 1 {
                let number = number_of(&body);
                assert!(is_first(&self.got, &body), "picture {number} comes again");
                let follows = self.got.last().is_some_and(|last| number_of(last) + 1 == number);
                assert!(follows || body[0] == 0x17, "picture {number} cannot be decoded");
                assert!(body.len() == PICTURE + 5, "picture {number} has {} bytes", body.len());
                self.got.push(body);
            }
        }
    }

    /// So long with this fault.
    fn goes_on(&mut self, fault: Fault, time: Duration) {
        self.fault = fault;
        for _ in 0..time.as_millis() / STEP.as_millis() {
            self.step();
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_frozen_server_and_a_black_hole_are_known_within_5_s_and_not_called_live() {
    for fault in [Fault::Frozen, Fault::BlackHole] {
        let mut world = World::new(1);
        world.goes_on(Fault::Nothing, 20 * SECOND);
        assert!(world.is_live(), "{:?}", world.uplink.status());
        world.goes_on(fault, 5 * SECOND);
        assert!(!world.is_live(), "{fault:?}: {:?}", world.uplink.status());
        let before = world.got.len();
        world.goes_on(Fault::Nothing, 20 * SECOND);
        assert!(world.is_live() && world.got.len() > before + 100, "{:?}", world.uplink.status());
    }
}

#[test]
fn a_server_that_freezes_after_it_has_accepted_is_never_called_live() {
    let mut world = World::new(1);
    world.goes_on(Fault::Frozen, Duration::from_mins(2));
    assert!(
        matches!(&world.uplink.status().state, RelayState::Retrying { why, .. } if why.contains("does not answer"))
    );
    assert!(world.got.is_empty());
}

#[test]
fn a_slow_way_drops_to_key_frames_and_says_so() {
    let mut world = World::new(1);
    // 80 kB/s are sent, 50 kB/s get through.
    world.goes_on(Fault::Slow(5000), 60 * SECOND);
    let status = world.uplink.status().clone();
    assert!(world.is_live() && status.slow.is_some() && status.dropped > 100, "{status:?}");
    let sent = world.got.len() as u64;
    assert!(sent > 250, "{sent}");
    assert!(sent + status.dropped > 500, "{sent} {status:?}");
    // What comes is not old: what waits in the kernel, and five seconds.
    let last = world.got.last().map(|body| number_of(body)).unwrap();
    assert!(world.pictures - last < 100, "{last} of {}", world.pictures);
    let dropped = status.dropped;
    world.goes_on(Fault::Nothing, 30 * SECOND);
    let calm = world.uplink.status().dropped;
    world.goes_on(Fault::Nothing, 30 * SECOND);
    assert_eq!(world.uplink.status().dropped, calm, "it was {dropped}");
}

#[test]
fn a_refusal_is_asked_about_again_once_a_minute() {
    let mut world = World::new(1);
    world.goes_on(Fault::Refusing, Duration::from_mins(10));
    let status = world.uplink.status();
    assert!(
        matches!(&status.state, RelayState::Refused { why, .. } if why.contains("BadName")),
        "{status:?}"
    );
    assert!((10..=20).contains(&status.connections), "{status:?}");
}

#[test]
fn a_server_that_holds_on_to_a_connection_which_broke_off_is_asked_again_soon() {
    let mut world = World::new(1);
    world.goes_on(Fault::Nothing, 20 * SECOND);
    world.goes_on(Fault::BlackHole, 10 * SECOND);
    world.goes_on(Fault::Refusing, 12 * SECOND);
    assert_eq!(world.uplink.status().state.name(), "refused");
    world.goes_on(Fault::Nothing, 20 * SECOND);
    assert!(world.is_live(), "{:?}", world.uplink.status());
}

#[test]
fn a_server_that_asks_without_end_and_reads_nothing_is_given_up_before_the_answers_fill_memory() {
    let mut world = World::new(1);
    world.goes_on(Fault::Nothing, 20 * SECOND);
    assert!(world.is_live());
    let server = world.server.as_mut().unwrap();
    for _ in 0..200_000 {
        server.say(USER_CONTROL, vec![0, 6, 1, 2, 3, 4]);
    }
    let pings = std::mem::take(&mut server.out);
    for piece in pings.chunks(4096) {
        world.uplink.received(piece, world.now);
        assert!(world.uplink.out().is_none_or(|out| out.len() < 256 << 10));
    }
    let state = &world.uplink.status().state;
    assert!(matches!(state, RelayState::Retrying { why, .. } if why.contains("takes none")), "{state:?}");
}

fn a_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Nothing),
        Just(Fault::Down),
        Just(Fault::Frozen),
        Just(Fault::BlackHole),
        (1000usize..16_000).prop_map(Fault::Slow),
        Just(Fault::Refusing),
    ]
}

proptest! {
    // Each runs minutes of virtual time. PROPTEST_CASES=16000 runs two thousand.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    /// However the network fares: no picture comes twice or without the one it refers to, little waits, and the relay is back within its longest pause.
    #[test]
    fn whatever_fails_the_relay_comes_back(
        faults in prop::collection::vec((a_fault(), 1u32..200), 1..6),
        seed in any::<u32>(),
    ) {
        let mut world = World::new(seed);
        for (fault, tenths) in faults {
            world.goes_on(fault, STEP * tenths);
        }
        world.goes_on(Fault::Nothing, BACK_WITHIN);
        prop_assert!(world.is_live(), "{:?}", world.uplink.status());
        let before = world.got.len();
        world.goes_on(Fault::Nothing, 10 * SECOND);
        prop_assert_eq!(world.got.len() - before, 100);
    }
}

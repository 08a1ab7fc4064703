//! A source whose pictures may wait for the supervisor, as those of a child do in its pipe.

use super::*;

/// Pictures from IDR to IDR: a second.
const GOP: usize = 25;
/// All of them fit into the ring.
const GOPS: usize = 7;

/// A picture each [`FRAME`], whether somebody looks or not.
struct Pipe {
    pictures: VecDeque<Bytes>,
    next_at: Duration,
    read_at: Duration,
    clock: Arc<HandClock>,
    /// When something was found, and how many pictures.
    looks: Arc<Mutex<Vec<(Duration, usize)>>>,
}

impl CodedSource for Pipe {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        let last_read_at = self.read_at;
        let missing = self.next_at.saturating_sub(self.clock.monotonic());
        assert!(missing <= timeout, "a picture comes before that");
        self.clock.turn(missing);
        self.read_at = self.clock.monotonic();
        let (mut data, mut found) = (Vec::new(), 0);
        while self.next_at <= self.read_at {
            let picture = self.pictures.pop_front();
            data.extend(picture.ok_or(SourceError::Failed("that was all".to_owned()))?);
            self.next_at += FRAME;
            found += 1;
        }
        self.looks.lock().unwrap().push((self.read_at, found));
        let since = if missing.is_zero() { last_read_at } else { self.read_at };
        Ok(Output::Stream { data: data.into(), since, read_at: self.read_at })
    }

    fn keeps_pictures(&self) -> bool {
        true
    }

    fn force_key_frame(&mut self) {}

    fn description(&self) -> SourceDescription {
        ScriptedSource::what_it_is()
    }
}

/// Opens a pipe once, then has the supervisor stopped.
struct Once(Option<Pipe>, Arc<Mutex<Arc<AtomicBool>>>);

impl Opener for Once {
    fn open(&mut self) -> Result<Box<dyn CodedSource>, SourceError> {
        self.1.lock().unwrap().store(self.0.is_none(), Ordering::Relaxed);
        let pipe = self.0.take().ok_or(SourceError::Missing("that was all".to_owned()))?;
        Ok(Box::new(pipe))
    }
}

#[test]
fn pictures_that_nobody_waits_for_are_taken_together_and_idrs_at_once() {
    let clock = Arc::new(HandClock::default());
    let (stop, looks) = (Arc::<Mutex<Arc<AtomicBool>>>::default(), Arc::<Mutex<_>>::default());
    let pipe = Pipe {
        pictures: std::iter::repeat_n(coded_pictures(GOP), GOPS).flatten().collect(),
        next_at: FRAME,
        read_at: Duration::ZERO,
        clock: clock.clone(),
        looks: looks.clone(),
    };
    let opener = Box::new(Once(Some(pipe), stop.clone()));
    let (supervisor, handle) = Supervisor::new("front", opener, Arc::default(), clock);
    *stop.lock().unwrap() = supervisor.stop.clone();
    let mut reader = handle.broadcast().subscribe();
    supervisor.run();

    let looks = looks.lock().unwrap();
    let found = |pictures: std::ops::Range<usize>| {
        let (from, to) = (FRAME * pictures.start as u32, FRAME * pictures.end as u32);
        looks.iter().filter(|(at, _)| from < *at && *at <= to).count()
    };
    assert_eq!(found(0..2 * GOP), 2 * GOP, "nothing can be foreseen yet");
    assert!(found(3 * GOP..6 * GOP) <= 3 * 6, "{looks:?}");

    let mut last: Option<broadcast::Published> = None;
    for number in 0..GOP * GOPS - 1 {
        let item = pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Some(Item::Unit(now))) = item else {
            panic!("picture {number} is missing: {item:?}")
        };
        if now.unit.is_idr {
            // It is whole when the next picture comes.
            assert_eq!(now.published_at, FRAME * (number as u32 + 2), "IDR {number}");
        }
        if let Some(last) = last {
            let ticks = (now.unit.dts - last.unit.dts).ticks();
            assert!(
                (3600_i64 - ticks).abs() < 360,
                "picture {number} comes {ticks} ticks after the one before"
            );
        }
        last = Some(now);
    }
}

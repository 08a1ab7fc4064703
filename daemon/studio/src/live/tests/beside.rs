//! Streams beside each other for a long time, on a clock that the test advances, and the report of a stream whose
//! segments cannot be kept.

use super::*;
use crate::clock::HandClock;
use crate::hls::HlsError;
use crate::memory_budget::Part;

/// One second of each stream: a picture that is its own segment.
fn seconds(clock: &HandClock, replays: &[&Replay], count: u32) {
    for _ in 0..count {
        clock.turn(Duration::from_secs(1));
        let now = clock.monotonic();
        let ticks = MediaTime::from_monotonic(now).ticks();
        for replay in replays {
            replay.send_one(testing::access_unit(ticks, true, 1000), now);
        }
    }
}

async fn has(on_air: &OnAir, sequence: u64) {
    on_air.hls.wait_for(sequence, PATIENCE).await.expect("every segment is listed");
}

fn playlist(on_air: &OnAir) -> String {
    String::from_utf8(on_air.hls.offer().playlist.to_vec()).unwrap()
}

/// Sequence numbers were once reserved in blocks of 900, and a stream beside which another one had stopped wrote to the
/// card at every wake-up from its 900th segment on.
#[tokio::test]
async fn a_stream_that_stops_beside_one_past_its_900th_segment_costs_it_nothing() {
    let clock = Arc::new(HandClock::at_wall(Duration::from_secs(1_795_000_000)));
    let house = House::at(clock.clone());
    let mut streams = Vec::new();
    for user in 0..2 {
        let (replay, started) = house.publish(user).await;
        let stream = started.unwrap().facts.id;
        seconds(&clock, &[&replay], 3);
        streams.push((replay, house.goes_live(stream).await));
    }
    let [(long, seen), (short, beside)] = &streams[..] else { unreachable!() };
    let begun = seen.hls.offer().next_sequence;
    seconds(&clock, &[long, short], 1000);
    has(seen, begun + 950).await;
    house.live.stop(beside.stream, EndReason::User).await.unwrap();
    let last_of_short = beside.hls.offer().next_sequence;

    let store = || std::fs::read(house.dir.path().join("perch.redb")).unwrap();
    let before = store();
    seconds(&clock, &[long], 1000);
    has(seen, begun + 1950).await;
    assert!(store() == before, "nothing is written to the card for a segment");
    assert!(!playlist(seen).contains("#EXT-X-DISCONTINUITY\n"), "{}", playlist(seen));
    assert!(seen.hls.fault().is_none());

    // The next one at the same address continues with numbers higher than those of the one that had stopped.
    let (next, started) = house.publish(1).await;
    let stream = started.unwrap().facts.id;
    seconds(&clock, &[&next], 3);
    let next = house.goes_live(stream).await;
    assert!(next.hls.offer().next_sequence > last_of_short);
    house.live.stop(seen.stream, EndReason::User).await.unwrap();
    house.live.stop(stream, EndReason::User).await.unwrap();
}

#[tokio::test]
async fn a_segment_that_cannot_be_kept_is_said_of_its_stream_until_there_are_segments_again() {
    let clock = Arc::new(HandClock::at_wall(Duration::from_secs(1_795_000_000)));
    let house = House::at(clock.clone());
    let (replay, started) = house.publish(0).await;
    let stream = started.unwrap().facts.id;
    seconds(&clock, &[&replay], 3);
    let on_air = house.goes_live(stream).await;
    assert_eq!(on_air.detail(), None);

    // 36 MiB within a second, of which the ring never holds more than one picture.
    for tenth in 1..=12 {
        let now = clock.monotonic() + Duration::from_millis(tenth * 50);
        let unit = testing::access_unit(MediaTime::from_monotonic(now).ticks(), true, 3 << 20);
        replay.send_one(unit, now);
        let memory = &house.memory;
        // The newest picture may stay for new readers.
        while memory.used(Part::Rings) > 4 << 20 {
            tokio::task::yield_now().await;
        }
    }
    let with_fault = |all: &[OnAir]| all.iter().any(|on_air| on_air.fault.is_some());
    let all = house.sees(with_fault).await;
    assert!(matches!(all[0].fault, Some(HlsError::TooLarge)), "{:?}", all[0].fault);
    let words = all[0].detail().expect("the fault is reported");
    assert!(words.contains("bit rate is too high"), "{words}");

    seconds(&clock, &[&replay], 5);
    house.sees(|all| all.iter().all(|on_air| on_air.fault.is_none())).await;
    replay.says(CameraState::Waiting { reason: "the cable is out".to_owned() });
    assert_eq!(on_air.detail().as_deref(), Some("the cable is out"));
    house.live.stop(stream, EndReason::User).await.unwrap();
}

//! Faults of the recorder itself, and of what it goes by: a panic, a clock that jumps.

use super::*;

#[tokio::test]
async fn a_panic_is_told_and_the_recording_goes_on_after_a_seam() {
    let house = house();
    let stream = house.stream("front");
    let (publisher, broadcast) = broadcast::channel();
    let second = Duration::from_secs(1);
    let cuts = HlsSettings { segment: second * 2, window: second * 60, keyframe_interval: second * 2 };
    // Asked once a fragment.
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let (of_thread, panics_at) = (asked.clone(), 4);
    let offset_ms: OffsetOf = Arc::new(move |at| {
        let times = of_thread.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert_ne!(times, panics_at, "a fault in the recorder");
        at.as_millis() as u64
    });
    let about = About { stream, cuts, offset_ms, share: StreamShare::usual() };
    let ended = spawn(&broadcast, &house.recordings, about, house.clock.clone()).unwrap();
    let mut tenth = 0;
    let mut publish_until = async |is_reached: &dyn Fn() -> bool| {
        while !is_reached() {
            house.clock.turn(Duration::from_millis(100));
            let unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
            publisher.publish([unit], house.clock.monotonic());
            tenth += 1;
            // Leaves time to the recorder's thread. What it misses all the same is a gap.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    };
    publish_until(&|| house.faults.any()).await;
    assert!(house.recordings.trouble(stream).unwrap().contains("a fault in Perch"));
    let before = house.seconds(stream);
    publish_until(&|| house.seconds(stream) > before + 3).await;
    assert_eq!((house.recordings.trouble(stream), house.faults.any()), (None, false));
    drop(publisher);
    ended.await.unwrap();
    assert!(!house.files(stream).is_growing);
    assert_eq!(house.store.recording(stream).unwrap().unwrap().state, RecordingState::Ended);
    let fragments = house.fragments(stream).remove(0);
    let seams = fragments.iter().filter(|fragment| fragment.mark.before == Break::Seam);
    assert_eq!(seams.count(), 1);
    assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new());
}

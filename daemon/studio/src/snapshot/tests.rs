use super::*;
use crate::broadcast::{self, Publisher};
use crate::capture::testing;
use perch_media::access_unit::AccessUnitAssembler;
use perch_media::time::{MediaTime, Times};

fn publish(publisher: &Publisher, second: u64) {
    let coded = testing::coded_pictures(1).remove(0);
    let at = MediaTime::from_ticks(second.cast_signed() * MediaTime::HZ);
    let unit = AccessUnitAssembler::new(0).push_picture(&coded, Times::at(at)).unwrap().unwrap();
    publisher.publish([unit], Duration::from_secs(second));
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_the_same_picture_and_a_new_one_after_a_second() {
    let (publisher, pictures) = broadcast::channel();
    let snapshots = Snapshots::default();
    assert_eq!(snapshots.take_from("front", &pictures, 640, APART).await, Err(SnapshotError::NotLive));
    publish(&publisher, 1);
    let begun = Instant::now();
    let first = snapshots.take_from("front", &pictures, 640, APART).await.unwrap();
    publish(&publisher, 2);
    assert_eq!(
        snapshots.take_from("front", &pictures, 500, APART).await.unwrap(),
        first,
        "within a second, the same width"
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let second = snapshots.take_from("front", &pictures, 160, APART).await.unwrap();
    assert_eq!(
        (second.published_at, begun.elapsed()),
        (Duration::from_secs(2), APART),
        "another width waits its turn"
    );
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(
        snapshots.take_from("front", &pictures, 160, APART).await.unwrap(),
        second,
        "there is no newer picture"
    );
    snapshots.take_from("back", &pictures, 160, APART).await.unwrap();
    assert_eq!(begun.elapsed(), APART + Duration::from_mins(1), "another camera need not wait");
}

#[tokio::test(start_paused = true)]
async fn a_picture_may_be_as_old_as_the_asker_says() {
    let (publisher, pictures) = broadcast::channel();
    let snapshots = Snapshots::default();
    publish(&publisher, 1);
    let minute = Duration::from_mins(1);
    let first = snapshots.take_from("front", &pictures, 640, minute).await.unwrap();
    publish(&publisher, 2);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(snapshots.take_from("front", &pictures, 640, minute).await.unwrap(), first);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_ne!(snapshots.take_from("front", &pictures, 640, minute).await.unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn who_asks_together_shares_one_decoding() {
    let (publisher, pictures) = broadcast::channel();
    publish(&publisher, 1);
    let snapshots = Arc::new(Snapshots::default());
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let (snapshots, pictures) = (snapshots.clone(), pictures.clone());
            tokio::spawn(async move { snapshots.take_from("front", &pictures, 640, APART).await })
        })
        .collect();
    let begun = Instant::now();
    for asked in asked {
        assert!(asked.await.unwrap().is_ok());
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "a second decoding would have waited");
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_cannot_be_decoded_is_tried_once() {
    let (publisher, pictures) = broadcast::channel();
    publisher.publish([testing::access_unit(0, true, 100)], Duration::ZERO);
    let snapshots = Snapshots::default();
    let begun = Instant::now();
    for _ in 0..3 {
        let error = snapshots.take_from("front", &pictures, 640, APART).await.unwrap_err();
        assert!(matches!(error, SnapshotError::Undecodable(_)), "{error}");
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
